#include "test/support/mariadb.h"

#include <algorithm>
#include <filesystem>
#include <stdexcept>

#include "test/support/port.h"

namespace dr::test {
namespace {

namespace fs = std::filesystem;

// Debian's place for it, which is not in every user's PATH.
constexpr const char* kServer = "/usr/sbin/mariadbd";

void fill(const ServerFolder& folder, const fs::path& data) {
  run_or_throw(folder.as_user({"mariadb-install-db", "--no-defaults", "--datadir=" + data.string(),
                               "--auth-root-authentication-method=normal", "--skip-test-db",
                               "--skip-name-resolve", "--innodb-log-file-size=8M"}));
}

std::string quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') out += '\\';
    out += c;
  }
  return out + "'";
}

}  // namespace

Mariadb::Mariadb(std::vector<std::string> more)
    : folder_("mariadb", "mysql", [this](const fs::path& data) { fill(folder_, data); }),
      port_(free_port()),
      more_(std::move(more)) {
  start();
  ask("CREATE USER 'router'@'%' IDENTIFIED BY " + quoted(kPassword), "mysql");
  create_database("router");
}

std::string Mariadb::url(const std::string& database, std::uint16_t port) const {
  return "mysql://router@127.0.0.1:" + std::to_string(port == 0 ? port_ : port) + "/" + database;
}

void Mariadb::create_database(const std::string& name) {
  ask("CREATE DATABASE " + name + "; GRANT ALL ON " + name + ".* TO 'router'@'%'", "mysql");
}

Finished Mariadb::client(const std::string& sql, const std::string& database,
                         std::chrono::milliseconds most) const {
  return run(
      {"mariadb", "--no-defaults", "-N", "-B", "--raw", "-h", "127.0.0.1", "-P",
       std::to_string(port_), "-u", "root", "--default-character-set=utf8mb4", "-e", sql, database},
      {}, most);
}

std::string Mariadb::ask(const std::string& sql, const std::string& database,
                         std::chrono::milliseconds most) const {
  auto finished = client(sql, database, most);
  if (finished.status != 0) throw std::runtime_error("mariadb: " + finished.output);
  std::replace(finished.output.begin(), finished.output.end(), '\t', '|');
  return std::move(finished.output);
}

void Mariadb::start(const std::vector<std::string>& more) {
  std::vector<std::string> argv{kServer,
                                "--no-defaults",
                                "--datadir=" + folder_.data().string(),
                                "--port=" + std::to_string(port_),
                                "--bind-address=127.0.0.1",
                                "--socket=" + (folder_.data() / "sock").string(),
                                "--pid-file=" + (folder_.data() / "pid").string(),
                                "--skip-name-resolve",
                                "--innodb-log-file-size=8M",
                                "--innodb-buffer-pool-size=64M",
                                "--innodb-use-native-aio=0",
                                "--innodb-flush-method=nosync"};
  argv.insert(argv.end(), more_.begin(), more_.end());
  argv.insert(argv.end(), more.begin(), more.end());
  process_ = std::make_unique<Process>(
      Command{.argv = folder_.as_user(std::move(argv)), .folder = "/", .output = folder_ / "log"});
  wait_until_ready(
      *process_, [this] { return is_listening(port_) && client("SELECT 1", "mysql").status == 0; });
}

}  // namespace dr::test
