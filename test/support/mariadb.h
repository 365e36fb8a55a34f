#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "test/support/process.h"
#include "test/support/server_folder.h"

namespace dr::test {

/// A real MariaDB (Debian's package) on a free loopback port and in a temporary folder. The user
/// `router`, who has a password, has all rights in the databases that are made.
class Mariadb {
 public:
  static constexpr const char* kPassword = "my'\\ pass%word";

  /// Starts, and returns when it answers (about a second). `more` are further options,
  /// "--name=value". Throws if MariaDB is not installed or does not start.
  explicit Mariadb(std::vector<std::string> more = {});
  ~Mariadb() { stop(); }
  Mariadb(const Mariadb&) = delete;
  Mariadb& operator=(const Mariadb&) = delete;

  std::uint16_t port() const { return port_; }
  /// mysql://router@127.0.0.1:PORT/DATABASE, by another port where there is a gate between.
  std::string url(const std::string& database = "router", std::uint16_t port = 0) const;

  void create_database(const std::string& name);
  /// What root is answered: a line a row, columns divided by '|', NULL as "NULL". Throws what the
  /// server complains of.
  std::string ask(const std::string& sql, const std::string& database = "router",
                  std::chrono::milliseconds most = std::chrono::minutes(2)) const;

  /// Down, killed as by the OOM killer, and up again on the same port with all that it had.
  /// `more` as above.
  void stop() { process_->stop(std::chrono::seconds(30)); }
  void kill() { process_->kill(); }
  void start(const std::vector<std::string>& more = {});
  Process& process() { return *process_; }
  const ServerFolder& folder() const { return folder_; }

 private:
  Finished client(const std::string& sql, const std::string& database,
                  std::chrono::milliseconds most = std::chrono::minutes(2)) const;

  ServerFolder folder_;
  std::uint16_t port_;
  std::vector<std::string> more_;
  std::unique_ptr<Process> process_;
};

}  // namespace dr::test
