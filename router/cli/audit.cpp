// dicom-router audit compare|rebuild|forget.
#include <filesystem>
#include <iostream>
#include <thread>

#include <nlohmann/json.hpp>
#include <pwd.h>
#include <unistd.h>

#include "router/admin/socket_server.h"
#include "router/audit/compare.h"
#include "router/audit/feed.h"
#include "router/audit/forget.h"
#include "router/audit/journal_rows.h"
#include "router/cli/command.h"
#include "router/node.h"
#include "router/node_audit.h"

namespace dr::cli {
namespace {

using nlohmann::json;

constexpr std::chrono::milliseconds kPatience{60'000};
constexpr std::uint64_t kCopySpan = 5'000;  // sequences

/// What the running node says of itself; nullopt: none runs.
Result<std::optional<json>> node_status(const Config& config) {
  admin::Request request;
  request.path = "/api/v1/status";
  const auto response = admin::ask(admin_socket(config), request, kPatience);
  if (!response && response.error().code == Errc::kNotFound) return std::optional<json>{};
  if (!response) return response.error();
  json document = json::parse(response->body, nullptr, false);
  if (response->status != 200 || !document.is_object()) {
    return Error{Errc::kIo, "the node does not answer"};
  }
  return std::optional<json>(std::move(document));
}

/// The spool of this configuration, and its journal while no node runs on it.
struct Spool {
  std::unique_ptr<FileSystem> files;
  SystemClock clock;
  std::unique_ptr<journal::Journal> journal;
  std::string id;  // empty: there is none
  std::optional<json> running;
};

Result<std::unique_ptr<Spool>> open_spool(const Config& config) {
  auto spool = std::make_unique<Spool>();
  auto running = node_status(config);
  if (!running) return std::move(running).error();
  spool->running = *std::move(running);
  if (!std::filesystem::is_directory(config.spool)) return spool;
  auto files = open_posix_file_system(config.spool.string());
  if (!files) return std::move(files).error();
  spool->files = *std::move(files);
  if (spool->running) {
    spool->id = spool->running->at("journal").at("spool_id");
    return spool;
  }
  journal::Options options;
  options.ahead_octets = 0;  // nothing will be received
  auto journal = journal::Journal::open(*spool->files, spool->clock, options);
  if (!journal) return std::move(journal).error();
  spool->journal = *std::move(journal);
  spool->id = spool->journal->spool_id();
  return spool;
}

// --- compare -------------------------------------------------------------------------------------

json to_json(const audit::Comparison& c, const std::vector<std::string>& sources) {
  json findings = json::array();
  for (const audit::Finding& f : c.findings) {
    findings.push_back(
        {{"source", f.source}, {"table", f.table}, {"key", f.key}, {"what", f.what}});
  }
  json days = json::array();
  for (const audit::ComparedDay& d : c.days) {
    days.push_back({{"node", d.node},
                    {"spool_id", d.spool_id},
                    {"day", d.day},
                    {"rows", d.rows},
                    {"head", d.head}});
  }
  json retained = json::object();
  for (const auto& [node, day] : c.retained_from) retained[node] = audit::day_text(day);
  return {{"good", c.good()},
          {"sources", sources},
          {"rows", c.rows},
          {"unsealed", c.unsealed},
          {"forgotten", c.forgotten},
          {"days", std::move(days)},
          {"retained_from", std::move(retained)},
          {"findings", std::move(findings)}};
}

void print_text(const audit::Comparison& c, const std::vector<std::string>& sources) {
  std::cout << "compared";
  for (const std::string& source : sources) std::cout << ' ' << source;
  std::cout << ": " << c.rows << " rows, " << c.unsealed << " without a seal, " << c.forgotten
            << " forgotten\n";
  for (const audit::ComparedDay& day : c.days) {
    std::cout << day.day << ' ' << day.node << ' ' << day.spool_id << "  head " << day.head;
    for (const auto& [source, rows] : day.rows) std::cout << "  " << source << ' ' << rows;
    std::cout << '\n';
  }
  for (const auto& [node, day] : c.retained_from) {
    std::cout << node << ": rows from before " << audit::day_text(day)
              << " were removed by [retention] audit\n";
  }
  for (const audit::Finding& f : c.findings) {
    std::cout << f.source << ": " << f.table << (f.table.empty() ? "" : " ") << f.key << ": "
              << f.what << '\n';
  }
  std::cout << (c.good() ? "all agree\n" : std::to_string(c.findings.size()) + " findings\n");
}

audit::CompareOptions options_for(const Config& config, const Spool& spool,
                                  const audit::Sealer& sealer) {
  audit::CompareOptions options;
  options.heads = [&](const std::string& node, const std::string& spool_id)
      -> Result<std::optional<std::map<audit::Day, audit::DayHead>>> {
    std::optional<std::map<audit::Day, audit::DayHead>> none;
    if (!sealer.has_key() || spool.id.empty() || node != config.node || spool_id != spool.id) {
      return none;
    }
    auto days = audit::HeadFiles(*spool.files, sealer, node, spool_id).read();
    if (!days) return std::move(days).error();
    return std::optional(*std::move(days));
  };
  options.upto = [&](const std::string& spool_id) {
    std::uint64_t last = ~0ULL >> 1;
    if (!spool.running || spool_id != spool.id) return last;
    last = spool.running->at("journal").at("watermark");
    std::uint64_t lag = 0;
    for (const json& sink : spool.running->at("audit")) {
      if (sink.at("sink") == "syslog") continue;  // has no rows to compare
      lag = std::max<std::uint64_t>(lag, sink.at("lag_records"));
    }
    return last - std::min(lag, last);
  };
  options.again = [&] {
    if (spool.running) std::this_thread::sleep_for(std::chrono::seconds(1));
    return spool.running.has_value();
  };
  return options;
}

int compare(const std::string& file, bool as_json) {
  const auto config = load_or_complain(file);
  if (!config) return kNo;
  const audit::Sealer sealer(config->audit_key);
  const auto spool = open_spool(*config);
  if (!spool) {
    complain(spool.error().to_string());
    return kCouldNotAsk;
  }
  std::vector<audit::Source> sources;
  for (const AuditDatabase& database : audit_databases(*config)) {
    auto store = database.open();
    if (!store) {
      complain(database.name + ": " + store.error().to_string());
      return kCouldNotAsk;
    }
    sources.push_back({database.name, *std::move(store), false});
  }
  if ((*spool)->journal) {
    sources.push_back(
        {"journal", std::make_shared<audit::JournalRows>(*(*spool)->journal, config->node, sealer),
         true});
  }
  if (sources.empty()) {
    complain("no [audit.*] and no journal: nothing to compare");
    return kCouldNotAsk;
  }
  const auto compared = audit::compare(sources, sealer, options_for(*config, **spool, sealer));
  if (!compared) {
    complain(compared.error().to_string());
    return kCouldNotAsk;
  }
  std::vector<std::string> names;
  for (const audit::Source& source : sources) names.push_back(source.name);
  if (as_json) {
    print_json(to_json(*compared, names));
  } else {
    print_text(*compared, names);
  }
  return compared->good() ? kYes : kNo;
}

// --- rebuild -------------------------------------------------------------------------------------

/// Everything that one database has into another; what is there stays. Rows read.
Result<std::uint64_t> copy(db::AuditStore& from, db::AuditStore& to) {
  std::uint64_t rows = 0;
  const auto extents = from.extents();
  if (!extents) return extents.error();
  for (db::Extent span : *extents) {
    for (const std::uint64_t last = span.last; span.first <= last; span.first = span.last + 1) {
      span.last = std::min(last, span.first + kCopySpan - 1);
      const auto records = from.read(span);
      if (!records) return records.error();
      if (auto put = to.put(*records); !put) return std::move(put).error();
      for (const auto& kind : *records) rows += kind.size();
    }
  }
  return rows;
}

/// What the journal still has, by the same feed that the node uses, from its beginning on.
bool rebuild_from_journal(const Config& config, Spool& spool, const AuditDatabase& target,
                          const audit::Sealer& sealer) {
  std::uint64_t written = 0;
  std::uint64_t refused = 0;
  audit::FeedEvents events;
  events.written = [&](const std::string&, std::size_t rows) { written += rows; };
  events.refused = [&](const std::string&, std::size_t rows) { refused += rows; };
  spool.journal->drop_cursor("audit-" + target.name);
  bool complete = false;
  {
    audit::Feed feed(target.name, target.open, *spool.journal, config.node, events, &sealer);
    complete = feed.wait_written(spool.journal->watermark(), std::chrono::hours(24));
    feed.stop(std::chrono::milliseconds(0));
  }
  std::cout << "from the journal: " << written << " rows, " << refused << " refused"
            << (complete ? "\n" : ", not to its end\n");
  return complete && refused == 0;
}

int rebuild(const std::string& file, const std::string& name, const std::string& from) {
  const auto config = load_or_complain(file);
  if (!config) return kNo;
  const std::vector<AuditDatabase> all = audit_databases(*config);
  const auto find = [&](const std::string& wanted) {
    const auto found = std::ranges::find(all, wanted, &AuditDatabase::name);
    if (found == all.end()) complain("no [audit." + wanted + "] in the configuration");
    return found;
  };
  const auto target = find(name);
  const auto source = from.empty() ? all.end() : find(from);
  if (target == all.end() || (!from.empty() && source == all.end())) return kUsage;
  const audit::Sealer sealer(config->audit_key);
  const auto spool = open_spool(*config);
  if (!spool) {
    complain(spool.error().to_string());
    return kCouldNotAsk;
  }
  auto into = target->open();
  if (!into) {
    complain(name + ": " + into.error().to_string());
    return kCouldNotAsk;
  }
  bool good = true;
  if (source != all.end()) {
    auto other = source->open();
    const auto copied = other ? copy(**other, **into) : Result<std::uint64_t>(other.error());
    if (!copied) {
      complain(from + ": " + copied.error().to_string());
      return kCouldNotAsk;
    }
    std::cout << "from " << from << ": " << *copied << " rows\n";
  }
  if ((*spool)->journal) {
    good = rebuild_from_journal(*config, **spool, *target, sealer);
  } else if ((*spool)->running) {
    std::cout << "the journal is the running node's: stop it to rebuild from there\n";
    if (from.empty()) return kCouldNotAsk;
  }
  return good ? kYes : kNo;
}

// --- forget --------------------------------------------------------------------------------------

std::string user_name() {
  const passwd* const user = ::getpwuid(::geteuid());
  return user != nullptr ? user->pw_name : std::to_string(::geteuid());
}

Result<void> record_forget(const Config& config, const std::string& patient) {
  auto spool = open_spool(config);
  if (!spool) return std::move(spool).error();
  if ((*spool)->running) {
    admin::Request request;
    request.method = "POST";
    request.path = "/api/v1/audit/forget";
    request.body = json{{"patient", patient}}.dump(-1, ' ', false, json::error_handler_t::replace);
    const auto response = admin::ask(admin_socket(config), request, kPatience);
    if (!response) return response.error();
    if (response->status == 200) return {};
    const json told = json::parse(response->body, nullptr, false);
    return Error{Errc::kUnsupported, told.is_object() && told.contains("error")
                                         ? told["error"].value("message", "refused")
                                         : "refused"};
  }
  if (!(*spool)->journal) return Error{Errc::kNotFound, "no spool"};
  const audit::Sealer sealer(config.audit_key);
  const PatientKey keys(config.patient_data, config.audit_key);
  auto record =
      audit::forget_record(sealer, keys.of(patient), user_name(), (*spool)->clock.now_utc());
  if (!record) return std::move(record).error();
  if (auto appended = (*spool)->journal->append(*record); !appended) return appended;
  (*spool)->journal->close();
  return {};
}

int forget(const std::string& file, std::string patient) {
  const auto config = load_or_complain(file);
  if (!config) return kNo;
  if (patient == "-") std::getline(std::cin, patient);
  if (patient.empty()) {
    complain("no patient's ID was given");
    return kUsage;
  }
  if (const auto recorded = record_forget(*config, patient); !recorded) {
    complain(recorded.error().to_string());
    return recorded.error().code == Errc::kUnsupported ? kNo : kCouldNotAsk;
  }
  std::cout << "recorded: each audit database forgets the patient when its feed comes to it\n";
  return kYes;
}

}  // namespace

void add_audit(CLI::App& app, Action& action) {
  struct Options {
    std::string file, name, from, patient;
    bool json = false;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("audit", "the audit databases");
  command->require_subcommand(1);
  CLI::App* compared = command->add_subcommand(
      "compare", "hold them against each other, their seals and the journal");
  add_config_option(*compared, options->file);
  compared->add_flag("--json", options->json, "one JSON document");
  compared->callback(
      [options, &action] { action = [options] { return compare(options->file, options->json); }; });
  CLI::App* rebuilt = command->add_subcommand(
      "rebuild", "write into one what is missing there, from the journal and from another one");
  add_config_option(*rebuilt, options->file);
  rebuilt->add_option("database", options->name, "sqlite, postgresql or mysql")->required();
  rebuilt->add_option("--from", options->from,
                      "another database, for what the journal has no more");
  rebuilt->callback([options, &action] {
    action = [options] { return rebuild(options->file, options->name, options->from); };
  });
  CLI::App* forgotten = command->add_subcommand("forget", "let every database forget a patient");
  add_config_option(*forgotten, options->file);
  forgotten
      ->add_option("patient", options->patient, "the Patient ID; - reads it from standard input")
      ->required();
  forgotten->callback([options, &action] {
    action = [options] { return forget(options->file, options->patient); };
  });
}

}  // namespace dr::cli
