#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "dimse/base/result.h"
#include "router/admin/api.h"
#include "router/config.h"

namespace dr::cli {

enum Exit : int { kYes = 0, kNo = 1, kUsage = 2, kCouldNotAsk = 3 };

/// Set by the command that was given; run() calls it.
using Action = std::function<int()>;

/// `-c FILE`, with the default that the shipped configuration has.
void add_config_option(CLI::App& command, std::string& file);

/// Reads configuration (not the rules); prints its diagnostics. nullopt: it has errors.
std::optional<Config> load_or_complain(const std::string& file);
void print(const std::vector<rules::Diagnostic>& diagnostics);

/// The destination of this name; complains, with a suggestion, when there is none.
const delivery::DestinationSettings* find_destination(const Config& config,
                                                      const std::string& name);

/// "dicom-router: what" on standard error.
void complain(const std::string& what);
void print_json(const nlohmann::json& document);

/// What a question to the running node came to: the answer, or the exit code of a complaint that
/// was made.
struct Answer {
  nlohmann::json document;
  int exit = kYes;
};
Answer ask(const Config& config, const admin::Request& request,
           std::chrono::milliseconds patience = std::chrono::minutes(1));

void add_serve(CLI::App& app, Action& action);
void add_check(CLI::App& app, Action& action);
void add_explain(CLI::App& app, Action& action);
void add_replay(CLI::App& app, Action& action);
void add_echo(CLI::App& app, Action& action);
void add_send(CLI::App& app, Action& action);
void add_trace(CLI::App& app, Action& action);
void add_queue(CLI::App& app, Action& action);
void add_report(CLI::App& app, Action& action);
void add_journal(CLI::App& app, Action& action);
void add_audit(CLI::App& app, Action& action);
void add_extract(CLI::App& app, Action& action);
void add_uid(CLI::App& app, Action& action);
/// Not for people: what the node starts its sandboxed workers with.
void add_worker(CLI::App& app, Action& action);

}  // namespace dr::cli
