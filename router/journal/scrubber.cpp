#include "router/journal/scrubber.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <thread>

#include <sys/resource.h>

#include "dimse/base/log.h"
#include "dimse/base/thread_name.h"

namespace dr::journal {
namespace {

constexpr std::size_t kPiece = 256U << 10;
constexpr int kNice = 19;

}  // namespace

class Scrubber::Impl {
 public:
  Impl(Journal& journal, const Clock& clock, ScrubOptions options)
      : journal_(journal), clock_(clock), options_(options) {
    // Who wants a pass each minute wants the first soon, and of all that is there.
    options_.first = std::min(options_.first, options_.every);
    options_.spare = std::min(options_.spare, options_.every);
    thread_ = std::thread([this] { run(); });
  }

  ~Impl() { stop(); }

  void stop() {
    {
      const std::scoped_lock lock(mutex_);
      stopping_ = true;
      changed_.notify_one();
    }
    if (thread_.joinable()) thread_.join();
  }

  Progress progress() const {
    const std::scoped_lock lock(mutex_);
    return progress_;
  }

 private:
  using Time = std::chrono::steady_clock::time_point;

  void run() {
    name_thread("scrub");
    setpriority(PRIO_PROCESS, 0, kNice);  // on Linux, 0 is the calling thread
    Time next = std::chrono::steady_clock::now() + options_.first;
    while (wait_until(next)) {
      next = std::chrono::steady_clock::now() + options_.every;
      if (!pass()) return;
      const std::scoped_lock lock(mutex_);
      progress_.finished = clock_.now_utc();
    }
  }

  /// False: stopped.
  bool wait_until(Time time) {
    std::unique_lock lock(mutex_);
    return !changed_.wait_until(lock, time, [this] { return stopping_; });
  }

  bool pass() {
    std::uint64_t objects = 0;
    std::uint64_t failed = 0;
    due_ = std::chrono::steady_clock::now();
    auto instance = journal_.next_live(Sequence::kNone);
    for (; instance; instance = journal_.next_live(*instance)) {
      const auto checked = check(*instance);
      if (!checked && checked.error().code == Errc::kCancelled) return false;
      ++objects;
      if (checked || checked.error().code == Errc::kNotFound) continue;  // finished meanwhile
      ++failed;
      if (checked.error().code == Errc::kCorrupt) continue;  // the journal has told it
      log::event(log::Level::kError, "journal.scrub",
                 {{"sequence", value(*instance)}, {"error", checked.error().to_string()}});
    }
    log::event(log::Level::kInfo, "journal.scrubbed", {{"objects", objects}, {"failed", failed}});
    return true;
  }

  Result<void> check(Sequence instance) {
    auto body = journal_.open_body(instance);
    if (!body) return std::move(body).error();
    {
      const auto record = journal_.read(instance);
      if (!record) return record.error();
      if (clock_.now_utc() - record->durable < options_.spare) return {};
    }
    (*body)->forget();
    body = journal_.open_body(instance);  // now from the disk
    if (!body) return std::move(body).error();
    for (;;) {
      const auto n = (*body)->read(buffer_);
      if (!n) return n.error();
      if (*n == 0) break;
      if (!pace(*n)) return Error{Errc::kCancelled, "stopped"};
    }
    (*body)->forget();  // nobody else asked for it
    return {};
  }

  bool pace(std::size_t octets) {
    {
      const std::scoped_lock lock(mutex_);
      progress_.octets += octets;
    }
    due_ += std::chrono::nanoseconds(octets * std::nano::den / options_.octets_per_second);
    return wait_until(due_);
  }

  Journal& journal_;
  const Clock& clock_;
  ScrubOptions options_;
  Bytes buffer_ = Bytes(kPiece);
  Time due_;  // of the next read
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;  // guarded by mutex_, as is
  Progress progress_;
  std::thread thread_;
};

Scrubber::Scrubber(Journal& journal, const Clock& clock, ScrubOptions options)
    : impl_(std::make_unique<Impl>(journal, clock, options)) {}
Scrubber::~Scrubber() = default;
Scrubber::Progress Scrubber::progress() const { return impl_->progress(); }
void Scrubber::stop() { impl_->stop(); }

}  // namespace dr::journal
