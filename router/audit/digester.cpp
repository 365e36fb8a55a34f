#include "router/audit/digester.h"

#include <array>
#include <atomic>
#include <deque>
#include <thread>
#include <utility>

#include <openssl/evp.h>
#include <sys/resource.h>

#include "dimse/base/log.h"
#include "dimse/base/thread_name.h"
#include "router/audit/wake.h"

namespace dr::audit {
namespace {

using journal::Sequence;

constexpr std::size_t kReadOctets = 256U << 10;
constexpr int kNice = 10;  // behind the acknowledgement and the deliveries, but never starved

}  // namespace

class Digester::Impl {
 public:
  explicit Impl(journal::Journal& journal)
      : journal_(journal), cursor_(journal.cursor("digest")), position_(cursor_.position()) {
    wake_.advanced(journal_.watermark());
    thread_ = std::thread([this] { run(); });
  }
  ~Impl() { stop(); }

  void advanced(Sequence watermark) { wake_.advanced(watermark); }
  void received(std::uint64_t octets) { stand_back_.received(octets); }
  void stop() {
    if (!thread_.joinable()) return;
    wake_.stop();
    thread_.join();
  }

 private:
  struct FreeContext {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  };

  void run() {
    name_thread("digest");
    setpriority(PRIO_PROCESS, 0, kNice);  // on Linux, 0 is the calling thread
    for (;;) {
      wake_.wait(next(position_));
      if (wake_.stopping()) return;
      const auto done = step();
      if (done) {
        pause_.reset();
        continue;
      }
      log::event(log::Level::kWarning, "digest.waiting", {{"error", done.error().to_string()}});
      wake_.pause(pause_.next());
    }
  }

  /// The next record, or, where none is readable, the watermark.
  Result<void> step() {
    const Sequence watermark = journal_.watermark();
    auto record = journal_.read_after(position_);
    if (!record) return std::move(record).error();
    if (!*record) {
      pass(std::max(position_, watermark));
      return {};
    }
    if ((**record).type == journal::RecordType::kObject) {
      if (auto done = digest((**record).sequence); !done) return done;
    } else if ((**record).type == journal::RecordType::kDigest) {
      settle(**record);
    }
    pass((**record).sequence);
    return {};
  }

  /// A digest is not durable when it is appended, so the cursor stays before its object until the
  /// digest's own record comes by: a power loss repeats digests and never leaves one out.
  void settle(const journal::Record& record) {
    const auto digest = journal::decode_digest(record.head);
    while (digest && !appended_.empty() && appended_.front() <= digest->instance) {
      appended_.pop_front();
    }
  }
  void pass(Sequence position) {
    position_ = position;
    if (position >= journal_.watermark()) stand_back_.caught_up();
    cursor_.advance(appended_.empty() ? position : Sequence{value(appended_.front()) - 1});
  }

  Result<void> digest(Sequence instance) {
    auto sha256 = sha256_of(instance);
    if (!sha256) {
      const Errc code = sha256.error().code;
      if (code != Errc::kCorrupt && code != Errc::kNotFound) return std::move(sha256).error();
      log::event(log::Level::kError, "digest.passed_over",
                 {{"sequence", value(instance)}, {"error", sha256.error().to_string()}});
      return {};
    }
    auto appended = journal_.append(journal::DigestRecord{instance, std::move(*sha256)});
    if (appended) appended_.push_back(instance);
    return appended;
  }

  Result<std::string> sha256_of(Sequence instance) {
    auto body = journal_.open_body(instance);
    if (!body) return std::move(body).error();
    bool good = EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1;
    for (;;) {
      stand_back_.wait(wake_);
      const auto n = (*body)->read(buffer_);
      if (!n) return n.error();
      if (*n == 0) break;
      stand_back_.done(*n);
      good = good && EVP_DigestUpdate(context_.get(), buffer_.data(), *n) == 1;
    }
    std::array<unsigned char, EVP_MAX_MD_SIZE> octets{};
    unsigned length = 0;
    good = good && EVP_DigestFinal_ex(context_.get(), octets.data(), &length) == 1;
    if (!good) return Error{Errc::kIo, "SHA-256"};
    return to_hex(std::as_bytes(std::span(octets).first(length)));
  }

  journal::Journal& journal_;
  journal::Cursor& cursor_;
  Wake wake_;
  StandBack stand_back_{kMostBehind};
  // What follows is of the thread.
  Sequence position_;
  std::deque<Sequence> appended_;  // objects whose digests are not known to be durable
  std::unique_ptr<EVP_MD_CTX, FreeContext> context_{EVP_MD_CTX_new()};
  Bytes buffer_ = Bytes(kReadOctets);
  Pause pause_;
  std::thread thread_;
};

Digester::Digester(journal::Journal& journal) : impl_(std::make_unique<Impl>(journal)) {}
Digester::~Digester() = default;
void Digester::advanced(Sequence watermark) { impl_->advanced(watermark); }
void Digester::received(std::uint64_t octets) { impl_->received(octets); }
void Digester::stop() { impl_->stop(); }

}  // namespace dr::audit
