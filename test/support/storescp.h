#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "test/support/process.h"
#include "test/support/temp_dir.h"

namespace dr::test {

/// DCMTK's `storescp +B` (bit preserving: the data set is stored as it came) on a free loopback
/// port, into a folder of its own. It takes every transfer syntax that DCMTK knows and every SOP
/// class, under the called AE title STORESCP or any other.
class Storescp {
 public:
  /// Starts, and returns when it listens. `extra` goes to its command line; a later option there
  /// wins. Throws if storescp is not installed or does not start.
  explicit Storescp(std::vector<std::string> extra = {});

  std::uint16_t port() const { return port_; }
  const std::filesystem::path& folder() const { return folder_.path(); }

  /// What has arrived, in name order. Complete once the sender has its response.
  std::vector<std::filesystem::path> files() const;

  /// Down, as a dead destination; then up again on the same port, with the files that it had.
  void stop();
  void start();

  /// SIGSTOP and SIGCONT: a destination that accepts connections and says nothing.
  void freeze() { process_->send_signal(SIGSTOP); }
  void thaw() { process_->send_signal(SIGCONT); }

  Process& process() { return *process_; }

 private:
  std::vector<std::string> extra_;
  std::uint16_t port_;
  TempDir folder_;
  TempDir log_;
  std::unique_ptr<Process> process_;
};

}  // namespace dr::test
