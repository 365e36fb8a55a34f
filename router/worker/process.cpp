#include "router/worker/process.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <ctime>

#include <fcntl.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "router/worker/serve.h"

namespace dr::worker {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kLimitMemory = false;  // their shadow memory is terabytes of address space
#else
constexpr bool kLimitMemory = true;
#endif
constexpr rlim_t kDescriptors = 64;

/// The settings of a spawn, released when they go.
struct Spawn {
  posix_spawn_file_actions_t files{};
  posix_spawnattr_t attributes{};
  Spawn() {
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attributes);
  }
  ~Spawn() {
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
  }
  Spawn(const Spawn&) = delete;
  Spawn& operator=(const Spawn&) = delete;
};

/// Signals as a fresh program has them: none blocked, none ignored.
void reset_signals(posix_spawnattr_t& attributes) {
  sigset_t none;
  sigset_t all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
}

Result<pid_t> spawn(const std::vector<std::string>& command, int socket) {
  Spawn spawn;
  reset_signals(spawn.attributes);
  for (const int fd : {0, 1, 2}) {
    posix_spawn_file_actions_addopen(&spawn.files, fd, "/dev/null", O_RDWR, 0);
  }
  posix_spawn_file_actions_adddup2(&spawn.files, socket, kSocket);
  posix_spawn_file_actions_addclosefrom_np(&spawn.files, kSocket + 1);
  std::vector<char*> arguments;
  for (const std::string& each : command) arguments.push_back(const_cast<char*>(each.c_str()));
  arguments.push_back(nullptr);
  std::array<char*, 1> environment{nullptr};  // the node's may hold secrets
  pid_t pid = -1;
  const int error = posix_spawn(&pid, arguments.front(), &spawn.files, &spawn.attributes,
                                arguments.data(), environment.data());
  if (error != 0) return errno_error("start of a worker", error);
  return pid;
}

Bytes encode(const Order& order) {
  Bytes payload;
  ByteWriter writer(payload);
  writer.u8(static_cast<std::uint8_t>(order.kind.size()));
  writer.text(order.kind);
  writer.u8(static_cast<std::uint8_t>(order.inputs.size()));
  writer.put(order.request);
  return payload;
}

Error decode_error(ByteSpan payload) {
  ByteReader reader(payload);
  const auto code = reader.u8();
  const bool known = code >= static_cast<std::uint8_t>(Errc::kMalformed) &&
                     code <= static_cast<std::uint8_t>(Errc::kConflict);
  if (!known || payload.size() > kMaxDetail + 1) return {Errc::kMalformed, "answer"};
  return {Errc{code}, std::string(reader.text(reader.remaining()))};
}

Error ended(int status) {
  if (!WIFSIGNALED(status)) {
    return {Errc::kAborted, "ended status=" + std::to_string(WEXITSTATUS(status))};
  }
  if (WTERMSIG(status) == SIGXCPU) return {Errc::kTimeout, "cpu"};
  return {Errc::kAborted, "crashed signal=" + std::to_string(WTERMSIG(status))};
}

}  // namespace

Process::Process(Process&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      socket_(std::move(other.socket_)),
      limits_(other.limits_),
      interrupt_(other.interrupt_) {}

Process& Process::operator=(Process&& other) noexcept {
  std::swap(pid_, other.pid_);
  std::swap(socket_, other.socket_);
  std::swap(limits_, other.limits_);
  std::swap(interrupt_, other.interrupt_);
  return *this;
}

Process::~Process() {
  if (!over()) (void)end({Errc::kCancelled, "stopped"});
}

Patience Process::patience(std::chrono::milliseconds most) const {
  return {std::chrono::steady_clock::now() + most, interrupt_};
}

Result<Process> Process::start(const std::vector<std::string>& command, const Limits& limits,
                               int interrupt) {
  std::array<int, 2> pair{};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()) != 0) {
    return errno_error("socketpair", errno);
  }
  Descriptor ours(pair[0]);
  Result<pid_t> pid;
  {
    const Descriptor theirs(pair[1]);
    pid = spawn(command, theirs.get());
  }
  if (!pid) return pid.error();
  Process process(*pid, std::move(ours), limits, interrupt);
  if (auto confined = process.confine(); !confined) return confined.error();
  const auto ready = receive_frame(process.socket(), 0, 0, process.patience(limits.start));
  if (!ready) return process.end(ready.error());
  if (ready->word != Word::kReady) return process.end({Errc::kMalformed, "answer"});
  return process;
}

// From outside: the process need not be trusted to do it.
Result<void> Process::confine() {
  const auto limit = [this](__rlimit_resource what, std::uint64_t most) {
    const rlimit64 value{most, most};
    return prlimit64(pid_, what, &value, nullptr) == 0;
  };
  if ((kLimitMemory && !limit(RLIMIT_AS, limits_.memory)) || !limit(RLIMIT_CORE, 0) ||
      !limit(RLIMIT_FSIZE, limits_.output) || !limit(RLIMIT_NOFILE, kDescriptors)) {
    return errno_error("limits of a worker", errno);
  }
  if (limits_.nice != 0 && setpriority(PRIO_PROCESS, static_cast<id_t>(pid_), limits_.nice) != 0) {
    return errno_error("priority of a worker", errno);
  }
  return {};
}

// The limit is of a process's whole life, so each job moves it on; SIGXCPU comes within a second.
Result<void> Process::allow_cpu() {
  clockid_t clock{};
  timespec used{};
  if (clock_getcpuclockid(pid_, &clock) != 0 || clock_gettime(clock, &used) != 0) {
    return Error{Errc::kClosed, "closed"};
  }
  const auto seconds = static_cast<rlim64_t>(used.tv_sec + 1 + limits_.cpu.count());
  const rlimit64 value{seconds, RLIM64_INFINITY};
  if (prlimit64(pid_, RLIMIT_CPU, &value, nullptr) != 0) return errno_error("prlimit", errno);
  return {};
}

// A process that is ending by itself keeps its own status: the signal comes too late for it.
Error Process::end(const Error& why) {
  kill(pid_, SIGKILL);
  int status = 0;
  while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  return why.code == Errc::kClosed ? ended(status) : why;
}

Result<Bytes> Process::run(const Order& order) {
  const Patience most = patience(limits_.wall);
  if (auto allowed = allow_cpu(); !allowed) return end(allowed.error());
  std::vector<int> descriptors;
  for (const Descriptor& each : order.inputs) descriptors.push_back(each.get());
  for (const Descriptor& each : order.outputs) descriptors.push_back(each.get());
  const auto sent = send_frame(socket(), Word::kJob, encode(order), descriptors, most);
  if (!sent) return end(sent.error());
  auto answer = receive_frame(socket(), std::max(limits_.result, kMaxDetail + 1), 0, most);
  if (!answer) return end(answer.error());
  switch (answer->word) {
    case Word::kResult:
      return std::move(answer->payload);
    case Word::kFailed:
      return decode_error(answer->payload);
    case Word::kLast:
      return end(decode_error(answer->payload));
    default:
      return end({Errc::kMalformed, "answer"});
  }
}

}  // namespace dr::worker
