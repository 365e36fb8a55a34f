// How commands ask the running node; trace.
#include <algorithm>
#include <iostream>

#include <nlohmann/json.hpp>

#include "router/admin/socket_server.h"
#include "router/cli/command.h"
#include "router/node.h"

namespace dr::cli {
namespace {

using nlohmann::json;

std::string text(const json& object, const char* key) {
  if (!object.contains(key) || object[key].is_null()) return "-";
  const json& value = object[key];
  return value.is_string() ? value.get<std::string>() : value.dump();
}

std::string status_text(const json& delivery) {
  if (!delivery.contains("status") || !delivery["status"].is_number_unsigned()) return "";
  char four[16];
  std::snprintf(four, sizeof four, " %04XH", delivery["status"].get<unsigned>());
  return four;
}

void print_object(const json& object) {
  std::cout << "object    " << text(object, "sop_instance_uid") << "  (" << text(object, "node")
            << ' ' << text(object, "sequence") << ")\n"
            << "received  " << text(object, "received") << ", durable " << text(object, "durable")
            << '\n'
            << "          " << text(object, "bytes") << " octets, SHA-256 "
            << text(object, "sha256") << '\n'
            << "from      " << text(object, "source") << '\n';
  for (const json& decision : object.value("decisions", json::array())) {
    std::cout << "matched   " << text(decision, "file") << ':' << text(decision, "line") << " '"
              << text(decision, "rule") << "' -> " << text(decision, "destinations") << '\n';
  }
  for (const json& delivery : object.value("deliveries", json::array())) {
    std::cout << "attempt   " << text(delivery, "finished") << ' ' << text(delivery, "destination")
              << " #" << text(delivery, "attempt") << ' ' << text(delivery, "outcome")
              << status_text(delivery);
    const std::string comment = text(delivery, "comment");
    std::cout << (comment.empty() || comment == "-" ? "" : "  " + comment) << '\n';
  }
  std::cout << "state     " << text(object, "state");
  const json states = object.value("states", json::object());
  for (const auto& [destination, state] : states.items()) {
    std::cout << "; " << destination << ": "
              << (state.is_string() ? state.get<std::string>() : state.dump());
  }
  std::cout << "\n\n";
}

int trace(const std::string& file, const std::string& uid, bool as_json) {
  const auto config = load_or_complain(file);
  if (!config) return kNo;
  admin::Request request;
  request.path = "/api/v1/trace/" + uid;
  const Answer answer = ask(*config, request);
  if (answer.exit != kYes) return answer.exit;
  if (as_json) {
    print_json(answer.document);
  } else {
    for (const json& object : answer.document.at("objects")) print_object(object);
  }
  return kYes;
}

}  // namespace

Answer ask(const Config& config, const admin::Request& request,
           std::chrono::milliseconds patience) {
  const auto response = admin::ask(admin_socket(config), request, patience);
  if (!response) {
    const bool stopped = response.error().code == Errc::kNotFound;
    complain(stopped ? "no node runs on " + config.spool.string() : response.error().to_string());
    return {{}, kCouldNotAsk};
  }
  json document = json::parse(response->body, nullptr, false);
  if (response->status == 200 && !document.is_discarded()) return {std::move(document), kYes};
  const bool told = document.is_object() && document.contains("error");
  complain(told ? document["error"].value("message", "") : "the node's answer is no JSON");
  if (response->status == 404) return {{}, kNo};
  return {{}, response->status == 400 ? kUsage : kCouldNotAsk};
}

void add_trace(CLI::App& app, Action& action) {
  struct Options {
    std::string file;
    std::string uid;
    bool json = false;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command =
      app.add_subcommand("trace", "the whole life of an object, a series or a study");
  add_config_option(*command, options->file);
  command->add_option("uid", options->uid)->required()->type_name("UID");
  command->add_flag("--json", options->json, "one JSON document");
  command->callback([options, &action] {
    action = [options] { return trace(options->file, options->uid, options->json); };
  });
}

}  // namespace dr::cli
