// Which rules match an object, and why. Files are explained here, with the rules of the folder;
// what is only a UID by the running node, with the rules in force and the object from its journal.
#include "router/admin/explain.h"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>

#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "router/cli/command.h"
#include "router/worker/descriptor.h"

namespace dr::cli {
namespace {

using nlohmann::json;

constexpr std::size_t kPiece = 256U << 10;

struct Options {
  std::string file;
  std::map<std::string, std::string> query;  // calling, called, from, listener
  std::vector<std::string> objects;
  bool json = false;
};

void print_condition(const json& condition) {
  const json& seen = condition.at("seen");
  const std::string inside = condition.value("inside", "");
  std::cout << "      " << (condition.at("matched").get<bool>() ? "yes  " : "no   ")
            << (inside.empty() ? "" : inside + ": ") << condition.at("key").get<std::string>()
            << " = " << condition.at("expected").get<std::string>() << ", seen "
            << (seen.is_null() ? "nothing" : "'" + seen.get<std::string>() + "'") << '\n';
}

std::string indented(const std::string& lines) {
  std::istringstream in(lines);
  std::string out;
  for (std::string line; std::getline(in, line);) out += "      " + line + '\n';
  return out;
}

void print_decision(const json& document) {
  std::cout << "  => ";
  if (!document.at("rejected").is_null()) {
    std::cout << "refused with " << document.at("rejected").get<std::string>() << "\n\n";
    return;
  }
  if (document.at("route").empty()) std::cout << "unrouted: kept, sent to nobody";
  const char* comma = "";
  for (const json& each : document.at("route")) {
    const auto destination = each.get<std::string>();
    const auto priority = document.at("priorities").at(destination).get<std::string>();
    std::cout << comma << destination << (priority == "normal" ? "" : " (" + priority + ")");
    comma = ", ";
  }
  std::cout << (document.at("extract").get<bool>() ? "; extracted\n" : "\n");
  for (const auto& [destination, wait] : document.at("waits").items()) {
    std::cout << "     " << destination << " waits:\n" << indented(wait.get<std::string>());
  }
  for (const auto& [destination, reason] : document.at("held").items()) {
    std::cout << "     " << destination << " gets nothing, held: " << reason.get<std::string>()
              << '\n';
  }
  for (const auto& [destination, why] : document.at("untried").items()) {
    std::cout << "     " << destination
              << " gets it changed, which could not be tried: " << why.get<std::string>() << '\n';
  }
  for (const auto& [destination, changes] : document.at("transforms").items()) {
    std::cout << "     " << destination << " gets it changed:\n";
    for (const json& change : changes) {
      std::cout << "      " << change.at("element").get<std::string>() << ": "
                << change.at("before").dump() << " -> " << change.at("after").dump() << '\n';
    }
    const auto& more = document.at("transforms_left_out");
    if (more.contains(destination)) {
      std::cout << "      and " << more.at(destination) << " elements more\n";
    }
  }
  std::cout << '\n';
}

void print_text(const std::string& title, const json& document) {
  std::cout << title << "  " << document.at("sop_instance_uid").get<std::string>() << '\n';
  for (const json& rule : document.at("rules")) {
    const bool reached = rule.at("reached").get<bool>();
    std::cout << "  " << rule.at("file").get<std::string>() << ':' << rule.at("line") << " '"
              << rule.at("rule").get<std::string>() << "': "
              << (rule.at("matched").get<bool>() ? "matches"
                  : reached                      ? "does not match"
                                                 : "not tried, an earlier rule has 'stop'")
              << '\n';
    for (const json& condition : rule.at("conditions")) print_condition(condition);
  }
  print_decision(document);
}

/// Here a worker's scratch file is nobody's business but this command's.
delivery::TransformerSettings transformer_settings(const Config& config) {
  auto settings = config.transforms();
  std::error_code ignored;  // then scratch files can not be made, which is told
  settings.folder = std::filesystem::temp_directory_path(ignored).string();
  settings.workers.workers = 1;
  return settings;
}

/// Explains files by one rule set; the exit code of the worst one.
class Files {
 public:
  Files(const Config& config, std::shared_ptr<const rules::RuleSet> rules, admin::Sender sender,
        bool as_json)
      : config_(config),
        rules_(std::move(rules)),
        sender_(std::move(sender)),
        json_(as_json),
        transformer_(transformer_settings(config)) {}

  int explain(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    admin::ExplainedFile explained(rules_);
    std::string piece(kPiece, '\0');
    while (in.read(piece.data(), kPiece), in.gcount() > 0) {
      const std::string_view octets(piece.data(), static_cast<std::size_t>(in.gcount()));
      if (!explained.feed(as_bytes(octets))) break;
    }
    if (in.bad() || (!in.eof() && in.fail())) {
      complain(path + ": cannot be read");
      return kCouldNotAsk;
    }
    const auto open = [&]() -> Result<delivery::Sample> {
      worker::Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
      if (!file) return errno_error(path, errno);
      return delivery::part10_sample(std::move(file), sender_.received, sender_.character_set);
    };
    auto document = explained.finish(
        sender_, admin::try_copies({transformer_, config_.destinations, {}}, open));
    if (!document) {
      complain(path + ": " + document.error().to_string());
      return kCouldNotAsk;
    }
    (*document)["file"] = path;
    json_ ? print_json(*document) : print_text(path, *document);
    return kYes;
  }

 private:
  const Config& config_;
  const std::shared_ptr<const rules::RuleSet> rules_;
  const admin::Sender sender_;
  const bool json_;
  delivery::Transformer transformer_;
};

int explain_stored(const Config& config, const std::string& uid, bool as_json) {
  admin::Request request;
  request.method = "POST";
  request.path = "/api/v1/explain";
  request.body = json{{"sop_instance_uid", uid}}.dump();
  const Answer answer = ask(config, request);
  if (answer.exit != kYes) return answer.exit;
  as_json ? print_json(answer.document) : print_text("journal", answer.document);
  return kYes;
}

int explain(const Options& options) {
  const auto config = load_or_complain(options.file);
  if (!config) return kNo;
  const auto sender = sender_of(*config, SystemClock(), options.query);
  if (!sender) {
    complain(sender.error().detail);
    return kUsage;
  }
  std::optional<Files> files;
  int worst = kYes;
  for (const std::string& object : options.objects) {
    std::error_code ignored;
    const bool file = std::filesystem::exists(object, ignored);
    if (!file && Uid::parse(object)) {
      worst = std::max(worst, explain_stored(*config, object, options.json));
      continue;
    }
    if (!files) {  // the rules are only needed for files
      auto rules = rules::RuleSet::load(config->rules.string(), config->site());
      if (!rules.rules) {  // warnings are the business of `check`
        print(rules.diagnostics);
        return kNo;
      }
      files.emplace(*config, rules.rules, *sender, options.json);
    }
    worst = std::max(worst, files->explain(object));
  }
  return worst;
}

}  // namespace

void add_explain(CLI::App& app, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      app.add_subcommand("explain", "which rules match an object, and why; sends nothing");
  add_config_option(*command, options->file);
  const auto add = [&](const char* name, const char* type, const char* what) {
    command
        ->add_option_function<std::string>(
            std::string("--") + name,
            [options, name](const std::string& text) { options->query[name] = text; }, what)
        ->type_name(type);
  };
  add("calling", "AET", "as if it came from this AE title; default: none");
  add("called", "AET", "as if this one was called; default: the node's");
  add("from", "IP", "as if it came from this address; default: none");
  add("listener", "NAME", "as if this listener took it; default: the first");
  command->add_option("object", options->objects, "files, or UIDs of objects in the journal")
      ->required()
      ->type_name("FILE|UID");
  command->add_flag("--json", options->json, "one JSON document for each");
  command->callback([options, &action] { action = [options] { return explain(*options); }; });
}

}  // namespace dr::cli
