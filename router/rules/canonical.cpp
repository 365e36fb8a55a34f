#include "router/rules/canonical.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <span>

#include "router/rules/toml_text.h"

namespace dr::rules {
namespace {

using Op = Program::Node::Op;

std::string listed(std::span<const std::string> parts, const char* open, const char* close) {
  std::string out = open;
  for (std::size_t i = 0; i < parts.size(); ++i) out += (i > 0 ? ", " : " ") + parts[i];
  return out + " " + close;
}

struct Entry {
  std::string key;
  std::string value;
};

/// What a condition is inside of a table.
Entry entry_of(const Program& program, const Condition& condition) {
  switch (condition.op) {
    case Op::kTest: {
      const Program::Test& test = program.tests[condition.test];
      return {toml_string(program.fields[test.field].name), test.pattern.canonical};
    }
    case Op::kNot: {
      const Condition& inner = condition.children.front();
      return {"not", inner.always() ? "{ all = [ {} ] }" : inner.text};
    }
    default: {
      std::vector<std::string> tables;
      for (const Condition& child : condition.children) tables.push_back(child.text);
      return {condition.op == Op::kAny ? "any" : "all", listed(tables, "[", "]")};
    }
  }
}

/// A TOML table has each key once: what is left over goes into `all`.
std::string table_of(const Program& program, std::span<const Condition> conditions) {
  std::vector<std::string> entries;
  std::vector<std::string> more;
  std::vector<std::string> keys;
  for (const Condition& condition : conditions) {
    const Entry entry = entry_of(program, condition);
    const std::string text = entry.key + " = " + entry.value;
    const bool again = std::ranges::find(keys, entry.key) != keys.end();
    if (again) {
      more.push_back("{ " + text + " }");
    } else {
      entries.push_back(text);
      keys.push_back(entry.key);
    }
  }
  if (!more.empty()) entries.push_back("all = " + listed(more, "[", "]"));
  return entries.empty() ? "{}" : listed(entries, "{", "}");
}

void write_text(const Program& program, Condition& condition) {
  condition.text = condition.op == Op::kAll ? table_of(program, condition.children)
                                            : table_of(program, std::span(&condition, 1));
}

/// `all` in `all` and `any` in `any` are one.
void add_flat(Condition& into, Condition child) {
  if (child.op != into.op) {
    into.children.push_back(std::move(child));
    return;
  }
  for (Condition& each : child.children) into.children.push_back(std::move(each));
}

std::string hex_status(std::uint16_t status) {
  std::array<char, 8> text;
  std::snprintf(text.data(), text.size(), "%04XH", static_cast<unsigned>(status));
  return text.data();
}

std::string rule_text(const Program& program, const Program::Rule& rule) {
  std::string text = "[[rule]]\nname = " + toml_string(rule.name) + "\nwhen = ";
  text += rule.unmatched ? "\"unmatched\"" : canonical_condition(program, rule.condition).text;
  text += '\n';
  if (!rule.destinations.empty()) {
    std::vector<std::string> names;
    for (const auto at : rule.destinations) names.push_back(toml_string(program.destinations[at]));
    text += "route = " + listed(names, "[", "]") + "\n";
  }
  if (rule.priority == Priority::kHigh) text += "priority = \"high\"\n";
  if (rule.priority == Priority::kLow) text += "priority = \"low\"\n";
  if (rule.extract) text += "extract = true\n";
  if (rule.stop) text += "stop = true\n";
  if (rule.reject) text += "reject = \"" + hex_status(*rule.reject) + "\"\n";
  return text + rule.rest;
}

}  // namespace

Condition canonical_condition(const Program& program, std::uint32_t at) {
  const Program::Node& node = program.nodes[at];
  Condition condition;
  condition.op = node.op;
  condition.test = node.test;
  if (node.op == Op::kNot) {
    Condition inner = canonical_condition(program, at + 1);
    if (inner.op == Op::kNot) return std::move(inner.children.front());
    condition.children.push_back(std::move(inner));
  } else {
    for (std::uint32_t child = at + 1; child < node.end; child = program.nodes[child].end) {
      add_flat(condition, canonical_condition(program, child));
    }
    auto& children = condition.children;
    std::ranges::sort(children, {}, &Condition::text);
    const auto same = std::ranges::unique(children, {}, &Condition::text);
    children.erase(same.begin(), same.end());
    if (node.op == Op::kAny && std::ranges::any_of(children, &Condition::always)) {
      condition.op = Op::kAll;
      children.clear();
    }
    if (children.size() == 1) return Condition(std::move(children.front()));
  }
  write_text(program, condition);
  return condition;
}

std::string Program::canonical() const {
  std::string text;
  for (const Rule& rule : rules) text += (text.empty() ? "" : "\n") + rule_text(*this, rule);
  return text;
}

}  // namespace dr::rules
