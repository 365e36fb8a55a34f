#include "router/config.h"

#include <algorithm>
#include <charconv>

#include "dimse/encoding/character_set.h"
#include "router/config_audit.h"
#include "router/extraction/expectations.h"
#include "router/rules/suggest.h"
#include "router/rules/toml_reader.h"
#include "router/rules/units.h"

namespace dr {
namespace {

using rules::Findings;
using rules::TableReader;
using std::chrono::milliseconds;

constexpr std::size_t kMaxTransformResult = 64U << 20;  // octets: the UIDs of a reversible remap
constexpr std::size_t kMaxTransforms = 65536;           // that wait for a worker
constexpr std::uint64_t kMaxPdu = 16U << 20;
constexpr std::size_t kLeastKey = 16;
constexpr std::uint64_t kMostWorkerOutput = 1ULL << 30;  // a file
constexpr std::size_t kMostWorkerResult = 128U << 20;    // what a structure set refers to
constexpr int kWorkerNice = 10;
constexpr std::uint64_t kLeastWorkerMemory = 256U << 20;  // the program itself, and a small object

/// Names become metric labels, cursor names and words of the command line.
bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= 64 && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  });
}

void read_name(TableReader& table, std::string& into, std::set<std::string>& taken) {
  if (!table.require("name", into)) return;
  if (!is_name(into)) {
    table.error("name", "a name has 1 to 64 letters, digits, '-', '_' and '.'");
  } else if (!taken.insert(into).second) {
    table.error("name", "the name '" + into + "' is already taken");
  }
}

void read_ae_title(TableReader& table, std::string_view key, AeTitle& into) {
  std::string text;
  table.read(key, text);
  if (text.empty()) return;
  auto parsed = AeTitle::parse(text);
  if (parsed && !parsed->empty()) {
    into = *parsed;
  } else {
    table.error(key, "an AE title has 1 to 16 characters, without backslash");
  }
}

/// A word of a list, with a suggestion for one that is not. Whether a known word was there.
template <class T>
bool read_word(TableReader& table, std::string_view key,
               std::initializer_list<std::pair<std::string_view, T>> words, T& into) {
  std::string text;
  table.read(key, text);
  if (text.empty()) return false;
  std::vector<std::string_view> known;
  for (const auto& [word, value] : words) {
    if (word == text) {
      into = value;
      return true;
    }
    known.push_back(word);
  }
  table.error(
      key, "'" + std::string(key) + "' can not be '" + text + "'" + rules::suggestion(text, known));
  return false;
}

/// A word that means something, of which this version has only `supported`.
void read_only_word(TableReader& table, std::string_view key, std::string_view supported) {
  std::string text;
  table.read(key, text);
  if (!text.empty() && text != supported) {
    table.error(key, "'" + std::string(key) + " = \"" + text +
                         "\"' is not supported by this version yet; it has only \"" +
                         std::string(supported) + "\"");
  }
}

/// "0.0.0.0:11112" or "[::1]:8080".
void read_bind(TableReader& table, std::string& address, std::uint16_t& port) {
  std::string text;
  table.read("bind", text);
  if (text.empty()) return;
  const std::size_t colon = text.rfind(':');
  std::string host = text.substr(0, colon);
  const std::string_view digits =
      colon == std::string::npos ? "" : std::string_view(text).substr(colon + 1);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  std::uint16_t number = 0;
  const auto [end, ec] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (ec != std::errc() || end != digits.data() + digits.size() || !AddressRange::parse(host)) {
    return table.error("bind",
                       "expected ADDRESS:PORT, such as \"0.0.0.0:11112\" or \"[::]:11112\"");
  }
  address = host;
  port = number;
}

std::filesystem::path absolute(const std::filesystem::path& folder, const std::string& path) {
  return (folder / path).lexically_normal();
}

class Loader {
 public:
  Loader(const toml::table& root, std::filesystem::path folder, Findings& findings)
      : root_(root, "the configuration", findings),
        folder_(std::move(folder)),
        findings_(findings) {}

  Config load() {
    node();
    limits();
    timeouts();
    for (const toml::table* t : root_.tables("listener")) listener(*t);
    for (const toml::table* t : root_.tables("source")) source(*t);
    for (const toml::table* t : root_.tables("destination")) destination(*t);
    keys();
    audit();
    snapshots();
    admin();
    rtstruct();
    webhook();
    for (const std::string_view later : {"group", "commitment"}) {
      root_.unsupported(later);
    }
    root_.finish();
    if (config_.listeners.empty()) {
      findings_.warning({}, "no [[listener]]: nothing can be received");
    }
    return std::move(config_);
  }

 private:
  void node() {
    std::string spool = "../var/spool";
    std::string rules = "rules.d";
    config_.ae_title = *AeTitle::parse("ROUTER");
    if (const toml::table* t = root_.table("node")) {
      TableReader table(*t, "[node]", findings_);
      table.read("name", config_.node);
      if (!is_name(config_.node)) {
        table.error("name", "a name has 1 to 64 letters, digits, '-', '_' and '.'");
      }
      read_ae_title(table, "ae_title", config_.ae_title);
      table.read("spool", spool);
      table.read("rules", rules);
      timezone(table);
      table.finish();
    }
    config_.spool = absolute(folder_, spool);
    config_.rules = absolute(folder_, rules);
  }

  void timezone(TableReader& table) {
    std::string name = "UTC";
    table.read("timezone", name);
    if (auto zone = rules::TimeZone::find(name)) {
      config_.zone = *zone;
    } else {
      table.error("timezone", "'" + name + "': " + zone.error().detail);
    }
  }

  void limits() {
    const toml::table* t = root_.table("limits");
    if (t == nullptr) return;
    TableReader table(*t, "[limits]", findings_);
    table.read_size("memory", config_.memory, 64U << 20);
    table.read_size("disk_reserve", config_.disk_reserve);
    table.read_size("inflated", config_.most_inflated, 16U << 20);
    table.read_size("scrub_rate", config_.scrub.octets_per_second);
    table.read("scrub_every", config_.scrub.every);
    table.read("associations", config_.access.associations, 1, 65536);
    table.read("associations_per_source", config_.access.associations_per_source, 1, 65536);
    table.read("associations_per_address", config_.access.associations_per_address, 1, 65536);
    table.finish();
  }

  void timeouts() {
    const toml::table* t = root_.table("timeouts");
    if (t == nullptr) return;
    TableReader table(*t, "[timeouts]", findings_);
    table.read("artim", deadlines_.artim);
    table.read("progress", deadlines_.progress);
    table.read("idle", deadlines_.idle);
    table.read("response", deadlines_.response);
    table.finish();
  }

  void listener(const toml::table& t) {
    TableReader table(t, "[[listener]]", findings_);
    service::ListenerConfig listener = deadlines_;
    listener.port = 11112;
    read_name(table, listener.name, listener_names_);
    if (listener.name == extraction::kListener) {
      table.error("name", "the name 'rtstruct' is that of what extraction makes");
    }
    read_only_word(table, "kind", "dimse");
    read_bind(table, listener.address, listener.port);
    table.read("max_pdu", listener.max_pdu, 4096, kMaxPdu);
    table.read("async_ops", listener.async_ops, 1, 1024);
    std::vector<std::string> called{config_.ae_title.str()};
    table.read("ae_titles", called);
    for (std::string& title : called) {
      if (title == "*") continue;
      const auto parsed = AeTitle::parse(title);
      if (!parsed || parsed->empty())
        table.error("ae_titles", "not an AE title: '" + title + "'");
      else
        title = parsed->str();
    }
    config_.access.called[listener.name] = called;
    table.unsupported("tls");
    table.finish();
    config_.listeners.push_back(std::move(listener));
  }

  void source(const toml::table& t) {
    TableReader table(t, "[[source]]", findings_);
    SourceSettings source;
    if (table.require("ae_title", source.ae_title) && source.ae_title != "*") {
      AeTitle title;
      read_ae_title(table, "ae_title", title);
      source.ae_title = title.str();
    }
    std::vector<std::string> addresses;
    table.read("addresses", addresses);
    for (const std::string& text : addresses) {
      if (auto range = AddressRange::parse(text)) {
        source.addresses.push_back(*range);
      } else {
        table.error("addresses", "'" + text + "': " + range.error().detail);
      }
    }
    table.read("listeners", source.listeners);
    for (const std::string& name : source.listeners) {
      if (listener_names_.contains(name)) continue;
      const std::vector<std::string_view> known(listener_names_.begin(), listener_names_.end());
      table.error("listeners", "no listener '" + name + "'" + rules::suggestion(name, known));
    }
    table.read("associations", source.associations, 1, 65536);
    table.read("charset", source.character_set);
    if (table.has("charset") && !encoding::CharacterSet::is_known(source.character_set)) {
      table.error("charset", "'" + source.character_set +
                                 "' is no character set of PS3.3 C.12.1.1.2, such as ISO_IR 100");
    }
    for (const std::string_view later : {"certificates", "users"}) {
      table.unsupported(later);
    }
    table.finish();
    const bool anywhere =
        source.addresses.empty() || std::ranges::any_of(source.addresses, &AddressRange::everyone);
    if (source.ae_title == "*" && anywhere) {
      table.warning("ae_title", "anyone who reaches the listener may associate");
    }
    config_.access.sources.push_back(std::move(source));
  }

  void destination(const toml::table& t) {
    TableReader table(t, "[[destination]]", findings_);
    delivery::DestinationSettings d;
    read_name(table, d.name, destination_names_);
    std::string kind;
    if (table.require("kind", kind)) read_kind(table, kind, d.kind);
    read_word<bool>(table, "require", {{"deidentified", true}}, d.require_deidentified);
    if (const toml::table* retry_table = table.table("retry")) retry(*retry_table, d.retry);
    if (d.kind == delivery::Kind::kFolder) {
      std::string path;
      if (table.require("path", path)) d.path = absolute(folder_, path);
    } else if (delivery::is_http(d.kind)) {
      http_destination(table, d);
    } else {
      dimse_destination(table, d);
    }
    read_only_word(table, "transcode", "never");
    if (d.kind != delivery::Kind::kOrthanc) read_only_word(table, "verify", "none");
    for (const std::string_view later : {"allow_lossy", "commit", "duplicate_window", "window",
                                         "bandwidth", "tls", "project", "subject", "session"}) {
      table.unsupported(later);
    }
    table.finish();
    config_.destinations.push_back(std::move(d));
  }

  static void read_kind(TableReader& table, const std::string& text, delivery::Kind& into) {
    if (const auto kind = delivery::parse_kind(text)) {
      into = *kind;
      return;
    }
    const std::vector<std::string_view> known{"dimse", "folder", "orthanc", "stow"};
    if (text == "xnat") {
      table.error("kind", "kind '" + text + "' is not supported by this version yet");
    } else {
      table.error("kind", "unknown kind '" + text + "'" + rules::suggestion(text, known));
    }
  }

  void profile(TableReader& table, delivery::DestinationSettings& d) {
    using delivery::Profile;
    read_word<Profile>(table, "profile",
                       {{"generic", Profile::kGeneric},
                        {"orthanc", Profile::kOrthanc},
                        {"dcm4chee", Profile::kDcm4chee},
                        {"xnat", Profile::kXnat}},
                       d.profile);
  }

  void dimse_destination(TableReader& table, delivery::DestinationSettings& d) {
    profile(table, d);
    table.require("host", d.host);
    table.read("port", d.port, 1, 65535);
    std::string title;
    if (table.require("ae_title", title)) read_ae_title(table, "ae_title", d.ae_title);
    d.calling_ae_title = config_.ae_title;
    std::string calling;
    table.read("calling_ae_title", calling);
    d.calling_from_source = calling == "$source";
    if (!d.calling_from_source) read_ae_title(table, "calling_ae_title", d.calling_ae_title);
    table.read("associations", d.associations, 1, 256);
    table.read("async_ops", d.async_ops, 1, 1024);
    table.read("idle_close", d.idle_close);
    if (const toml::table* statuses = table.table("status")) status(*statuses, d.status);
  }

  void http_destination(TableReader& table, delivery::DestinationSettings& d) {
    using delivery::Verify;
    read_url(table, d.url, "patient data and credentials");
    while (d.url.path.ends_with('/'))
      d.url.path.pop_back();  // a base, to which "/studies" is joined
    if (!d.url.query.empty()) table.error("url", "'url' has a query");
    table.read("username", d.username);
    table.read("password", d.password);
    table.read("token", d.token);
    if (!d.token.empty() && !d.username.empty()) {
      table.error("token", "'token' and 'username' exclude each other");
    }
    if (d.username.empty() && !d.password.empty()) table.require("username", d.username);
    table.read("associations", d.associations, 1, 64);
    if (d.kind == delivery::Kind::kStow) {
      profile(table, d);
      if (const toml::table* statuses = table.table("status")) status(*statuses, d.status);
    } else {
      d.verify = Verify::kQuery;
      read_word<Verify>(
          table, "verify",
          {{"auto", Verify::kQuery}, {"query", Verify::kQuery}, {"none", Verify::kNone}}, d.verify);
    }
  }

  /// `what`: what others read on the way where it is not encrypted.
  static void read_url(TableReader& table, HttpUrl& into, const std::string& what) {
    std::string text;
    if (!table.require("url", text)) return;
    auto url = HttpUrl::parse(text);
    if (!url) return table.error("url", "'url' " + url.error().detail);
    if (!url->encrypted() && !url->on_this_machine()) {
      table.warning("url", what + " go there unencrypted");
    }
    into = *std::move(url);
  }

  void retry(const toml::table& t, delivery::RetrySettings& retry) {
    TableReader table(t, "retry", findings_);
    table.read("first", retry.first);
    table.read("factor", retry.factor, 1.0, 100.0);
    table.read("most", retry.most);
    table.read("give_up_after", retry.give_up_after);
    table.read("attempts", retry.attempts, 1, 1'000'000);
    table.finish();
  }

  void status(const toml::table& t, std::map<std::uint16_t, delivery::Verdict>& into) {
    using delivery::Verdict;
    TableReader table(t, "status", findings_);
    for (const auto& [key, node] : t) {
      Verdict verdict = Verdict::kTransient;
      read_word<Verdict>(table, key.str(),
                         {{"done", Verdict::kDone},
                          {"transient", Verdict::kTransient},
                          {"permanent", Verdict::kPermanent},
                          {"hold", Verdict::kHold}},
                         verdict);
      if (const auto code = delivery::parse_status(key.str())) {
        into[*code] = verdict;
      } else {
        findings_.error(key.source(), "expected a status of four hexadecimal digits, as \"A700\"");
      }
    }
  }

  void keys() {
    const toml::table* t = root_.table("keys");
    if (t == nullptr) return;
    TableReader table(*t, "[keys]", findings_);
    table.read("audit", config_.audit_key);
    table.read("pseudonym", config_.pseudonym_key);
    if (!config_.pseudonym_key.empty() && config_.pseudonym_key.size() < kLeastKey) {
      table.error("pseudonym", "a key has at least " + std::to_string(kLeastKey) +
                                   " characters: shorter ones can be guessed");
    }
    table.finish();
  }

  void audit() {
    const toml::table* t = root_.table("audit");
    if (t == nullptr) return;
    TableReader table(*t, "[audit]", findings_);
    const bool chosen = read_word<PatientData>(table, "patient_data",
                                               {{"none", PatientData::kNone},
                                                {"keyed-hash", PatientData::kKeyedHash},
                                                {"full", PatientData::kFull}},
                                               config_.patient_data);
    if (const toml::table* s = table.table("sqlite")) {
      TableReader sqlite(*s, "[audit.sqlite]", findings_);
      std::string path;
      if (sqlite.require("path", path)) config_.sqlite = absolute(folder_, path);
      sqlite.finish();
    }
    database_server(table, "postgresql", db::check_postgresql_url, config_.postgresql);
    database_server(table, "mysql", db::check_mysql_url, config_.mysql);
    if (const toml::table* s = table.table("syslog")) {
      config_.syslog = read_syslog(*s, folder_, findings_);
    }
    table.finish();
    if (chosen && config_.patient_data == PatientData::kKeyedHash && config_.audit_key.empty()) {
      table.warning("patient_data", "without [keys] audit the audit keeps no patient key");
    }
  }

  void database_server(TableReader& audit, const std::string& name,
                       Result<void> (*check)(const std::string&),
                       std::optional<db::ServerSettings>& into) {
    const toml::table* t = audit.table(name);
    if (t == nullptr) return;
    TableReader table(*t, "[audit." + name + "]", findings_);
    db::ServerSettings server;
    if (table.require("url", server.url)) {
      if (auto checked = check(server.url); !checked) table.error("url", checked.error().detail);
    }
    table.read("password", server.password);
    table.finish();
    // Whoever reads the file shall not have it: a password comes out of ${…}.
    const auto written = [&](const char* key) { return t->get(key)->value_or(std::string()); };
    if (table.has("password") && written("password").find("${") == std::string::npos) {
      table.error("password", "a password is taken from the environment: \"${NAME}\"");
    }
    if (table.has("url")) {
      const std::string url = written("url");
      const std::string user = url.substr(0, url.find('@'));
      const std::size_t colon = user.rfind(':');
      if (colon > user.find("//") && colon != std::string::npos &&
          user.find("${", colon) == std::string::npos && url.find('@') != std::string::npos) {
        table.error("url", "a password is taken from the environment: password = \"${NAME}\"");
      }
    }
    into = std::move(server);
  }

  void snapshots() {
    std::string keep_for = "30d";
    if (const toml::table* t = root_.table("retention")) {
      TableReader table(*t, "[retention]", findings_);
      table.read("snapshots", keep_for);
      config_.audit_retention = read_audit_retention(table);
      for (const std::string_view later : {"index", "unrouted"}) table.unsupported(later);
      const bool word = keep_for == "never" || keep_for == "none";
      const auto duration = rules::parse_duration(keep_for);
      if (!word && !duration) {
        table.error("snapshots",
                    "'snapshots': expected a duration such as \"30d\", \"never\" (to remove any) "
                    "or \"none\" (to keep any)");
      } else {
        config_.snapshots->retention = word ? std::chrono::milliseconds(0) : *duration;
      }
      table.finish();
    }
    config_.snapshots->key = config_.audit_key;
    if (const toml::table* t = root_.table("snapshots")) {
      TableReader table(*t, "[snapshots]", findings_);
      const bool chosen = read_word<replay::Keep>(table, "patient_data",
                                                  {{"none", replay::Keep::kNone},
                                                   {"keyed-hash", replay::Keep::kKeyedHash},
                                                   {"full", replay::Keep::kFull}},
                                                  config_.snapshots->keep);
      table.finish();
      if (chosen && config_.snapshots->keep == replay::Keep::kKeyedHash &&
          config_.audit_key.empty()) {
        table.warning("patient_data", "without [keys] audit snapshots keep no patient data");
      }
    }
    if (keep_for == "none") config_.snapshots.reset();
  }

  void rtstruct() {
    auto& extraction = config_.extraction;
    auto& workers = extraction.workers;
    milliseconds timeout = workers.limits.wall;
    if (const toml::table* t = root_.table("rtstruct")) {
      TableReader table(*t, "[rtstruct]", findings_);
      table.read("workers", workers.workers, 1, 64);
      table.read_size("memory", workers.limits.memory, kLeastWorkerMemory);
      table.read("timeout", timeout, milliseconds(1'000));
      table.read("wait", extraction.wait);
      table.read("keep", extraction.keep);
      table.read("segmentation", extraction.segmentation);
      table.read("report", extraction.report);
      std::string names;
      table.read("names", names);
      if (!names.empty()) expectations(table, absolute(folder_, names));
      table.finish();
    }
    workers.limits.wall = timeout;
    workers.limits.output = kMostWorkerOutput;
    workers.limits.result = kMostWorkerResult;
    workers.limits.nice = kWorkerNice;
    workers.limits.cpu = std::chrono::ceil<std::chrono::seconds>(timeout);
  }

  /// What is wrong in the file of names stands at its own places.
  void expectations(TableReader& table, const std::filesystem::path& file) {
    auto loaded = extraction::load_expectations(file);
    for (const rules::Diagnostic& d : loaded.diagnostics) {
      const std::string what = d.to_string();
      if (d.severity == rules::Diagnostic::Severity::kError) {
        table.error("names", what);
      } else {
        table.warning("names", what);
      }
    }
    config_.extraction.expectations = std::move(loaded.expectations);
  }

  void webhook() {
    const toml::table* t = root_.table("webhook");
    if (t == nullptr) return;
    TableReader table(*t, "[webhook]", findings_);
    extraction::WebhookSettings webhook;
    read_url(table, webhook.url, "messages");
    table.read("secret", webhook.secret);
    std::vector<std::string> on{"extraction"};
    table.read("on", on);
    const std::vector<std::string_view> known{"extraction"};
    for (const std::string& event : on) {
      if (event == known.front()) continue;
      table.error("on", "unknown event '" + event + "'" + rules::suggestion(event, known));
    }
    table.finish();
    config_.extraction.messages = !on.empty();
    if (!on.empty()) config_.webhook = std::move(webhook);
  }

  void admin() {
    const toml::table* t = root_.table("admin");
    if (t == nullptr) return;
    TableReader table(*t, "[admin]", findings_);
    read_bind(table, config_.admin.address, config_.admin.port);
    table.read("metrics_public", config_.admin.metrics_public);
    for (const toml::table* token : table.tables("token")) admin_token(*token);
    table.finish();
    const auto loopback4 = AddressRange::parse("127.0.0.0/8");
    const bool loopback =
        loopback4->contains(config_.admin.address) || config_.admin.address == "::1";
    if (!loopback && config_.admin.tokens.empty()) {
      table.error("bind", "bound to more than loopback, [admin] needs an [[admin.token]]");
    }
  }

  void admin_token(const toml::table& t) {
    TableReader table(t, "[[admin.token]]", findings_);
    admin::Token token;
    read_name(table, token.name, token_names_);
    if (table.require("token", token.token) && token.token.size() < 16) {
      table.error("token", "a token has at least 16 characters");
    }
    std::vector<std::string> roles;
    table.read("roles", roles);
    for (const std::string& role : roles) {
      const std::vector<std::string_view> known{"read", "operate", "store"};
      if (std::ranges::find(known, role) == known.end()) {
        table.error("roles", "unknown role '" + role + "'" + rules::suggestion(role, known));
      }
    }
    token.roles.insert(roles.begin(), roles.end());
    table.finish();
    config_.admin.tokens.push_back(std::move(token));
  }

  TableReader root_;
  std::filesystem::path folder_;
  Findings& findings_;
  Config config_;
  service::ListenerConfig deadlines_;
  std::set<std::string> listener_names_, destination_names_, token_names_;
};

}  // namespace

std::set<std::string> Config::targets() const {
  std::set<std::string> names;
  for (const auto& destination : destinations) names.insert(destination.name);
  return names;
}

delivery::TransformerSettings Config::transforms() const {
  delivery::TransformerSettings settings;
  settings.character_set = [from = access](const journal::ObjectRecord& object) {
    return std::string(character_set_from(from, object.calling_ae_title.view(), object.peer_address,
                                          object.listener));
  };
  settings.pseudonym_key = pseudonym_key;
  settings.system = ae_title.view();
  settings.folder = spool.string();
  settings.most_inflated = most_inflated;
  worker::Limits& limits = settings.workers.limits;
  limits.output = std::max(limits.output, most_inflated);
  limits.result = kMaxTransformResult;
  settings.workers.waiting = kMaxTransforms;
  return settings;
}

rules::Site Config::site() const {
  rules::Site site;
  site.targets = targets();
  site.destinations = site.targets;
  site.zone = zone;
  site.has_pseudonym_key = !pseudonym_key.empty();
  for (const auto& listener : listeners) site.listeners.insert(listener.name);
  if (extraction.segmentation || extraction.report) site.listeners.insert(extraction::kListener);
  for (const SourceSettings& source : access.sources) {
    if (source.ae_title != "*") site.sources.insert(source.ae_title);
  }
  for (const auto& destination : destinations) {
    if (destination.kind != delivery::Kind::kDimse) continue;
    const bool here = destination.host == "localhost" || destination.host == "::1" ||
                      destination.host.starts_with("127.");
    const bool listens = std::ranges::any_of(
        listeners, [&](const auto& listener) { return listener.port == destination.port; });
    site.peers.push_back({destination.name, destination.ae_title.str(), here && listens});
  }
  return site;
}

Result<admin::Sender> sender_of(const Config& config, const Clock& clock,
                                const std::map<std::string, std::string>& query) {
  admin::Sender unnamed;
  unnamed.called_ae_title = config.ae_title;
  if (!config.listeners.empty()) unnamed.listener = config.listeners.front().name;
  unnamed.received = clock.now_utc();
  auto sender = admin::with_query(std::move(unnamed), query);
  if (!sender) return sender;
  sender->character_set = character_set_from(config.access, sender->calling_ae_title.view(),
                                             sender->address, sender->listener);
  return sender;
}

LoadedConfig load_config(const std::filesystem::path& file) {
  Findings findings(file.string());
  LoadedConfig loaded;
  if (const auto table = rules::read_toml(file, findings)) {
    std::error_code ec;
    const auto folder = std::filesystem::absolute(file, ec).parent_path();
    loaded.understood = Loader(*table, folder, findings).load();
    if (!findings.failed()) loaded.config = loaded.understood;
  }
  loaded.diagnostics = findings.take();
  std::ranges::stable_sort(loaded.diagnostics, {},
                           [](const rules::Diagnostic& d) { return std::pair(d.line, d.column); });
  return loaded;
}

}  // namespace dr
