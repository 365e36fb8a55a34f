#include "test/support/process.h"

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test/support/temp_dir.h"

extern char** environ;

namespace dr::test {
namespace {

using Clock = std::chrono::steady_clock;

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> result;
  result.reserve(strings.size() + 1);
  for (auto& s : strings) result.push_back(s.data());
  result.push_back(nullptr);
  return result;
}

std::vector<std::string> merged_environment(const std::vector<std::string>& own) {
  std::vector<std::string> all = own;
  for (char** e = environ; *e != nullptr; ++e) {
    const std::string_view inherited = *e;
    const auto name = inherited.substr(0, inherited.find('=') + 1);
    const bool replaced = std::any_of(
        own.begin(), own.end(), [&](const auto& variable) { return variable.starts_with(name); });
    if (!replaced) all.emplace_back(inherited);
  }
  return all;
}

/// All that the child needs between fork and exec, where nothing may be allocated.
struct Prepared {
  char** argv;
  char** environment;
  const char* folder;
  const char* output;
  const char* errors;
  pid_t parent;
  int report;  // errno of a failed start goes here
};

[[noreturn]] void become(const Prepared& p) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  const int null = open("/dev/null", O_RDWR);
  const int out = *p.output != 0 ? open(p.output, O_WRONLY | O_CREAT | O_APPEND, 0600) : null;
  const int err = *p.errors != 0 ? open(p.errors, O_WRONLY | O_CREAT | O_APPEND, 0600) : out;
  if (getppid() == p.parent && null >= 0 && out >= 0 && err >= 0 &&
      (*p.folder == 0 || chdir(p.folder) == 0) && dup2(null, 0) >= 0 && dup2(out, 1) >= 0 &&
      dup2(err, 2) >= 0) {
    // Descriptors of the test must not live on in a server.
    close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
    execvpe(p.argv[0], p.argv, p.environment);
  }
  const int error = errno;
  [[maybe_unused]] const auto written = write(p.report, &error, sizeof error);
  _exit(127);
}

int status_of(int wait_status) {
  return WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 128 + WTERMSIG(wait_status);
}

}  // namespace

Process::Process(Command command) : command_(std::move(command)) {
  auto environment = merged_environment(command_.environment);
  auto argv_pointers = pointers(command_.argv);
  auto environment_pointers = pointers(environment);
  int report[2];
  if (pipe2(report, O_CLOEXEC) != 0) {
    throw std::system_error(errno, std::generic_category(), "pipe");
  }
  const Prepared prepared{argv_pointers.data(),
                          environment_pointers.data(),
                          command_.folder.c_str(),
                          command_.output.c_str(),
                          command_.errors.c_str(),
                          getpid(),
                          report[1]};
  pid_ = fork();
  if (pid_ == 0) become(prepared);
  const int fork_error = errno;
  close(report[1]);
  int error = pid_ < 0 ? fork_error : 0;
  // Ends at once when the program starts: its side of the pipe closes.
  while (error == 0 && read(report[0], &error, sizeof error) < 0 && errno == EINTR) {
  }
  close(report[0]);
  if (error != 0) {
    if (pid_ > 0) waitpid(pid_, nullptr, 0);
    throw std::system_error(error, std::generic_category(), "start " + command_.argv.at(0));
  }
  // glibc 2.36 declares pidfd_open() without C linkage.
  pidfd_ = static_cast<int>(syscall(SYS_pidfd_open, pid_, 0));
}

Process::~Process() {
  if (pid_ <= 0) return;
  kill();
  if (pidfd_ >= 0) close(pidfd_);
}

Process::Process(Process&& other) noexcept
    : command_(std::move(other.command_)),
      pid_(std::exchange(other.pid_, -1)),
      pidfd_(std::exchange(other.pidfd_, -1)),
      ended_(other.ended_) {}

Process& Process::operator=(Process&& other) noexcept {
  std::swap(command_, other.command_);
  std::swap(pid_, other.pid_);
  std::swap(pidfd_, other.pidfd_);
  std::swap(ended_, other.ended_);
  return *this;
}

std::optional<int> Process::wait(std::chrono::milliseconds most) {
  if (ended_) return ended_;
  const auto deadline = Clock::now() + most;
  while (true) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
    pollfd readable{pidfd_, POLLIN, 0};
    const int ready = poll(&readable, 1, left > 0 ? static_cast<int>(left) : 0);
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return std::nullopt;
    int status = 0;
    if (waitpid(pid_, &status, 0) == pid_) ended_ = status_of(status);
    return ended_;
  }
}

void Process::send_signal(int signal) {
  if (running()) ::kill(pid_, signal);
}

int Process::stop(std::chrono::milliseconds grace) {
  send_signal(SIGTERM);
  if (const auto status = wait(grace)) return *status;
  return kill();
}

int Process::kill() {
  send_signal(SIGKILL);
  // Only a process that hangs in the kernel outlives this, and then nothing here can help it.
  return wait(std::chrono::seconds(60)).value_or(-1);
}

std::string Process::output() const { return read_text(command_.output); }

Finished run(std::vector<std::string> argv, std::vector<std::string> environment,
             std::chrono::milliseconds most) {
  const TempDir folder;
  Process process({std::move(argv), std::move(environment), {}, folder / "output", {}});
  const auto status = process.wait(most);
  if (!status) {
    process.kill();
    throw std::runtime_error(process.command().argv[0] + " did not end in time:\n" +
                             process.output());
  }
  return {*status, process.output()};
}

void wait_until_ready(Process& process, const std::function<bool()>& ready,
                      std::chrono::milliseconds most) {
  const auto deadline = Clock::now() + most;
  while (!ready()) {
    const auto ended = process.wait(std::chrono::milliseconds(5));
    if (ended || Clock::now() > deadline) {
      throw std::runtime_error(process.command().argv[0] +
                               (ended ? " ended with status " + std::to_string(*ended)
                                      : std::string(" is not ready in time")) +
                               ":\n" + process.output());
    }
  }
}

std::string read_text(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

}  // namespace dr::test
