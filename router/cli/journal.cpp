#include <filesystem>
#include <iostream>
#include <map>

#include <nlohmann/json.hpp>

#include "dimse/base/file_system.h"
#include "router/cli/command.h"
#include "router/cli/export.h"
#include "router/journal/verify.h"

namespace dr::cli {
namespace {

using journal::Verification;

nlohmann::json open_by_destination(const Verification& v) {
  std::map<std::string, std::map<std::string, std::uint64_t>> counts;
  for (const journal::OpenDelivery& open : v.open) {
    ++counts[open.destination][std::string(journal::name(open.state))];
  }
  return counts;
}

nlohmann::json to_json(const Verification& v) {
  return {{"spool_id", v.spool_id},
          {"good", v.good()},
          {"records", v.recovery.records},
          {"tail", journal::value(v.recovery.tail)},
          {"cut_octets", v.recovery.cut_octets},
          {"damaged_records", v.recovery.damaged_records},
          {"bodies_read", v.bodies_read},
          {"bodies_damaged", v.bodies_damaged},
          {"findings", v.recovery.findings},
          {"segments", v.segments},
          {"segments_free", v.segments_free},
          {"octets", v.octets},
          {"live_objects", v.live_objects},
          {"unrouted_objects", v.unrouted_objects},
          {"open", open_by_destination(v)}};
}

void print_text(const Verification& v, bool bodies) {
  for (const std::string& finding : v.recovery.findings) std::cerr << finding << '\n';
  std::cout << "spool            " << v.spool_id << '\n'
            << "records          " << v.recovery.records << ", the last "
            << journal::value(v.recovery.tail) << '\n'
            << "torn tail        " << v.recovery.cut_octets << " octets (never acknowledged)\n"
            << "damaged records  " << v.recovery.damaged_records << '\n';
  if (bodies) {
    std::cout << "bodies           " << v.bodies_read << " read, " << v.bodies_damaged
              << " damaged\n";
  }
  std::cout << "segments         " << v.segments << ", " << v.segments_free << " free, " << v.octets
            << " octets\n"
            << "objects kept     " << v.live_objects << ", " << v.unrouted_objects
            << " of them unrouted\n";
  const nlohmann::json open = open_by_destination(v);
  for (const auto& [destination, states] : open.items()) {
    std::cout << "open at          " << destination << ':';
    for (const auto& [state, count] : states.items()) std::cout << ' ' << count << ' ' << state;
    std::cout << '\n';
  }
}

int examine(const std::string& file, bool bodies, bool json) {
  const auto config = load_or_complain(file);
  if (!config) return kNo;
  const std::string spool = config->spool.string();
  if (!std::filesystem::is_directory(spool)) {
    complain(spool + ": no spool there");
    return kCouldNotAsk;
  }
  auto files = open_posix_file_system(spool);
  auto verified = files ? journal::verify(**files, SystemClock().now_utc(), bodies)
                        : Result<Verification>(files.error());
  if (!verified) {
    const bool running = verified.error().code == Errc::kConflict;
    complain(spool + ": " + (running ? "a node runs on it" : verified.error().to_string()));
    return kCouldNotAsk;
  }
  if (json) {
    print_json(to_json(*verified));
  } else {
    print_text(*verified, bodies);
  }
  return verified->good() ? kYes : kNo;
}

}  // namespace

void add_journal(CLI::App& app, Action& action) {
  struct Options {
    std::string file;
    std::string folder;
    bool json = false;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("journal", "look into the spool while no node runs on it");
  command->require_subcommand(1);
  const auto add = [&](const std::string& name, const std::string& what, bool bodies) {
    CLI::App* sub = command->add_subcommand(name, what);
    add_config_option(*sub, options->file);
    sub->add_flag("--json", options->json, "one JSON document");
    sub->callback([options, bodies, &action] {
      action = [options, bodies] { return examine(options->file, bodies, options->json); };
    });
  };
  add("verify", "read everything, compare all checksums", true);
  add("stats", "what stands there", false);
  CLI::App* rescue = command->add_subcommand(
      "export", "write every object that can be read to a folder, as Part 10 files with a list");
  add_config_option(*rescue, options->file);
  rescue->add_option("folder", options->folder, "is made; files there are never replaced")
      ->required();
  rescue->callback([options, &action] {
    action = [options] { return export_journal(options->file, options->folder); };
  });
}

}  // namespace dr::cli
