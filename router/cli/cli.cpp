#include "router/cli/cli.h"

#include <csignal>
#include <exception>
#include <iostream>

#include <nlohmann/json.hpp>

#include "router/cli/command.h"
#include "router/rules/suggest.h"
#include "router/version.h"

namespace dr::cli {

void add_config_option(CLI::App& command, std::string& file) {
  file = "conf/router.toml";
  command.add_option("-c,--config", file, "configuration file")
      ->type_name("FILE")
      ->capture_default_str();
}

void complain(const std::string& what) { std::cerr << "dicom-router: " << what << '\n'; }

void print(const std::vector<rules::Diagnostic>& diagnostics) {
  for (const rules::Diagnostic& diagnostic : diagnostics) {
    std::cerr << diagnostic.to_string() << '\n';
  }
}

void print_json(const nlohmann::json& document) {
  std::cout << document.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) << '\n';
}

std::optional<Config> load_or_complain(const std::string& file) {
  LoadedConfig loaded = load_config(file);
  print(loaded.diagnostics);
  return std::move(loaded.config);
}

const delivery::DestinationSettings* find_destination(const Config& config,
                                                      const std::string& name) {
  std::vector<std::string_view> known;
  for (const auto& destination : config.destinations) {
    if (destination.name == name) return &destination;
    known.push_back(destination.name);
  }
  complain("no destination '" + name + "'" + rules::suggestion(name, known));
  return nullptr;
}

int run(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  CLI::App app("DICOM router: receives, makes durable, decides, delivers, and can prove it");
  app.set_version_flag("--version", std::string("dicom-router ") + kVersion);
  app.require_subcommand(1);
  Action action;
  for (const auto add :
       {add_serve, add_check, add_explain, add_replay, add_echo, add_send, add_extract, add_trace,
        add_queue, add_report, add_journal, add_audit, add_uid, add_worker}) {
    add(app, action);
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? kYes : kUsage;
  }
  try {
    return action();
  } catch (const std::exception& e) {
    complain(e.what());
    return kCouldNotAsk;
  }
}

}  // namespace dr::cli
