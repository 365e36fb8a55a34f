// Candidate rules over the recorded heads of received objects.
#include "router/replay/replay.h"

#include <charconv>
#include <iomanip>
#include <iostream>

#include <nlohmann/json.hpp>

#include "router/cli/command.h"
#include "router/replay/snapshot_store.h"
#include "router/rules/units.h"

namespace dr::cli {
namespace {

struct Options {
  std::string file;
  std::string rules;
  std::string since;
  bool expect_same = false;
  bool json = false;
};

/// The number of so many digits at the head of `text`, which loses them and `separator`.
std::optional<int> take(std::string_view& text, std::size_t digits, char separator) {
  int number = 0;
  if (text.size() < digits) return std::nullopt;
  const auto [end, error] = std::from_chars(text.data(), text.data() + digits, number);
  if (error != std::errc{} || end != text.data() + digits || number < 0) return std::nullopt;
  text.remove_prefix(digits);
  if (text.empty()) return number;
  if (text.front() != separator) return std::nullopt;
  text.remove_prefix(1);
  return number;
}

/// "2026-11-25", "2026-11-25T20:00", "2026-11-25T20:00:30Z", in UTC; or so long ago: "7d".
std::optional<UtcMicros> parse_time(std::string_view text) {
  if (const auto ago = rules::parse_duration(text)) return SystemClock().now_utc() - *ago;
  if (text.ends_with('Z')) text.remove_suffix(1);
  const auto year = take(text, 4, '-');
  const auto month = take(text, 2, '-');
  const auto day = take(text, 2, 'T');
  if (!year || !month || !day) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(*year),
                                         std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  if (!date.ok()) return std::nullopt;
  UtcMicros time = std::chrono::sys_days(date);
  if (text.empty()) return time;
  const auto hour = take(text, 2, ':');
  const auto minute = take(text, 2, ':');
  const auto second = text.empty() ? 0 : take(text, 2, ':');
  if (!hour || !minute || !second || !text.empty()) return std::nullopt;
  if (*hour > 23 || *minute > 59 || *second > 59) return std::nullopt;
  return time + std::chrono::hours(*hour) + std::chrono::minutes(*minute) +
         std::chrono::seconds(*second);
}

nlohmann::json to_json(const replay::Comparison& c, const replay::SnapshotStore::Read& read,
                       const std::string& rules_sha256) {
  nlohmann::json document{{"objects", c.objects},          {"same", c.same},
                          {"different", c.different},      {"perhaps", c.perhaps},
                          {"unreadable", read.unreadable}, {"rules_sha256", rules_sha256}};
  document["changes"] = nlohmann::json::array();
  for (const replay::Change& change : c.changes) {
    document["changes"].push_back({{"change", change.what},
                                   {"destination", change.destination},
                                   {"rule", change.rule},
                                   {"objects", change.objects},
                                   {"example", change.example},
                                   {"certain", change.certain}});
  }
  document["unanswered"] = nlohmann::json::array();
  for (const replay::Unanswered& one : c.unanswered) {
    document["unanswered"].push_back(
        {{"key", one.key}, {"reason", one.reason}, {"objects", one.objects}, {"rules", one.rules}});
  }
  return document;
}

void print_text(const replay::Comparison& c, const replay::SnapshotStore::Read& read) {
  std::size_t destination = 11, rule = 4;
  for (const replay::Change& change : c.changes) {
    destination = std::max(destination, change.destination.size());
    rule = std::max(rule, change.rule.size());
  }
  const auto line = [&](const auto& what, const auto& where, const auto& by, const auto& objects,
                        const auto& example) {
    std::cout << std::left << std::setw(10) << what << std::setw(static_cast<int>(destination) + 2)
              << where << std::setw(static_cast<int>(rule) + 2) << by << std::right << std::setw(9)
              << objects << "  " << example << '\n';
  };
  if (!c.changes.empty()) line("CHANGE", "DESTINATION", "RULE", "OBJECTS", "EXAMPLE");
  for (const replay::Change& change : c.changes) {
    line(change.what, change.destination, change.rule, change.objects,
         change.example + (change.certain ? "" : "  (perhaps)"));
  }
  for (const replay::Unanswered& one : c.unanswered) {
    std::cout << "unanswered: " << one.key << ": " << one.reason << " (" << one.objects
              << " objects), asked by";
    const char* comma = " ";
    for (const std::string& name : one.rules) {
      std::cout << comma << '\'' << name << '\'';
      comma = ", ";
    }
    std::cout << '\n';
  }
  if (read.unreadable > 0) std::cout << read.unreadable << " snapshots can not be read\n";
  std::cout << c.objects << " objects: " << c.same << " as they went, " << c.different
            << " otherwise";
  if (c.perhaps > 0) std::cout << ", " << c.perhaps << " perhaps otherwise";
  std::cout << '\n';
}

int run_replay(const Options& options) {
  const auto config = load_or_complain(options.file);
  if (!config) return kNo;
  UtcMicros since{};
  if (!options.since.empty()) {
    const auto parsed = parse_time(options.since);
    if (!parsed) {
      complain("--since: expected a time such as 2026-11-25T20:00, or how long ago, such as 7d");
      return kUsage;
    }
    since = *parsed;
  }
  const std::string folder = options.rules.empty() ? config->rules.string() : options.rules;
  const auto rules = rules::RuleSet::load(folder, config->site());
  print(rules.diagnostics);
  if (!rules.rules) return kNo;
  const std::string file = (config->spool / replay::kSnapshotFile).string();
  auto store = replay::SnapshotStore::open_to_read(file);
  if (!store) {
    complain(store.error().code == Errc::kNotFound ? file + ": no snapshots there"
                                                   : store.error().to_string());
    return kCouldNotAsk;
  }
  replay::Replay replay(*rules.rules, config->audit_key, config->transforms().character_set);
  const auto read = (*store)->each(since, [&](const replay::Snapshot& snapshot, replay::Keep keep) {
    replay.add(snapshot, keep);
    return true;
  });
  if (!read) {
    complain(read.error().to_string());
    return kCouldNotAsk;
  }
  const replay::Comparison comparison = replay.take();
  if (options.json) {
    print_json(to_json(comparison, *read, rules.rules->sha256()));
  } else {
    print_text(comparison, *read);
  }
  return options.expect_same && comparison.different > 0 ? kNo : kYes;
}

}  // namespace

void add_replay(CLI::App& app, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand(
      "replay", "what these rules would have made of the objects received so far");
  add_config_option(*command, options->file);
  command->add_option("--rules", options->rules, "candidate rule folder; default: the node's own")
      ->type_name("DIR");
  command
      ->add_option("--since", options->since,
                   "only what was received from then on (UTC), or "
                   "so long ago")
      ->type_name("TIME");
  command->add_flag("--expect-same", options->expect_same, "exit 1 when any object goes otherwise");
  command->add_flag("--json", options->json, "one JSON document");
  command->callback([options, &action] { action = [options] { return run_replay(*options); }; });
}

}  // namespace dr::cli
