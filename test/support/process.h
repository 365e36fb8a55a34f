#pragma once

#include <chrono>
#include <csignal>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

namespace dr::test {

/// What a child process is started with.
struct Command {
  std::vector<std::string> argv;           // argv[0] is looked up in PATH
  std::vector<std::string> environment{};  // "NAME=value", beside what this process has
  std::filesystem::path folder{};          // to run in; empty: this process's
  std::filesystem::path output{};          // standard output goes to this file; empty: discarded
  std::filesystem::path errors{};          // standard error; empty: to where the output goes
};

/// A child process. It dies with the thread that started it, at the latest with this object, and is
/// always waited for, so a test leaves neither servers nor zombies. Standard input is empty.
class Process {
 public:
  /// Throws std::system_error when the program cannot be started.
  explicit Process(Command command);
  ~Process();
  Process(Process&& other) noexcept;
  Process& operator=(Process&& other) noexcept;

  pid_t pid() const { return pid_; }
  const Command& command() const { return command_; }

  /// False once it ended.
  bool running() { return !wait(std::chrono::milliseconds(0)); }

  /// How it ended: its exit status, or 128 + the signal; nothing if it still runs after `most`.
  std::optional<int> wait(std::chrono::milliseconds most);

  /// Nothing happens to a process that has ended.
  void send_signal(int signal);

  /// SIGTERM, `grace` to end, then SIGKILL. Returns how it ended.
  int stop(std::chrono::milliseconds grace = std::chrono::seconds(10));

  /// SIGKILL, now. Returns how it ended.
  int kill();

  /// What it has written to `output` so far.
  std::string output() const;

 private:
  Command command_;
  pid_t pid_ = -1;
  int pidfd_ = -1;
  std::optional<int> ended_;
};

/// Runs to its end. Throws std::runtime_error if that takes longer than `most`.
struct Finished {
  int status = 0;      // exit status, or 128 + the signal
  std::string output;  // standard output and standard error
};
Finished run(std::vector<std::string> argv, std::vector<std::string> environment = {},
             std::chrono::milliseconds most = std::chrono::minutes(2));

/// Waits until `ready`, asked every few milliseconds, says yes. Throws std::runtime_error with what
/// the process wrote if it ends before, or if that takes longer than `most`.
void wait_until_ready(Process& process, const std::function<bool()>& ready,
                      std::chrono::milliseconds most = std::chrono::seconds(60));

/// The whole of a file as text; empty if it cannot be read.
std::string read_text(const std::filesystem::path& file);

}  // namespace dr::test
