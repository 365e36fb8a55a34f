#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "test/support/process.h"
#include "test/support/server_folder.h"

namespace dr::test {

/// A real PostgreSQL (Debian's package) on a free loopback port and in a temporary folder, asking
/// for passwords (SCRAM). The role `router` owns the databases that are made; the superuser is
/// `postgres`.
class Postgresql {
 public:
  static constexpr const char* kPassword = "pg'\\ pass%word";

  /// Starts, and returns when it answers (about a second). `more` are further settings,
  /// "name=value". Throws if PostgreSQL is not installed or does not start.
  explicit Postgresql(std::vector<std::string> more = {});
  ~Postgresql() { stop(); }
  Postgresql(const Postgresql&) = delete;
  Postgresql& operator=(const Postgresql&) = delete;

  std::uint16_t port() const { return port_; }
  /// postgresql://router@127.0.0.1:PORT/DATABASE, by another port where there is a gate between.
  std::string url(const std::string& database = "router", std::uint16_t port = 0) const;

  void create_database(const std::string& name);
  /// What the superuser is answered: a line a row, columns divided by '|', NULL as "NULL". Throws
  /// what the server complains of.
  std::string ask(const std::string& sql, const std::string& database = "router",
                  std::chrono::milliseconds most = std::chrono::minutes(2)) const;

  /// Down (fast: connections are ended), killed as by the OOM killer, and up again on the same
  /// port with all that it had. `more` as above.
  void stop();
  void kill() { process_->kill(); }
  void start(const std::vector<std::string>& more = {});
  Process& process() { return *process_; }
  const ServerFolder& folder() const { return folder_; }

 private:
  ServerFolder folder_;
  std::uint16_t port_;
  std::vector<std::string> more_;
  std::unique_ptr<Process> process_;
};

}  // namespace dr::test
