// dicom-router uid lookup: who is behind a UID of a reversible remap.
#include <algorithm>
#include <iostream>

#include <nlohmann/json.hpp>

#include "router/admin/socket_server.h"
#include "router/cli/command.h"
#include "router/delivery/uid_map.h"
#include "router/node.h"

namespace dr::cli {
namespace {

using nlohmann::json;

constexpr std::chrono::milliseconds kPatience{60'000};

/// In the audit, before anything is told, where a node runs. What is recorded is who asked for
/// what.
Result<void> record(const Config& config, const std::set<std::string>& uids) {
  admin::Request request;
  request.method = "POST";
  request.path = "/api/v1/uid-lookups";
  request.body = json{{"uids", uids}}.dump();
  const auto response = admin::ask(admin_socket(config), request, kPatience);
  if (!response && response.error().code == Errc::kNotFound) {
    std::cerr << "dicom-router: no node runs: the look-up is not recorded\n";
    return {};
  }
  if (!response) return response.error();
  if (response->status != 200)
    return Error{Errc::kRejected, "the node does not record the look-up"};
  return {};
}

int complain_and(const std::string& what, Exit exit) {
  complain(what);
  return exit;
}

int look_up(const std::string& file, const std::vector<std::string>& asked, bool as_json) {
  const auto config = load_or_complain(file);
  if (!config) return kNo;
  if (config->pseudonym_key.empty()) return complain_and("needs [keys] pseudonym", kNo);
  std::set<std::string> uids;
  for (const std::string& each : asked) {
    if (!Uid::parse(each)) return complain_and("not a UID: \"" + each + '"', kUsage);
    uids.insert(each);
  }
  if (const auto recorded = record(*config, uids); !recorded) {
    return complain_and(recorded.error().to_string(), kCouldNotAsk);
  }
  const auto lookup = delivery::look_up(config->spool.string(), config->pseudonym_key, uids);
  if (!lookup && lookup.error().code == Errc::kNotFound) {
    return complain_and("no UID was remapped reversibly here", kNo);
  }
  if (!lookup) return complain_and(lookup.error().to_string(), kCouldNotAsk);
  if (lookup->unreadable > 0) {
    complain(std::to_string(lookup->unreadable) + " of " +
             std::to_string(lookup->unreadable + lookup->pairs) +
             " pairs were kept under another key, or are damaged");
  }
  auto items = json::array();
  for (const auto& pair : lookup->found) {
    uids.erase(pair.original);
    uids.erase(pair.pseudonym);
    items.push_back({{"original", pair.original}, {"pseudonym", pair.pseudonym}});
    if (!as_json) std::cout << pair.original << "  " << pair.pseudonym << '\n';
  }
  if (as_json) print_json({{"items", items}, {"unknown", uids}});
  for (const std::string& each : uids) complain("unknown: " + each);
  return uids.empty() ? kYes : kNo;
}

}  // namespace

void add_uid(CLI::App& app, Action& action) {
  struct Options {
    std::string file;
    std::vector<std::string> uids;
    bool json = false;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("uid", "UIDs that uid_remap has replaced");
  command->require_subcommand(1);
  CLI::App* lookup = command->add_subcommand(
      "lookup", "original and new UID of reversible remaps, by either of them; recorded");
  add_config_option(*lookup, options->file);
  lookup->add_option("uid", options->uids, "originals or pseudonyms")->required()->type_name("UID");
  lookup->add_flag("--json", options->json, "one JSON document");
  lookup->callback([options, &action] {
    action = [options] { return look_up(options->file, options->uids, options->json); };
  });
}

}  // namespace dr::cli
