#include "router/delivery/transformer.h"

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <future>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dimse/base/crc32c.h"
#include "dimse/base/log.h"
#include "dimse/encoding/transfer_syntax.h"
#include "router/rules/transform.h"
#include "router/rules/transform_job.h"

namespace dr::delivery {
namespace {

constexpr const char* kUidMap = "uid-map";
constexpr std::uint32_t kTriesOfAFault = 2;  // a worker that crashed may have had bad luck

/// A copy, read from its file.
class FileBody final : public journal::BodyReader {
 public:
  FileBody(worker::Descriptor file, std::uint64_t size) : file_(std::move(file)), size_(size) {}

  std::uint64_t size() const override { return size_; }
  Result<std::size_t> read(MutableByteSpan into) override {
    const std::size_t most =
        static_cast<std::size_t>(std::min<std::uint64_t>(into.size(), size_ - at_));
    for (;;) {
      const ssize_t n = pread(file_.get(), into.data(), most, static_cast<off_t>(at_));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return errno_error("read of a copy", errno);
      if (n == 0 && most > 0) return Error{Errc::kIo, "a copy is cut off"};
      at_ += static_cast<std::uint64_t>(n);
      return static_cast<std::size_t>(n);
    }
  }
  /// CRC32C of all octets, by which the copy is known when it comes back. Reading begins anew.
  Result<std::uint32_t> checksum() {
    Bytes buffer(static_cast<std::size_t>(std::clamp<std::uint64_t>(size_, 1, 256U << 10)));
    std::uint32_t crc = 0;
    for (at_ = 0; at_ < size_;) {
      const auto n = read(buffer);
      if (!n) return n.error();
      crc = crc32c(crc, ByteSpan(buffer).first(*n));
    }
    at_ = 0;
    return crc;
  }

 private:
  worker::Descriptor file_;
  const std::uint64_t size_;
  std::uint64_t at_ = 0;
};

Result<void> write_all(int fd, ByteSpan octets) {
  while (!octets.empty()) {
    const ssize_t n = ::write(fd, octets.data(), octets.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno_error("write of a copy", errno);
    octets = octets.subspan(static_cast<std::size_t>(n));
  }
  return {};
}

Result<void> copy_body(journal::BodyReader& body, int fd) {
  Bytes buffer(static_cast<std::size_t>(std::clamp<std::uint64_t>(body.size(), 1, 256U << 10)));
  for (;;) {
    const auto n = body.read(buffer);
    if (!n) return n.error();
    if (*n == 0) return {};
    if (auto put = write_all(fd, ByteSpan(buffer).first(*n)); !put) return put;
  }
}

/// A second descriptor of the same file: the job's own are closed when it ends.
worker::Descriptor duplicate(const worker::Descriptor& file) {
  return worker::Descriptor(fcntl(file.get(), F_DUPFD_CLOEXEC, 3));
}

std::string_view first_word(std::string_view text) { return text.substr(0, text.find(' ')); }

}  // namespace

Transformer::Transformer(TransformerSettings settings)
    : settings_(std::move(settings)), pool_(settings_.workers) {}

Transformer::~Transformer() { stop(); }

void Transformer::stop() { pool_.stop(); }

Result<worker::Descriptor> Transformer::unnamed_file() const {
  worker::Descriptor file(
      ::open(settings_.folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, S_IRUSR | S_IWUSR));
  if (file) return file;
  if (errno != EOPNOTSUPP && errno != EISDIR) return errno_error("file of a copy", errno);
  // A file system without files that never had a name.
  std::string name = settings_.folder + "/copy-XXXXXX";
  file = worker::Descriptor(mkostemp(name.data(), O_CLOEXEC));
  if (!file) return errno_error("file of a copy", errno);
  unlink(name.c_str());
  return file;
}

Result<worker::Job> Transformer::prepare(const StoredObject& object, const std::string& canonical) {
  const auto transform = rules::parse_transform(canonical);
  if (!transform) return transform.error();
  worker::Job job;
  auto input = unnamed_file();
  if (!input) return input.error();
  if (auto copied = copy_body(*object.body, input->get()); !copied) {
    return Error{copied.error().code, "unreadable " + copied.error().detail};
  }
  job.order.inputs.push_back(*std::move(input));
  for (const rules::MapAction* map : transform->maps()) {
    worker::Descriptor file(::open(map->file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!file) return Error{Errc::kConflict, "map_changed"};
    job.order.inputs.push_back(std::move(file));
  }
  job.order.kind = rules::kTransformJob;
  job.order.request = rules::encode(
      rules::TransformRequest{canonical, object.record.transfer_syntax_uid, settings_.pseudonym_key,
                              settings_.system, object.record.received});
  return job;
}

void Transformer::transform(StoredObject object, const std::string& canonical, Done done) {
  auto job = prepare(object, canonical);
  if (!job) return done(std::move(job).error());
  auto copy = unnamed_file();
  if (!copy) return done(std::move(copy).error());
  job->order.outputs.push_back(duplicate(*copy));
  // Jobs are copied: what is only moved stands behind a pointer.
  auto file = std::make_shared<worker::Descriptor>(*std::move(copy));
  auto record = std::make_shared<journal::ObjectRecord>(std::move(object.record));
  auto told = std::make_shared<Done>(std::move(done));
  job->done = [this, file, record, told](Result<Bytes> answer) {
    if (!answer) return (*told)(std::move(answer).error());
    auto read = duplicate(*file);
    (*told)(finish(std::move(*record), *answer, std::move(read)));
  };
  if (auto accepted = pool_.submit(*std::move(job)); !accepted) (*told)(accepted.error());
}

Result<StoredObject> Transformer::transform(StoredObject object, const std::string& canonical) {
  std::promise<Result<StoredObject>> promise;
  auto future = promise.get_future();
  transform(std::move(object), canonical,
            [&promise](Result<StoredObject> copy) { promise.set_value(std::move(copy)); });
  return future.get();
}

Result<StoredObject> Transformer::finish(journal::ObjectRecord record, ByteSpan answer,
                                         worker::Descriptor copy) {
  const auto result = rules::decode_transform_result(answer);
  if (!result) return result.error();
  if (auto kept = keep_uids(result->sealed_uids); !kept) return kept.error();
  record.sop_instance_uid = result->sop_instance_uid;
  record.transfer_syntax_uid = result->transfer_syntax_uid;
  record.study_instance_uid = result->study_instance_uid;
  record.series_instance_uid = result->series_instance_uid;
  auto body = std::make_unique<FileBody>(std::move(copy), result->octets);
  const auto crc = body->checksum();
  if (!crc) return crc.error();
  return StoredObject{std::move(record), result->octets, *crc, std::move(body)};
}

/// A pair is on disk before the copy that has it leaves. One line a pair; each once.
Result<void> Transformer::keep_uids(const std::vector<std::string>& sealed) {
  if (sealed.empty()) return {};
  const std::scoped_lock lock(mutex_);
  const std::string path = settings_.folder + "/" + kUidMap;
  if (!uid_map_) {
    std::ifstream in(path);
    for (std::string line; std::getline(in, line);) {
      if (Pair pair{}; line.copy(pair.data(), pair.size()) == pair.size()) kept_.insert(pair);
    }
    uid_map_ = worker::Descriptor(
        ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, S_IRUSR | S_IWUSR));
    if (!uid_map_) return errno_error("map of UIDs", errno);
    if (auto synced = sync_folder(settings_.folder); !synced) return synced;
  }
  std::string lines;
  std::vector<Pair> fresh;
  for (const std::string& each : sealed) {
    Pair pair{};
    each.copy(pair.data(), pair.size());
    if (kept_.contains(pair)) continue;
    lines += each + '\n';
    fresh.push_back(pair);
  }
  if (lines.empty()) return {};
  if (auto put = write_all(uid_map_.get(), as_bytes(lines)); !put) return put;
  if (fdatasync(uid_map_.get()) != 0) return errno_error("map of UIDs", errno);
  kept_.insert(fresh.begin(), fresh.end());
  return {};
}

const journal::RouteRecord* route_to(const journal::ObjectRecord& object, const std::string& name) {
  const auto route = std::ranges::find(object.routes, name, &journal::RouteRecord::destination);
  return route == object.routes.end() ? nullptr : &*route;
}

std::string_view why_held(const journal::RouteRecord& route, const DestinationSettings& settings) {
  if (!route.held.empty()) return route.held;
  const bool fine = !settings.require_deidentified || rules::is_deidentified(route.transform);
  return fine ? "" : "not_deidentified";
}

Uid transfer_syntax_sent(const journal::ObjectRecord& object, const std::string& name) {
  const journal::RouteRecord* const route = route_to(object, name);
  const bool transformed = route != nullptr && !route->transform.empty();
  if (!transformed || !encoding::transfer_syntax(object.transfer_syntax_uid).deflated) {
    return object.transfer_syntax_uid;
  }
  return uid_literal("1.2.840.10008.1.2.1");
}

AttemptResult held(std::string_view reason) {
  AttemptResult result;
  result.ending = AttemptResult::Ending::kHeld;
  result.outcome = "held";
  result.reason = reason;
  return result;
}

// A fault of the worker may be one of the moment; what the object itself is at fault for is not.
AttemptResult not_transformed(const Error& error, std::uint32_t attempts) {
  std::string_view reason = first_word(error.detail);
  if (reason == "unreadable") return unreadable(error);
  // A reason is one of few words.
  if (reason.find('=') != std::string_view::npos) reason = word(error.code);
  const bool of_the_moment = error.code == Errc::kAborted || error.code == Errc::kTimeout ||
                             error.code == Errc::kNoSpace || error.code == Errc::kIo ||
                             error.code == Errc::kCancelled || error.code == Errc::kClosed;
  AttemptResult result = held(reason);
  result.outcome = "transform";
  result.comment = log::escape(error.detail);
  if (of_the_moment && attempts + 1 < kTriesOfAFault) {
    result.ending = AttemptResult::Ending::kRetry;
  }
  if (error.code == Errc::kCancelled) result.ending = AttemptResult::Ending::kRetry;
  return result;
}

}  // namespace dr::delivery
