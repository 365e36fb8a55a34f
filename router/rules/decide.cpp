#include <algorithm>
#include <bit>

#include "router/rules/field_values.h"
#include "router/rules/index.h"
#include "router/rules/outcome.h"

namespace dr::rules {
namespace {

/// Which tests hold for one object. A field's tests are all made when it is first asked for.
class Evaluation {
 public:
  Evaluation(const Program& program, const Facts& facts)
      : program_(program),
        values_(program, facts),
        looked_at_(program.fields.size(), false, values_.memory()),
        holding_(program.tests.size(), false, values_.memory()),
        found_(values_.memory()) {}

  /// A bit for each rule that may match.
  std::pmr::vector<std::uint64_t> candidates() {
    const Index& index = *program_.index;
    std::pmr::vector<std::uint64_t> rules(index.always().begin(), index.always().end(),
                                          values_.memory());
    for (const std::uint32_t field : index.guard_fields()) {
      for (const std::uint32_t test : look_at(field)) {
        for (const std::uint32_t rule : index.rules_guarded_by(test)) {
          rules[rule / 64] |= std::uint64_t{1} << (rule % 64);
        }
      }
    }
    return rules;
  }

  bool holds(std::uint32_t at) {
    const Program::Node& node = program_.nodes[at];
    switch (node.op) {
      case Program::Node::Op::kTest:
        return test(node.test);
      case Program::Node::Op::kNot:
        return !holds(at + 1);
      case Program::Node::Op::kAny:
        for (std::uint32_t child = at + 1; child < node.end; child = program_.nodes[child].end) {
          if (holds(child)) return true;
        }
        return false;
      case Program::Node::Op::kAll:
        break;
    }
    for (std::uint32_t child = at + 1; child < node.end; child = program_.nodes[child].end) {
      if (!holds(child)) return false;
    }
    return true;
  }

  std::pmr::memory_resource* memory() { return values_.memory(); }

 private:
  bool test(std::uint32_t index) {
    const std::uint32_t field = program_.tests[index].field;
    if (!looked_at_[field]) look_at(field);
    return holding_[index];
  }

  /// The tests of the field that hold.
  std::span<const std::uint32_t> look_at(std::uint32_t field) {
    looked_at_[field] = true;
    found_.clear();
    program_.index->field(field).match(values_.of(field), found_);
    for (const std::uint32_t each : found_) holding_[each] = true;
    return found_;
  }

  const Program& program_;
  FieldValues values_;
  std::pmr::vector<char> looked_at_;
  std::pmr::vector<char> holding_;
  std::pmr::vector<std::uint32_t> found_;
};

}  // namespace

Outcome::Outcome(const Program& program, std::pmr::memory_resource* memory)
    : program_(program), place_(program.destinations.size(), kNotYet, memory) {}

void Outcome::matched(std::uint32_t index) {
  const Program::Rule& rule = program_.rules[index];
  decision_.matched.push_back(index);
  decided_ = decided_ || rule.reject || !rule.destinations.empty();
  stopped_ = rule.stop;
  decision_.extract = decision_.extract || rule.extract;
  if (!decision_.refuse) decision_.refuse = rule.reject;
  for (const std::uint32_t destination : rule.destinations) {
    if (place_[destination] == kNotYet) {
      place_[destination] = static_cast<std::uint32_t>(decision_.routes.size());
      decision_.routes.push_back(
          {program_.destinations[destination], rule.priority, rule.transform, {}, rule.wait});
    } else {
      Route& route = decision_.routes[place_[destination]];
      route.priority = std::min(route.priority, rule.priority);
      if (route.transform != rule.transform) route.held = "conflicting_transforms";
      // One rule wants it at once; of two that would wait the first says for what.
      if (rule.wait.until == Wait::Until::kNothing) route.wait = {};
    }
  }
}

Decision Outcome::take() && {
  if (decision_.refuse) {  // wins over everything
    decision_.routes.clear();
    decision_.extract = false;
  }
  return std::move(decision_);
}

Decision Program::decide(const Facts& facts) const {
  Evaluation evaluation(*this, facts);
  Outcome outcome(*this, evaluation.memory());
  const auto candidates = evaluation.candidates();
  for (std::size_t word = 0; word < candidates.size() && !outcome.stopped(); ++word) {
    for (std::uint64_t bits = candidates[word]; bits != 0 && !outcome.stopped(); bits &= bits - 1) {
      const auto at = static_cast<std::uint32_t>(64 * word) +
                      static_cast<std::uint32_t>(std::countr_zero(bits));
      const Rule& rule = rules[at];
      const bool fits = rule.unmatched ? !outcome.decided() : evaluation.holds(rule.condition);
      if (fits) outcome.matched(at);
    }
  }
  return std::move(outcome).take();
}

}  // namespace dr::rules
