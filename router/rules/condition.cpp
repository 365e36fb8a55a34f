#include "router/rules/condition.h"

#include <algorithm>
#include <string_view>
#include <tuple>

#include "router/rules/field_name.h"
#include "router/rules/value.h"

namespace dr::rules {
namespace {

using Op = Program::Node::Op;

constexpr int kMaxDepth = 16;

class ConditionCompiler {
 public:
  ConditionCompiler(const Site& site, ProgramBuilder& program, Findings& findings)
      : site_(site), program_(program), findings_(findings) {}

  /// All keys of the table must hold.
  void all_of(const toml::table& table, int depth);

 private:
  void entry(const toml::key& key, const toml::node& value, int depth);
  void several(Op op, const toml::key& key, const toml::node& value, int depth);
  void none_of(const toml::node& value, int depth);
  void field(const std::string& name, const toml::key& key, const toml::node& value);
  void inside(const std::string& name, const toml::key& key, const toml::table& table);
  bool too_deep(const toml::node& value, int depth);

  const Site& site_;
  ProgramBuilder& program_;
  Findings& findings_;
};

bool is_equals(const toml::table& table) { return table.contains("equals"); }

bool ConditionCompiler::too_deep(const toml::node& value, int depth) {
  if (depth < kMaxDepth) return false;
  findings_.error(value.source(), "conditions nest at most " + std::to_string(kMaxDepth) + " deep");
  return true;
}

void ConditionCompiler::all_of(const toml::table& table, int depth) {
  if (too_deep(table, depth)) return;
  const std::uint32_t node = program_.begin_node(Op::kAll);
  for (const auto& [key, value] : in_file_order(table)) entry(*key, *value, depth);
  program_.end_node(node);
}

void ConditionCompiler::entry(const toml::key& key, const toml::node& value, int depth) {
  const std::string_view name = key.str();
  if (name == "any") return several(Op::kAny, key, value, depth);
  if (name == "all") return several(Op::kAll, key, value, depth);
  if (name == "not") return none_of(value, depth);
  field(std::string(name), key, value);
}

void ConditionCompiler::several(Op op, const toml::key& key, const toml::node& value, int depth) {
  const toml::array* const array = value.as_array();
  if (array == nullptr || array->empty() || !array->is_homogeneous(toml::node_type::table)) {
    return findings_.error(
        value.source(),
        "'" + std::string(key.str()) + "' must be a list of conditions: [ { ... }, { ... } ]");
  }
  const std::uint32_t node = program_.begin_node(op, op == Op::kAll);
  for (const toml::node& condition : *array) all_of(*condition.as_table(), depth + 1);
  program_.end_node(node);
}

void ConditionCompiler::none_of(const toml::node& value, int depth) {
  const toml::table* const table = value.as_table();
  if (table == nullptr || table->empty()) {
    return findings_.error(value.source(), "'not' must be a condition: { ... }");
  }
  const std::uint32_t node = program_.begin_node(Op::kNot);
  all_of(*table, depth + 1);
  program_.end_node(node);
}

/// `name` is the key with all that stands before it in dotted keys.
void ConditionCompiler::field(const std::string& name, const toml::key& key,
                              const toml::node& value) {
  if (const toml::table* table = value.as_table(); table != nullptr && !is_equals(*table)) {
    return inside(name, key, *table);
  }
  const auto named = find_field(name, program_);
  if (!named) return findings_.error(key.source(), named.error().detail);
  auto pattern = compile_value(value, *named, site_, findings_);
  if (pattern) program_.add_test(program_.field(named->field), *std::move(pattern));
}

/// `source.ae_title`, `Sequence.Keyword`: to TOML these are tables in tables.
void ConditionCompiler::inside(const std::string& name, const toml::key& key,
                               const toml::table& table) {
  if (name != "source") {
    const auto sequence = find_field(name, program_);
    if (!sequence) return findings_.error(key.source(), sequence.error().detail);
    if (sequence->kind != Kind::kSequence && sequence->field.creator == kStandard) {
      return findings_.error(key.source(), in_quotes(name) + " takes a value, not a table");
    }
  }
  if (table.empty()) return findings_.error(table.source(), in_quotes(name) + " asks for nothing");
  for (const auto& [inner, value] : in_file_order(table)) {
    field(name + "." + std::string(inner->str()), *inner, *value);
  }
}

}  // namespace

std::vector<std::pair<const toml::key*, const toml::node*>> in_file_order(
    const toml::table& table) {
  std::vector<std::pair<const toml::key*, const toml::node*>> entries;
  for (const auto& [key, value] : table) entries.emplace_back(&key, &value);
  std::ranges::stable_sort(entries, {}, [](const auto& entry) {
    const toml::source_position at = entry.first->source().begin;
    return std::tuple(at.line, at.column);
  });
  return entries;
}

void compile_condition(const toml::table& when, const Site& site, ProgramBuilder& program,
                       Findings& findings) {
  ConditionCompiler(site, program, findings).all_of(when, 0);
}

}  // namespace dr::rules
