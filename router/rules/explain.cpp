#include <string>

#include "router/rules/field_values.h"
#include "router/rules/outcome.h"

namespace dr::rules {
namespace {

using Op = Program::Node::Op;

constexpr std::size_t kMostShown = 256;  // octets of a value

/// At most so much of `text`, cut between characters.
std::string shortened(std::string text) {
  if (text.size() <= kMostShown) return text;
  std::size_t end = kMostShown;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  return text.substr(0, end) + "...";
}

/// Tests every condition of one object's rules by itself, without index and without short cuts.
class Explainer {
 public:
  Explainer(const Program& program, const Facts& facts)
      : program_(program), values_(program, facts) {}

  bool condition(std::uint32_t at, const std::string& inside,
                 std::vector<ConditionOutcome>& outcomes) {
    const Program::Node& node = program_.nodes[at];
    if (node.op == Op::kTest) return test(node.test, inside, outcomes);
    if (node.op == Op::kNot) return !condition(at + 1, below(inside, "not"), outcomes);
    bool all = true;
    bool any = false;
    int number = 0;
    // The whole condition, and each one of a list or behind `not`, is an `all` without a name.
    for (std::uint32_t child = at + 1; child < node.end; child = program_.nodes[child].end) {
      const std::string place = node.op == Op::kAny ? numbered("any", ++number)
                                : node.list         ? numbered("all", ++number)
                                                    : "";
      const bool holds = condition(child, below(inside, place), outcomes);
      all = all && holds;
      any = any || holds;
    }
    return node.op == Op::kAny ? any : all;
  }

  std::pmr::memory_resource* memory() { return values_.memory(); }

 private:
  static std::string numbered(const char* word, int number) {
    return std::string(word) + "[" + std::to_string(number) + "]";
  }
  static std::string below(const std::string& outer, const std::string& inner) {
    return outer.empty() || inner.empty() ? outer + inner : outer + "." + inner;
  }

  bool test(std::uint32_t at, const std::string& inside, std::vector<ConditionOutcome>& outcomes) {
    const Program::Test& asked = program_.tests[at];
    const Field& field = program_.fields[asked.field];
    const auto values = values_.of(asked.field);
    const bool matched = asked.pattern.matches(values);
    outcomes.push_back({inside, field.name, asked.pattern.canonical, seen(field, values), matched});
    return matched;
  }

  static std::optional<std::string> seen(const Field& field,
                                         std::span<const std::string_view> values) {
    if (values.empty()) return std::nullopt;
    if (field.opaque) {
      return "(" + std::to_string(values.front().size()) + " octets)";
    }
    std::string text;
    for (std::size_t i = 0; i < values.size() && text.size() <= kMostShown; ++i) {
      if (i > 0) text += '\\';
      text += values[i].substr(0, kMostShown + 4);
    }
    return shortened(std::move(text));
  }

  const Program& program_;
  FieldValues values_;
};

ConditionOutcome unmatched(const std::string& earlier) {
  ConditionOutcome outcome;
  outcome.key = "unmatched";
  outcome.expected = "no earlier rule has routed or rejected";
  if (!earlier.empty()) outcome.seen = earlier;
  outcome.matched = earlier.empty();
  return outcome;
}

}  // namespace

Explanation Program::explain(const Facts& facts) const {
  Explainer explainer(*this, facts);
  Outcome outcome(*this, explainer.memory());
  Explanation explanation;
  std::string decided_by;
  for (std::uint32_t at = 0; at < rules.size(); ++at) {
    const Rule& rule = rules[at];
    RuleOutcome& told = explanation.rules.emplace_back();
    told.reached = !outcome.stopped();
    bool holds = false;
    if (rule.unmatched) {
      told.conditions.push_back(unmatched(decided_by));
      holds = !outcome.decided();
    } else {
      holds = explainer.condition(rule.condition, "", told.conditions);
    }
    told.matched = holds && told.reached;
    if (!told.matched) continue;
    const bool before = outcome.decided();
    outcome.matched(at);
    if (!before && outcome.decided()) decided_by = rule.name;
  }
  explanation.decision = std::move(outcome).take();
  return explanation;
}

}  // namespace dr::rules
