#include "test/support/postgresql.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <utility>

#include "test/support/port.h"

namespace dr::test {
namespace {

namespace fs = std::filesystem;

/// Debian keeps each version's programs in a folder of its own, outside of PATH.
std::string program(const std::string& name) {
  std::vector<fs::path> found;
  const fs::path versions = "/usr/lib/postgresql";
  if (fs::exists(versions)) {
    for (const auto& entry : fs::directory_iterator(versions)) {
      if (fs::exists(entry.path() / "bin" / name)) found.push_back(entry.path() / "bin" / name);
    }
  }
  if (found.empty()) throw std::runtime_error("PostgreSQL is not installed: no " + name);
  return std::max_element(found.begin(), found.end())->string();
}

void fill(const ServerFolder& folder, const fs::path& data) {
  const fs::path password = data / "password";
  std::ofstream(password) << Postgresql::kPassword << '\n';
  fs::permissions(password, fs::perms::others_read, fs::perm_options::add);
  const fs::path cluster = data / "cluster";
  run_or_throw(
      folder.as_user({program("initdb"), "-D", cluster, "-U", "postgres", "-N", "-E", "UTF8",
                      "--locale=C", "--auth=scram-sha-256", "--pwfile", password}));
}

std::string quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("''") : std::string(1, c);
  return out + "'";
}

}  // namespace

Postgresql::Postgresql(std::vector<std::string> more)
    : folder_("postgresql", "postgres", [this](const fs::path& data) { fill(folder_, data); }),
      port_(free_port()),
      more_(std::move(more)) {
  start();
  ask("CREATE ROLE router LOGIN PASSWORD " + quoted(kPassword), "postgres");
  create_database("router");
}

std::string Postgresql::url(const std::string& database, std::uint16_t port) const {
  return "postgresql://router@127.0.0.1:" + std::to_string(port == 0 ? port_ : port) + "/" +
         database;
}

void Postgresql::create_database(const std::string& name) {
  ask("CREATE DATABASE " + name + " OWNER router", "postgres");
}

std::string Postgresql::ask(const std::string& sql, const std::string& database,
                            std::chrono::milliseconds most) const {
  return run_or_throw({program("psql"),
                       "-X",
                       "-q",
                       "-At",
                       "-F",
                       "|",
                       "-P",
                       "null=NULL",
                       "-v",
                       "ON_ERROR_STOP=1",
                       "-h",
                       "127.0.0.1",
                       "-p",
                       std::to_string(port_),
                       "-U",
                       "postgres",
                       "-d",
                       database,
                       "-c",
                       sql},
                      {std::string("PGPASSWORD=") + kPassword}, most);
}

void Postgresql::stop() {
  process_->send_signal(SIGINT);
  if (!process_->wait(std::chrono::seconds(30))) process_->kill();
}

void Postgresql::start(const std::vector<std::string>& more) {
  // What a test kills comes back from the page cache: syncing would only cost time.
  std::vector<std::string> argv{program("postgres"), "-D", folder_.data() / "cluster"};
  for (std::string setting :
       {"port=" + std::to_string(port_), std::string("listen_addresses=127.0.0.1"),
        std::string("unix_socket_directories="), std::string("shared_buffers=32MB"),
        std::string("max_connections=30"), std::string("fsync=off")}) {
    argv.insert(argv.end(), {"-c", std::move(setting)});
  }
  for (const auto* settings : {&std::as_const(more_), &more}) {
    for (const std::string& setting : *settings) argv.insert(argv.end(), {"-c", setting});
  }
  process_ = std::make_unique<Process>(
      Command{.argv = folder_.as_user(std::move(argv)), .folder = "/", .output = folder_ / "log"});
  wait_until_ready(*process_, [this] {
    if (!is_listening(port_)) return false;
    return run({program("psql"), "-X", "-h", "127.0.0.1", "-p", std::to_string(port_), "-U",
                "postgres", "-c", "SELECT 1"},
               {std::string("PGPASSWORD=") + kPassword})
               .status == 0;
  });
}

}  // namespace dr::test
