#include "router/rules/rule_file.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>

#include "router/rules/condition.h"
#include "router/rules/field_name.h"
#include "router/rules/suggest.h"
#include "router/rules/transform.h"
#include "router/rules/wait.h"

namespace dr::rules {
namespace {

constexpr std::size_t kMaxName = 128;
constexpr std::string_view kKeys[] = {"name",    "when", "route",  "priority",
                                      "extract", "stop", "reject", "transform"};

void refuse_unknown_keys(const toml::table& table, Findings& findings) {
  std::vector<std::string_view> known(std::begin(kKeys), std::end(kKeys));
  known.insert(known.end(), wait_keys().begin(), wait_keys().end());
  for (const auto& [key, value] : in_file_order(table)) {
    if (std::ranges::find(known, key->str()) != known.end()) continue;
    findings.error(key->source(), "unknown key " + in_quotes(key->str()) + " in [[rule]]" +
                                      suggestion(key->str(), known));
  }
}

bool read_bool(const toml::table& table, std::string_view key, Findings& findings) {
  const toml::node* const node = table.get(key);
  if (node == nullptr) return false;
  if (const auto value = node->value_exact<bool>()) return *value;
  findings.error(node->source(), in_quotes(key) + " must be true or false");
  return false;
}

Priority read_priority(const toml::table& table, Findings& findings) {
  const toml::node* const node = table.get("priority");
  if (node == nullptr) return Priority::kNormal;
  const auto text = node->value_exact<std::string_view>();
  if (text == "high") return Priority::kHigh;
  if (text == "normal") return Priority::kNormal;
  if (text == "low") return Priority::kLow;
  constexpr std::string_view kKnown[] = {"high", "normal", "low"};
  findings.error(node->source(), "'priority' must be \"high\", \"normal\" or \"low\"" +
                                     suggestion(text.value_or(""), kKnown));
  return Priority::kNormal;
}

/// Failures by which a C-STORE may be refused (PS3.7 C.5, PS3.4 B.2.3): neither success, pending,
/// cancel nor a warning, after which the sender takes the object for stored.
bool is_failure(std::uint16_t status) {
  const auto family = status >> 12;
  const bool warning = family == 0xb || status == 0x0001 || status == 0x0107 || status == 0x0116;
  return status != 0 && !warning && status >> 8 != 0xff && status >> 8 != 0xfe;
}

std::optional<std::uint16_t> read_reject(const toml::table& table, Findings& findings) {
  const toml::node* const node = table.get("reject");
  if (node == nullptr) return std::nullopt;
  const std::string_view text = node->value_exact<std::string_view>().value_or("");
  std::uint16_t status = 0;
  const char* const digits_end = text.data() + std::min<std::size_t>(text.size(), 4);
  const auto [stop, error] = std::from_chars(text.data(), digits_end, status, 16);
  if (text.size() != 5 || text.back() != 'H' || error != std::errc{} || stop != digits_end) {
    findings.error(node->source(), "'reject' must be a DIMSE status such as \"0124H\"");
    return std::nullopt;
  }
  if (!is_failure(status)) {
    findings.error(node->source(), "'reject' must be a failure: after " + in_quotes(text) +
                                       " the sender takes the object for stored");
    return std::nullopt;
  }
  return status;
}

}  // namespace

void RuleCompiler::add_file(const toml::table& root, const std::string& file, Findings& findings) {
  for (const auto& [key, value] : in_file_order(root)) {
    if (key->str() != "rule") {
      constexpr std::string_view kKnown[] = {"rule"};
      findings.error(key->source(),
                     "unknown key " + in_quotes(key->str()) + suggestion(key->str(), kKnown));
      continue;
    }
    const toml::array* const rules = value->as_array();
    if (rules == nullptr || !rules->is_homogeneous(toml::node_type::table)) {
      findings.error(value->source(), "'rule' must be written as [[rule]]");
      continue;
    }
    for (const toml::node& rule : *rules) add_rule(*rule.as_table(), file, findings);
  }
}

void RuleCompiler::add_rule(const toml::table& table, const std::string& file, Findings& findings) {
  refuse_unknown_keys(table, findings);
  RuleInfo info;
  info.file = file;
  info.line = table.source().begin.line;
  read_name(table, info, findings);
  if (const toml::node* const route = table.get("route")) read_route(*route, info, findings);
  Program::Rule rule;
  rule.name = info.name;
  rule.priority = read_priority(table, findings);
  rule.extract = read_bool(table, "extract", findings);
  rule.stop = read_bool(table, "stop", findings);
  rule.reject = read_reject(table, findings);
  rule.wait = read_wait(table, findings);
  rule.rest = canonical_wait(rule.wait);
  for (const std::string& destination : info.route) {
    rule.destinations.push_back(program_.destination(destination));
  }
  if (const toml::node* const node = table.get("transform")) {
    info.transform = rule.transform = canonical_transform(*node, !info.route.empty(), findings);
    rule.rest += "transform = " + rule.transform + "\n";
  }
  if (rule.reject && (rule.extract || !rule.destinations.empty())) {
    findings.warning(table.get("reject")->source(),
                     "'reject' wins over everything: this rule routes and extracts nothing");
  }
  if (!table.contains("route") && !table.contains("reject") && !rule.extract && !rule.stop) {
    findings.error(table.source(),
                   "the rule does nothing: it needs 'route', 'extract', 'stop' or "
                   "'reject'");
  }
  read_when(table, rule, findings);
  program_.rules().push_back(std::move(rule));
  infos_.push_back(std::move(info));
}

void RuleCompiler::read_name(const toml::table& table, RuleInfo& info, Findings& findings) {
  const toml::node* const node = table.get("name");
  if (node == nullptr) return findings.error(table.source(), "the rule has no 'name'");
  info.name = node->value_exact<std::string>().value_or("");
  const bool control = std::ranges::any_of(
      info.name, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
  if (info.name.empty() || info.name.size() > kMaxName || control) {
    return findings.error(node->source(), "'name' must be a text of 1 to " +
                                              std::to_string(kMaxName) +
                                              " octets without control characters");
  }
  const auto [at, is_new] = names_.try_emplace(
      info.name, findings.file() + ":" + std::to_string(node->source().begin.line));
  if (!is_new) {
    findings.error(node->source(),
                   "another rule has the name " + in_quotes(info.name) + ": " + at->second);
  }
}

void RuleCompiler::read_route(const toml::node& node, RuleInfo& info, Findings& findings) {
  const toml::array* const array = node.as_array();
  if (array == nullptr || array->empty()) {
    return findings.error(node.source(), "'route' must be a list of destinations: [\"archive\"]");
  }
  for (const toml::node& element : *array) {
    const auto name = element.value_exact<std::string>();
    if (!name) {
      findings.error(element.source(), "'route' must be a list of destinations: [\"archive\"]");
    } else if (!site_.targets.contains(*name)) {
      const std::vector<std::string_view> known(site_.targets.begin(), site_.targets.end());
      findings.error(element.source(),
                     "unknown destination " + in_quotes(*name) + suggestion(*name, known));
    } else if (std::ranges::find(info.route, *name) != info.route.end()) {
      findings.error(element.source(), "'route' names " + in_quotes(*name) + " twice");
    } else {
      info.route.push_back(*name);
    }
  }
}

void RuleCompiler::read_when(const toml::table& table, Program::Rule& rule, Findings& findings) {
  const toml::node* const node = table.get("when");
  if (node == nullptr) {
    return findings.error(table.source(),
                          "the rule has no 'when'; for every object write when = {}");
  }
  if (const toml::table* const when = node->as_table()) {
    rule.condition = program_.next_node();
    return compile_condition(*when, site_, program_, findings);
  }
  rule.unmatched = node->value_exact<std::string_view>() == "unmatched";
  if (!rule.unmatched) {
    findings.error(node->source(), "'when' must be a condition, { ... }, or \"unmatched\"");
  }
}

}  // namespace dr::rules
