// dicom-router queue list|retry|drop|pause|resume|reroute: asks the running node.
#include <iostream>
#include <map>

#include <nlohmann/json.hpp>

#include "router/cli/command.h"

namespace dr::cli {
namespace {

using nlohmann::json;

constexpr std::chrono::hours kPatience{1};  // a million objects are decided anew in less

struct Options {
  std::string file;
  std::map<std::string, std::string> selection;  // by the names of the HTTP interface
  bool dry_run = false;
  bool json = false;
};

std::string text(const json& object, const char* key) {
  if (!object.contains(key) || object[key].is_null()) return "-";
  const json& value = object[key];
  return value.is_string() ? value.get<std::string>() : value.dump();
}

/// What was routed to each destination since the node's start, what was open then included.
int print_invariant(const Config& config) {
  admin::Request request;
  request.path = "/api/v1/status";
  const Answer status = ask(config, request);
  if (status.exit != kYes) return status.exit;
  for (const json& row : status.document.at("loss_invariant")) {
    std::cout << text(row, "destination") << ": routed " << text(row, "routed");
    const char* sign = " = ";
    for (const auto& [state, count] : row.at("states").items()) {
      std::cout << sign << count << ' ' << state;
      sign = " + ";
    }
    const auto violations = row.value("violations", std::uint64_t{0});
    if (violations > 0) std::cout << ": DIFFERS BY " << violations;
    std::cout << '\n';
  }
  return kYes;
}

int list(const Options& options) {
  const auto config = load_or_complain(options.file);
  if (!config) return kNo;
  admin::Request request;
  request.path = "/api/v1/queue";
  request.query = options.selection;
  request.query["limit"] = "1000";
  json items = json::array();
  for (;;) {
    const Answer page = ask(*config, request);
    if (page.exit != kYes) return page.exit;
    for (const json& item : page.document.at("items")) items.push_back(item);
    const json& next = page.document.at("next");
    if (!next.is_string()) break;
    request.query["after"] = next.get<std::string>();
  }
  if (options.json) {
    print_json(items);
    return kYes;
  }
  for (const json& item : items) {
    std::cout << text(item, "destination") << '\t' << text(item, "sequence") << '\t'
              << text(item, "state") << '\t' << text(item, "attempts") << " attempts\tnext "
              << text(item, "next_attempt") << '\t' << text(item, "sop_instance_uid") << '\t'
              << text(item, "reason") << '\n';
  }
  std::cout << items.size() << (items.size() == 1 ? " delivery is" : " deliveries are")
            << " open\n";
  return print_invariant(*config);
}

int operate(const std::string& operation, const Options& options) {
  const auto config = load_or_complain(options.file);
  if (!config) return kNo;
  admin::Request request;
  request.method = "POST";
  request.path = "/api/v1/queue/" + operation;
  json body = options.selection;
  if (options.dry_run) body["dry_run"] = true;
  request.body = body.dump(-1, ' ', false, json::error_handler_t::replace);
  const Answer answer = ask(*config, request, kPatience);
  if (answer.exit != kYes) return answer.exit;
  if (options.json) {
    print_json(answer.document);
    return kYes;
  }
  const bool whole = operation == "pause" || operation == "resume";
  std::cout << operation << (options.dry_run ? " would affect " : ": ")
            << text(answer.document, "affected")
            << (whole                    ? " destinations"
                : operation == "reroute" ? " objects"
                                         : " deliveries");
  for (const char* other : {"unchanged", "unmatched", "busy", "damaged"}) {
    const auto count = answer.document.value(other, std::uint64_t{0});
    if (count > 0) std::cout << ", " << count << ' ' << other;
  }
  std::cout << '\n';
  return kYes;
}

/// An option whose value, where it is given, is part of the selection.
void add_selection(CLI::App& command, Options& options, const char* name, const char* key,
                   const char* help) {
  command.add_option_function<std::string>(
      name, [&options, key](const std::string& value) { options.selection[key] = value; }, help);
}

}  // namespace

void add_queue(CLI::App& app, Action& action) {
  struct Command {
    const char* name;
    const char* help;
    const char* states;  // null: takes a destination only
  };
  static constexpr Command kCommands[] = {
      {"list", "each open delivery", "waiting, sending, unknown, held or damaged"},
      {"retry", "send what is held or waits for its next attempt now, with fresh attempts",
       "waiting, unknown or held"},
      {"drop", "give up what is selected, for good", "waiting, unknown, held, damaged or unrouted"},
      {"pause", "send nothing more to a destination, also after a restart", nullptr},
      {"resume", "send again to a destination that was paused", nullptr},
      {"reroute", "decide anew with today's rules", "waiting, unknown, held or unrouted"}};
  CLI::App* queue = app.add_subcommand("queue", "what is not delivered yet");
  queue->require_subcommand(1);
  for (const Command& each : kCommands) {
    auto options = std::make_shared<Options>();
    const std::string name = each.name;
    CLI::App* command = queue->add_subcommand(name, each.help);
    add_config_option(*command, options->file);
    add_selection(*command, *options, "destination", "destination", "a name of [[destination]]");
    if (each.states != nullptr) {
      add_selection(*command, *options, "--object", "object", "SOP Instance UID");
      add_selection(*command, *options, "--series", "series", "Series Instance UID");
      add_selection(*command, *options, "--study", "study", "Study Instance UID");
      add_selection(*command, *options, "--state", "state", each.states);
    }
    if (name != "list") {
      command->add_flag("--dry-run", options->dry_run, "only say how many it would affect");
    }
    command->add_flag("--json", options->json, "one JSON document");
    command->callback([options, name, &action] {
      action = [options, name] {
        return name == "list" ? list(*options) : operate(name, *options);
      };
    });
  }
}

}  // namespace dr::cli
