#include "router/worker/pool.h"

#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

#include <poll.h>
#include <sys/eventfd.h>

#include "dimse/base/log.h"
#include "dimse/base/thread_name.h"

namespace dr::worker {
namespace {

Descriptor event(int flags) {
  Descriptor descriptor(eventfd(0, flags | EFD_CLOEXEC | EFD_NONBLOCK));
  if (!descriptor) throw std::system_error(errno, std::generic_category(), "eventfd");
  return descriptor;
}

void signal(const Descriptor& descriptor) {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = write(descriptor.get(), &one, sizeof one);
}

Result<void> check(const Order& order) {
  const auto above = [](const char* what, std::size_t length, std::size_t limit) {
    return Error{Errc::kTooLong, std::string(what) + " length=" + std::to_string(length) +
                                     " limit=" + std::to_string(limit)};
  };
  const std::size_t descriptors = order.inputs.size() + order.outputs.size();
  if (order.request.size() > kMaxRequest)
    return above("request", order.request.size(), kMaxRequest);
  if (order.kind.size() > kMaxKind) return above("kind", order.kind.size(), kMaxKind);
  if (descriptors > kMaxDescriptors) return above("descriptors", descriptors, kMaxDescriptors);
  return {};
}

}  // namespace

Pool::Pool(Settings settings)
    : settings_(std::move(settings)),
      jobs_(event(EFD_SEMAPHORE)),
      stopping_(event(0)),
      slots_(std::max<std::size_t>(settings_.workers, 1)) {
  for (Slot& slot : slots_) slot.thread = std::thread([this, &slot] { work(slot); });
}

Pool::~Pool() { stop(); }

Result<void> Pool::submit(Job job) {
  if (auto fits = check(job.order); !fits) return fits;
  {
    const std::scoped_lock lock(mutex_);
    if (stopped_) return Error{Errc::kCancelled, "stopping"};
    if (waiting_.size() >= settings_.waiting) {
      return Error{Errc::kNoSpace, "waiting=" + std::to_string(waiting_.size())};
    }
    waiting_.push_back(std::move(job));
  }
  signal(jobs_);
  return {};
}

std::optional<Job> Pool::take() {
  std::uint64_t one = 0;
  if (read(jobs_.get(), &one, sizeof one) < 0) return std::nullopt;  // another slot was faster
  const std::scoped_lock lock(mutex_);
  if (waiting_.empty()) return std::nullopt;
  Job job = std::move(waiting_.front());
  waiting_.pop_front();
  return job;
}

/// Waits for a job, and meanwhile for the end of the process. nullopt: the pool stops.
std::optional<Job> Pool::next_job(Slot& slot) {
  for (;;) {
    const int socket = slot.process ? slot.process->socket() : -1;
    std::array<pollfd, 3> polled{
        pollfd{stopping_.get(), POLLIN, 0}, {jobs_.get(), POLLIN, 0}, {socket, POLLIN, 0}};
    if (poll(polled.data(), polled.size(), -1) < 0) continue;  // EINTR
    if (polled[0].revents != 0) return std::nullopt;
    if (polled[2].revents != 0) {  // it has nothing to say: it is gone
      const bool served = slot.jobs > 0;
      forget_process(slot);
      // One that ended before its first job would end again: the next job will try.
      if (served) (void)ensure_process(slot);
      continue;
    }
    if (polled[1].revents == 0) continue;
    if (auto job = take()) return job;
  }
}

void Pool::forget_process(Slot& slot) {
  slot.process.reset();
  slot.jobs = 0;
  const std::scoped_lock lock(mutex_);
  slot.pid = -1;
}

Result<void> Pool::ensure_process(Slot& slot) {
  if (slot.process) return {};
  auto process = Process::start(settings_.command, settings_.limits, stopping_.get());
  if (!process) {
    if (process.error().code != Errc::kCancelled) {
      log::event(log::Level::kError, "worker.not_started", {{"error", process.error().detail}});
    }
    return Error{process.error().code, "worker not started: " + process.error().detail};
  }
  slot.process.emplace(std::move(*process));
  const std::scoped_lock lock(mutex_);
  slot.pid = slot.process->pid();
  ++stats_.started;
  return {};
}

void Pool::work(Slot& slot) {
  name_thread("worker");
  while (auto job = next_job(slot)) {
    Result<Bytes> result;
    if (auto ready = ensure_process(slot); !ready) {
      result = ready.error();
    } else {
      result = slot.process->run(job->order);
      ++slot.jobs;
    }
    if (slot.process && slot.process->over()) {
      log::event(log::Level::kWarning, "worker.ended",
                 {{"kind", job->order.kind}, {"error", result.error().detail}});
    }
    const bool replace =
        slot.process && (slot.process->over() || slot.jobs >= settings_.jobs_a_process);
    if (replace) forget_process(slot);
    {
      const std::scoped_lock lock(mutex_);
      ++(result ? stats_.done : stats_.failed);
    }
    job->order = {};  // its descriptors are closed before anybody hears of the result
    job->done(std::move(result));
    if (replace) (void)ensure_process(slot);
  }
  forget_process(slot);
}

void Pool::stop() {
  {
    const std::scoped_lock lock(mutex_);
    if (std::exchange(stopped_, true)) return;
  }
  signal(stopping_);
  for (Slot& slot : slots_) slot.thread.join();
  for (Job& job : std::exchange(waiting_, {})) job.done(Error{Errc::kCancelled, "stopping"});
}

Stats Pool::stats() const {
  const std::scoped_lock lock(mutex_);
  Stats stats = stats_;
  stats.waiting = waiting_.size();
  for (const Slot& slot : slots_) {
    if (slot.pid >= 0) stats.processes.push_back(slot.pid);
  }
  return stats;
}

}  // namespace dr::worker
