#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "test/support/process.h"
#include "test/support/temp_dir.h"

namespace dr::test {

/// The program under test: `dicom-router serve` on free loopback ports, with spool, audit and rules
/// in a folder of its own, which outlives restarts.
class Router {
 public:
  /// What stands in the configuration beside node, one listener, `audit.sqlite` and admin.
  struct Setup {
    std::string destinations;  // TOML: [[destination]] tables
    std::string rules;         // TOML: one rule file
    std::string more{};        // TOML: further tables
    std::string limits{};      // TOML: further keys of [limits]
  };

  /// Starts, and returns when it accepts associations.
  explicit Router(const Setup& setup);

  std::uint16_t port() const { return port_; }
  std::uint16_t admin_port() const { return admin_port_; }
  std::filesystem::path config() const { return folder_ / "conf/router.toml"; }
  std::filesystem::path folder() const { return folder_.path(); }
  Process& process() { return *process_; }

  /// SIGTERM; its exit status.
  int stop() { return process_->stop(std::chrono::seconds(60)); }
  /// SIGKILL: what power loss and the OOM killer look like to a process.
  void kill() { process_->kill(); }
  /// Up again on the same ports and the same spool.
  void start();

  /// `dicom-router COMMAND -c CONFIG ARGUMENT…`.
  Finished run(std::vector<std::string> command) const;
  /// Its standard output as JSON. Throws when it is none.
  nlohmann::json ask(std::vector<std::string> command) const;

  /// Waits until nothing is waiting, being sent or unknown at any destination (or only at those
  /// named). Throws, with the queue, when that takes longer than `most`.
  void wait_until_idle(std::chrono::seconds most = std::chrono::seconds(60),
                       const std::string& destination = {}) const;
  std::string log() const;

 private:
  TempDir folder_;
  std::uint16_t port_;
  std::uint16_t admin_port_;
  int starts_ = 0;
  std::unique_ptr<Process> process_;
};

/// [[destination]] tables.
std::string dimse_destination(const std::string& name, std::uint16_t port,
                              const std::string& more = {});
std::string folder_destination(const std::string& name, const std::filesystem::path& path);
/// A rule that sends everything to these.
std::string route_all(const std::vector<std::string>& destinations);

/// A configuration for `dicom-router send` with the one destination `router`: the project's own
/// bit-preserving SCU, as a modality.
class Modality {
 public:
  explicit Modality(std::uint16_t router_port);
  /// What became of each file: {"sent", "failed", "files": [{"file", "ok", "answer"}]}.
  nlohmann::json send(const std::vector<std::filesystem::path>& paths) const;

 private:
  TempDir folder_;
};

/// The program that the tests start.
std::filesystem::path router_program();

}  // namespace dr::test
