#include "test/support/router.h"

#include <fstream>
#include <stdexcept>

#include "test/support/paths.h"
#include "test/support/port.h"

namespace dr::test {
namespace {

using std::chrono::milliseconds;

void write(const std::filesystem::path& file, const std::string& text) {
  std::filesystem::create_directories(file.parent_path());
  std::ofstream out(file);
  out << text;
  if (!out.flush()) throw std::runtime_error("can not write " + file.string());
}

nlohmann::json parse(const Finished& finished) {
  try {
    return nlohmann::json::parse(finished.output);
  } catch (const nlohmann::json::exception&) {
    throw std::runtime_error("exit " + std::to_string(finished.status) +
                             ", no JSON: " + finished.output);
  }
}

}  // namespace

std::filesystem::path router_program() { return binary_dir() / "dicom-router"; }

Router::Router(const Setup& setup) : port_(free_port()), admin_port_(free_port()) {
  write(config(),
        "[node]\nname = \"e2e\"\nae_title = \"ROUTER\"\nspool = \"../spool\"\n"
        "[limits]\ndisk_reserve = \"64MiB\"\n" +
            setup.limits +
            "[[listener]]\nname = \"in\"\nbind = \"127.0.0.1:" + std::to_string(port_) +
            "\"\nae_titles = [\"*\"]\n"
            "[audit.sqlite]\npath = \"../audit.sqlite\"\n"
            "[admin]\nbind = \"127.0.0.1:" +
            std::to_string(admin_port_) + "\"\n" + setup.more + setup.destinations);
  write(folder_ / "conf/rules.d/10-test.toml", setup.rules);
  start();
}

void Router::start() {
  const auto output = folder_ / ("router-" + std::to_string(++starts_) + ".log");
  process_ = std::make_unique<Process>(Command{
      .argv = {router_program().string(), "serve", "-c", config().string()}, .output = output});
  wait_until_ready(*process_,
                   [&] { return read_text(output).find("\nready\n") != std::string::npos; });
}

Finished Router::run(std::vector<std::string> command) const {
  command.insert(command.begin(), router_program().string());
  command.insert(command.end(), {"-c", config().string()});
  return test::run(std::move(command));
}

nlohmann::json Router::ask(std::vector<std::string> command) const {
  command.emplace_back("--json");
  return parse(run(std::move(command)));
}

void Router::wait_until_idle(std::chrono::seconds most, const std::string& destination) const {
  const auto end = std::chrono::steady_clock::now() + most;
  for (;;) {
    bool idle = true;
    const nlohmann::json queue = ask({"queue", "list"});
    for (const nlohmann::json& item : queue) {
      if (!destination.empty() && item.at("destination") != destination) continue;
      const std::string state = item.at("state");
      idle = idle && state != "waiting" && state != "sending" && state != "unknown";
    }
    if (idle) return;
    if (std::chrono::steady_clock::now() > end) {
      throw std::runtime_error("still open: " + queue.dump().substr(0, 2000) + log());
    }
  }
}

std::string Router::log() const {
  return read_text(folder_ / ("router-" + std::to_string(starts_) + ".log"));
}

std::string dimse_destination(const std::string& name, std::uint16_t port,
                              const std::string& more) {
  return "[[destination]]\nname = \"" + name +
         "\"\nkind = \"dimse\"\nhost = \"127.0.0.1\"\nport = " + std::to_string(port) +
         "\nae_title = \"" + name + "\"\nretry = { first = \"100ms\", most = \"500ms\" }\n" + more;
}

std::string folder_destination(const std::string& name, const std::filesystem::path& path) {
  return "[[destination]]\nname = \"" + name + "\"\nkind = \"folder\"\npath = \"" + path.string() +
         "\"\n";
}

std::string route_all(const std::vector<std::string>& destinations) {
  return "[[rule]]\nname = \"everything\"\nwhen = \"unmatched\"\nroute = " +
         nlohmann::json(destinations).dump() + "\n";
}

Modality::Modality(std::uint16_t router_port) {
  write(folder_ / "router.toml", dimse_destination("router", router_port));
}

nlohmann::json Modality::send(const std::vector<std::filesystem::path>& paths) const {
  std::vector<std::string> argv{router_program().string(),          "send",   "-c",
                                (folder_ / "router.toml").string(), "--json", "router"};
  for (const auto& path : paths) argv.push_back(path.string());
  // Diagnostics of the configuration would stand before the document: it has no listener, which is
  // a warning.
  Finished finished = test::run(std::move(argv), {}, std::chrono::minutes(5));
  finished.output.erase(0, finished.output.find('{'));
  return parse(finished);
}

}  // namespace dr::test
