#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include <sys/types.h>

#include "dimse/base/bytes.h"
#include "dimse/base/result.h"
#include "router/worker/descriptor.h"
#include "router/worker/wire.h"

namespace dr::worker {

/// What one worker process may use.
struct Limits {
  std::uint64_t memory = 1ULL << 30;        // address space, octets
  std::uint64_t output = 16ULL << 30;       // the largest file that it may write, octets
  std::chrono::seconds cpu{120};            // a job
  std::chrono::milliseconds wall{120'000};  // a job
  std::chrono::milliseconds start{20'000};  // until it is ready for its first job
  std::size_t result = 1U << 20;            // octets of a job's result
  int nice = 0;                             // how far it stands back behind the node
};

/// What a worker shall do.
struct Order {
  std::string kind;
  Bytes request;                   // at most kMaxRequest octets
  std::vector<Descriptor> inputs;  // with the outputs at most kMaxDescriptors
  std::vector<Descriptor> outputs;
};

/// One worker process, from its start to its end, used by one thread: that which started it, with
/// which it dies. Its end is always waited for.
class Process {
 public:
  /// Starts `command` with nothing but a socket, an empty environment and /dev/null, and waits
  /// until its sandbox is closed. `interrupt`: a descriptor that ends every wait once it is
  /// readable.
  static Result<Process> start(const std::vector<std::string>& command, const Limits& limits,
                               int interrupt);
  Process(Process&& other) noexcept;
  Process& operator=(Process&& other) noexcept;
  ~Process();

  /// Does one job. Errors: those of the handler, and of the process: kAborted `crashed signal=11`
  /// or `ended status=1`, kTimeout `timeout` or `cpu`, kNoSpace `memory`, kTooLong, kCancelled.
  /// After an error that is not the handler's the process is over().
  Result<Bytes> run(const Order& order);
  bool over() const noexcept { return pid_ < 0; }
  pid_t pid() const noexcept { return pid_; }
  /// Readable when the process has died while it had nothing to do.
  int socket() const noexcept { return socket_.get(); }

 private:
  Process(pid_t pid, Descriptor socket, const Limits& limits, int interrupt)
      : pid_(pid), socket_(std::move(socket)), limits_(limits), interrupt_(interrupt) {}

  Result<void> confine();
  Result<void> allow_cpu();
  Error end(const Error& why);
  Patience patience(std::chrono::milliseconds most) const;

  pid_t pid_ = -1;
  Descriptor socket_;
  Limits limits_;
  int interrupt_ = -1;
};

}  // namespace dr::worker
