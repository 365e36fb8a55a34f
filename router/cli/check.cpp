#include <algorithm>
#include <iostream>
#include <iterator>

#include <nlohmann/json.hpp>

#include "router/cli/command.h"

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

struct Options {
  std::string file;
  bool json = false;
  bool canonical = false;
};

int check(const Options& options) {
  const std::string& file = options.file;
  LoadedConfig loaded = load_config(file);
  std::vector<rules::Diagnostic> diagnostics = std::move(loaded.diagnostics);
  std::size_t rule_count = 0;
  bool good = loaded.config.has_value();
  if (loaded.understood) {  // the rules' errors, too, when the configuration has some
    auto loaded_rules =
        rules::RuleSet::load(loaded.understood->rules.string(), loaded.understood->site());
    good = good && loaded_rules.rules != nullptr;
    if (loaded_rules.rules) rule_count = loaded_rules.rules->rules().size();
    std::ranges::move(loaded_rules.diagnostics, std::back_inserter(diagnostics));
    if (good && options.canonical) {
      print(diagnostics);
      std::cout << loaded_rules.rules->canonical();
      return kYes;
    }
  }
  if (options.json) {
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
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("check", "validate configuration and rules");
  add_config_option(*command, options->file);
  command->add_flag("--json", options->json, "one JSON document");
  command->add_flag("--canonical", options->canonical,
                    "print the rules in their simplest form, which decides alike");
  command->callback([options, &action] { action = [options] { return check(*options); }; });
}

}  // namespace dr::cli
