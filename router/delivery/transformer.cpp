#include "router/delivery/transformer.h"

#include <algorithm>
#include <cerrno>
#include <future>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dimse/base/crc32c.h"
#include "dimse/base/log.h"
#include "dimse/base/write_all.h"
#include "dimse/encoding/transfer_syntax.h"
#include "dimse/file/part10_header.h"
#include "router/rules/transform.h"

namespace dr::delivery {
namespace {

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

Result<Sample> part10_sample(worker::Descriptor file, UtcMicros received,
                             std::string character_set) {
  const auto read = [&](std::uint64_t offset, MutableByteSpan into) -> Result<std::size_t> {
    const ssize_t n = ::pread(file.get(), into.data(), into.size(), static_cast<off_t>(offset));
    if (n < 0) return errno_error("read", errno);
    return static_cast<std::size_t>(n);
  };
  const auto header = file::read_part10_header(read);
  if (!header) return header.error();
  return Sample{std::move(file), header->data_set_offset, header->transfer_syntax_uid, received,
                std::move(character_set)};
}

Transformer::Transformer(TransformerSettings settings)
    : settings_(std::move(settings)), uids_(settings_.folder), pool_(settings_.workers) {}

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

Result<Sample> Transformer::sample(const StoredObject& object) const {
  auto file = unnamed_file();
  if (!file) return file.error();
  if (auto copied = copy_body(*object.body, file->get()); !copied) {
    return Error{copied.error().code, "unreadable " + copied.error().detail};
  }
  return Sample{*std::move(file), 0, object.record.transfer_syntax_uid, object.record.received,
                character_set_of(object.record)};
}

std::string Transformer::character_set_of(const journal::ObjectRecord& object) const {
  return settings_.character_set ? settings_.character_set(object) : std::string();
}

Result<worker::Job> Transformer::prepare(std::string_view kind, const Sample& sample,
                                         const std::string& canonical) const {
  const auto transform = rules::parse_transform(canonical);
  if (!transform) return transform.error();
  worker::Job job;
  job.order.inputs.push_back(duplicate(sample.file));
  for (const rules::MapAction* map : transform->maps()) {
    worker::Descriptor file(::open(map->file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!file) return Error{Errc::kConflict, "map_changed"};
    job.order.inputs.push_back(std::move(file));
  }
  job.order.kind = kind;
  job.order.request = rules::encode(rules::TransformRequest{
      canonical, sample.transfer_syntax_uid, settings_.pseudonym_key, settings_.system,
      sample.received, sample.character_set, sample.offset, settings_.most_inflated});
  return job;
}

void Transformer::transform(StoredObject object, const std::string& canonical, Done done) {
  const auto octets = sample(object);
  if (!octets) return done(octets.error());
  auto job = prepare(rules::kTransformJob, *octets, canonical);
  if (!job) return done(std::move(job).error());
  auto copy = unnamed_file();
  if (!copy) return done(std::move(copy).error());
  auto scratch = unnamed_file();
  if (!scratch) return done(std::move(scratch).error());
  job->order.outputs.push_back(duplicate(*copy));
  job->order.outputs.push_back(*std::move(scratch));
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

Result<rules::TransformChanges> Transformer::explain(const Sample& sample,
                                                     const std::string& canonical) {
  auto job = prepare(rules::kExplainTransformJob, sample, canonical);
  if (!job) return job.error();
  auto scratch = unnamed_file();
  if (!scratch) return scratch.error();
  job->order.outputs.push_back(*std::move(scratch));
  std::promise<Result<Bytes>> promise;
  auto future = promise.get_future();
  job->done = [&promise](Result<Bytes> answer) { promise.set_value(std::move(answer)); };
  if (auto accepted = pool_.submit(*std::move(job)); !accepted) return accepted.error();
  const auto answer = future.get();
  if (!answer) return answer.error();
  return rules::decode_transform_changes(*answer);
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
  // A pair is on disk before the copy that has it leaves.
  if (auto kept = uids_.keep(result->sealed_uids); !kept) return kept.error();
  record.sop_instance_uid = result->sop_instance_uid;
  record.transfer_syntax_uid = result->transfer_syntax_uid;
  record.study_instance_uid = result->study_instance_uid;
  record.series_instance_uid = result->series_instance_uid;
  auto body = std::make_unique<FileBody>(std::move(copy), result->octets);
  const auto crc = body->checksum();
  if (!crc) return crc.error();
  return StoredObject{std::move(record), result->octets, *crc, std::move(body)};
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

bool is_of_the_moment(const Error& error) {
  return error.code == Errc::kAborted || error.code == Errc::kTimeout ||
         error.code == Errc::kNoSpace || error.code == Errc::kIo ||
         error.code == Errc::kCancelled || error.code == Errc::kClosed;
}

// A fault of the worker may be one of the moment; what the object itself is at fault for is not.
AttemptResult not_transformed(const Error& error, std::uint32_t attempts) {
  std::string_view reason = first_word(error.detail);
  if (reason == "unreadable") return unreadable(error);
  // A reason is one of few words.
  if (reason.find('=') != std::string_view::npos) reason = word(error.code);
  AttemptResult result = held(reason);
  result.outcome = "transform";
  result.comment = log::escape(error.detail);
  if (is_of_the_moment(error) && attempts + 1 < kTriesOfAFault) {
    result.ending = AttemptResult::Ending::kRetry;
  }
  if (error.code == Errc::kCancelled) result.ending = AttemptResult::Ending::kRetry;
  return result;
}

}  // namespace dr::delivery
