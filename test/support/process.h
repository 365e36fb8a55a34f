#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <sys/types.h>

namespace dr::test {

/// Whether a program of this name is found in PATH.
bool has_program(const std::string& name);

/// A port that was free a moment ago, for programs that can not be given port 0.
std::uint16_t a_free_port();

/// A child process with TCP_NODELAY=1 in its environment (DCMTK reads it), its output in `log`.
class Process {
 public:
  Process(std::vector<std::string> arguments, const std::string& log);
  /// Kills it if it still runs.
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  /// Its exit status; -1 when a signal ended it or it could not be started.
  int wait();

 private:
  pid_t pid_ = -1;
};

/// Runs it to its end.
int run(std::vector<std::string> arguments, const std::string& log);

/// A fresh folder, removed with all that is in it.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace dr::test
