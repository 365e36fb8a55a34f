#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "router/worker/process.h"

namespace dr::worker {

/// How many workers there are, what they run and what they may use.
struct Settings {
  std::size_t workers = 2;
  std::vector<std::string> command{"/proc/self/exe",
                                   "worker"};  // this program, also after an update
  Limits limits;
  std::size_t waiting = 1024;           // jobs that wait at most
  std::uint32_t jobs_a_process = 1000;  // then a fresh one takes its place
};

/// What shall be done, and who is told. `done` is called exactly once for a job that was accepted:
/// on a thread of the pool, or with kCancelled on that which stops it. It must not block, nor stop
/// the pool.
struct Job {
  Order order;
  std::function<void(Result<Bytes>)> done;
};

struct Stats {
  std::uint64_t done = 0;
  std::uint64_t failed = 0;   // jobs that ended with an error
  std::uint64_t started = 0;  // processes
  std::size_t waiting = 0;    // jobs that no process has begun
  std::vector<pid_t> processes;
};

/// Worker processes in a sandbox: each does one job at a time, under limits, and is replaced when
/// it crashes, hangs or breaks a limit, which costs that one job (see Process::run for the errors).
/// Jobs are begun in the order in which they came. The first jobs start the processes. One thread a
/// worker. All methods from any
/// thread.
class Pool {
 public:
  explicit Pool(Settings settings);
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  /// kTooLong: request, kind or number of descriptors; kNoSpace: too many wait; kCancelled:
  /// stopped. After an error `done` is not called.
  Result<void> submit(Job job);
  /// Ends all workers, jobs and threads; jobs that were accepted end with kCancelled. Idempotent.
  void stop();
  Stats stats() const;

 private:
  struct Slot {
    std::optional<Process> process;
    std::uint32_t jobs = 0;  // that this process has done
    pid_t pid = -1;          // under mutex_, for stats
    std::thread thread;
  };

  void work(Slot& slot);
  std::optional<Job> next_job(Slot& slot);
  Result<void> ensure_process(Slot& slot);
  void forget_process(Slot& slot);
  std::optional<Job> take();

  const Settings settings_;
  Descriptor jobs_;      // counts what waits
  Descriptor stopping_;  // readable once the pool stops
  mutable std::mutex mutex_;
  std::deque<Job> waiting_;
  std::vector<Slot> slots_;
  Stats stats_;
  bool stopped_ = false;
};

}  // namespace dr::worker
