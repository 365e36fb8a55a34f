// dicom-router report: the loss invariant of one day, signed.
#include <fstream>
#include <iostream>

#include <nlohmann/json.hpp>

#include "router/cli/command.h"
#include "router/loss_report.h"

namespace dr::cli {
namespace {

using nlohmann::json;

struct Options {
  std::string file;
  std::string day;
  std::string verify;
  bool json = false;
};

void print_text(const json& report) {
  std::cout << "loss invariant of " << report.value("node", "") << " on " << report.value("day", "")
            << " (UTC), by " << report.value("sink", "") << ", made " << report.value("made", "")
            << '\n';
  for (const json& row : report.at("destinations")) {
    std::cout << row.value("destination", "") << "\trouted " << row.at("routed");
    const char* sign = " = ";
    for (const auto& [state, count] : row.at("states").items()) {
      std::cout << sign << count << ' ' << state;
      sign = " + ";
    }
    const auto missing = row.value("missing", std::int64_t{0});
    if (missing > 0) std::cout << sign << missing << " MISSING";
    if (missing < 0) std::cout << ", " << -missing << " MORE THAN ROUTED";
    std::cout << '\n';
  }
  const auto since = report.value("counted_after", std::uint64_t{0});
  if (since > 0) std::cout << "objects up to record " << since << " came before counting began\n";
  std::cout << (report.value("holds", false) ? "it holds\n" : "IT DOES NOT HOLD\n");
  const json& signature = report.at("signature");
  std::cout << "signature " << (signature.is_string() ? signature.get<std::string>() : "none")
            << '\n';
}

int verify(const Config& config, const Options& options) {
  std::ifstream in(options.verify);
  const json report = json::parse(in, nullptr, false);
  if (!in.is_open() || report.is_discarded()) {
    complain(options.verify + ": no report (report --json writes one)");
    return kCouldNotAsk;
  }
  if (config.audit_key.empty()) {
    complain("to verify a signature needs [keys] audit");
    return kUsage;
  }
  if (!signature_holds(report, audit::Sealer(config.audit_key))) {
    complain(options.verify + ": not what this key has signed");
    return kNo;
  }
  std::cout << options.verify << ": signed with this key, as it is\n";
  return report.value("holds", false) ? kYes : kNo;
}

int run_report(const Options& options) {
  const auto config = load_or_complain(options.file);
  if (!config) return kNo;
  if (!options.verify.empty()) return verify(*config, options);
  admin::Request request;
  request.path = "/api/v1/report";
  if (!options.day.empty()) request.query["day"] = options.day;
  const Answer answer = ask(*config, request);
  if (answer.exit != kYes) return answer.exit;
  if (answer.document.at("signature").is_null()) {
    complain("the report is not signed: there is no [keys] audit");
  }
  if (options.json) {
    print_json(answer.document);
  } else {
    print_text(answer.document);
  }
  return answer.document.value("holds", false) ? kYes : kNo;
}

}  // namespace

void add_report(CLI::App& app, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      app.add_subcommand("report", "whether all that was routed on a day is accounted for, signed");
  add_config_option(*command, options->file);
  command->add_option("--day", options->day, "day of receipt, UTC; today if not given")
      ->type_name("DATE");
  command->add_option("--verify", options->verify, "check the signature of a report instead")
      ->type_name("FILE");
  command->add_flag("--json", options->json, "one JSON document");
  command->callback([options, &action] { action = [options] { return run_report(*options); }; });
}

}  // namespace dr::cli
