#include <iostream>

#include <nlohmann/json.hpp>

#include "router/cli/command.h"
#include "router/rules/transform.h"

namespace dr::cli {
namespace {

nlohmann::json to_json(const rules::Diagnostic& d) {
  const bool error = d.severity == rules::Diagnostic::Severity::kError;
  return {{"severity", error ? "error" : "warning"},
          {"file", d.file},
          {"line", d.line},
          {"column", d.column},
          {"message", d.message}};
}

int check(const std::string& file, bool json) {
  LoadedConfig loaded = load_config(file);
  std::vector<rules::Diagnostic> diagnostics = std::move(loaded.diagnostics);
  std::size_t rule_count = 0;
  bool good = loaded.config.has_value();
  if (good) {
    const std::string folder = loaded.config->rules.string();
    auto rules = rules::require_keys(rules::RuleSet::load(folder, loaded.config->targets()), folder,
                                     !loaded.config->pseudonym_key.empty());
    good = rules.rules != nullptr;
    if (good) rule_count = rules.rules->rules().size();
    diagnostics.insert(diagnostics.end(), rules.diagnostics.begin(), rules.diagnostics.end());
  }
  if (json) {
    nlohmann::json document{{"ok", good}, {"rules", rule_count}};
    document["diagnostics"] = nlohmann::json::array();
    for (const auto& d : diagnostics) document["diagnostics"].push_back(to_json(d));
    print_json(document);
  } else {
    print(diagnostics);
    if (good) {
      std::cout << file << ": good; " << loaded.config->listeners.size() << " listener(s), "
                << loaded.config->destinations.size() << " destination(s), " << rule_count
                << " rule(s)\n";
    }
  }
  return good ? kYes : kNo;
}

}  // namespace

void add_check(CLI::App& app, Action& action) {
  struct Options {
    std::string file;
    bool json = false;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("check", "validate configuration and rules");
  add_config_option(*command, options->file);
  command->add_flag("--json", options->json, "one JSON document");
  command->callback(
      [options, &action] { action = [options] { return check(options->file, options->json); }; });
}

}  // namespace dr::cli
