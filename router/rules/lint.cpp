#include "router/rules/lint.h"

#include <algorithm>
#include <set>

#include "router/rules/canonical.h"
#include "router/rules/field_name.h"

namespace dr::rules {
namespace {

using Op = Program::Node::Op;

/// Whether something holds, as far as one fact tells.
enum class Answer { kNo, kMaybe, kYes };

class Linter {
 public:
  Linter(const Program& program, const std::vector<RuleInfo>& infos, const Site& site,
         const std::filesystem::path& folder)
      : program_(program), infos_(infos), site_(site), folder_(folder) {
    for (const Program::Rule& rule : program.rules) {
      const Condition& added = conditions_.emplace_back(
          rule.unmatched ? Condition{} : canonical_condition(program, rule.condition));
      asked_.push_back(fields_of(added));
      needed_.push_back(added.op == Op::kAny || added.op == Op::kNot ? 0 : needed_by(added));
    }
  }

  std::vector<Diagnostic> run() {
    for (std::uint32_t at = 0; at < program_.rules.size(); ++at) {
      if (!unreachable(at)) shadowed(at);
      routes_back(at);
    }
    unused();
    return std::move(warnings_);
  }

 private:
  void warn(std::uint32_t rule, std::string message) {
    warnings_.push_back({Diagnostic::Severity::kWarning, (folder_ / infos_[rule].file).string(),
                         infos_[rule].line, 1, std::move(message)});
  }
  std::string place(std::uint32_t rule) const {
    return in_quotes(infos_[rule].name) + " (" + infos_[rule].file + ":" +
           std::to_string(infos_[rule].line) + ")";
  }
  bool decides(std::uint32_t rule) const {
    return program_.rules[rule].reject || !program_.rules[rule].destinations.empty();
  }

  /// One of 64 bits for each field that the condition asks about.
  std::uint64_t fields_of(const Condition& condition) const {
    if (condition.op == Op::kTest) {
      return std::uint64_t{1} << (program_.tests[condition.test].field % 64);
    }
    std::uint64_t bits = 0;
    for (const Condition& child : condition.children) bits |= fields_of(child);
    return bits;
  }
  /// Of those, the ones that whatever implies it asks about, too.
  std::uint64_t needed_by(const Condition& condition) const {
    if (condition.op == Op::kTest) return fields_of(condition);
    std::uint64_t bits = 0;
    for (const Condition& child : condition.children) {
      if (child.op == Op::kTest) bits |= fields_of(child);
    }
    return bits;
  }

  /// Every alternative of `a` is one of `b`.
  static bool pattern_implies(const Pattern& a, const Pattern& b) {
    if (a.canonical == b.canonical) return true;
    const bool only_literals =
        a.globs.empty() && a.intervals.empty() && a.addresses.empty() && a.expressions.empty();
    if (!only_literals || (a.absent_or_empty && !b.absent_or_empty)) return false;
    return std::ranges::all_of(a.literals, [&](const std::string& literal) {
      const std::string_view one = literal;
      return b.matches(std::span(&one, 1));
    });
  }

  /// Whether b holds for every object for which a does; no: not known.
  bool implies(const Condition& a, const Condition& b) const {
    if (a.text == b.text || b.always()) return true;
    if (b.op == Op::kAll) {
      return std::ranges::all_of(b.children, [&](const auto& each) { return implies(a, each); });
    }
    if (a.op == Op::kAny) {
      return std::ranges::all_of(a.children, [&](const auto& each) { return implies(each, b); });
    }
    if (a.op == Op::kAll) {
      return std::ranges::any_of(a.children, [&](const auto& each) { return implies(each, b); });
    }
    if (b.op == Op::kAny) {
      return std::ranges::any_of(b.children, [&](const auto& each) { return implies(a, each); });
    }
    if (a.op == Op::kNot && b.op == Op::kNot) {
      return implies(b.children.front(), a.children.front());
    }
    if (a.op != Op::kTest || b.op != Op::kTest) return false;
    const Program::Test& ours = program_.tests[a.test];
    const Program::Test& theirs = program_.tests[b.test];
    return ours.field == theirs.field && pattern_implies(ours.pattern, theirs.pattern);
  }

  bool covers(std::uint32_t earlier, std::uint32_t later) const {
    const Program::Rule& first = program_.rules[earlier];
    const Program::Rule& second = program_.rules[later];
    if (second.unmatched) return first.unmatched || conditions_[earlier].always();
    if ((needed_[earlier] & ~asked_[later]) != 0) return false;  // as most: not looked into
    return !first.unmatched && implies(conditions_[later], conditions_[earlier]);
  }

  bool unreachable(std::uint32_t at) {
    for (std::uint32_t earlier = 0; earlier < at; ++earlier) {
      const Program::Rule& rule = program_.rules[earlier];
      if (rule.stop && covers(earlier, at)) {
        warn(at, "no object reaches this rule: " + place(earlier) +
                     " has 'stop' and matches everything that this one does");
        return true;
      }
      if (program_.rules[at].unmatched && decides(earlier) && covers(earlier, at)) {
        warn(at, "no object is 'unmatched' here: " + place(earlier) + " has taken all");
        return true;
      }
    }
    return false;
  }

  /// An earlier rule already does for each of its objects what this one says.
  void shadowed(std::uint32_t at) {
    const Program::Rule& rule = program_.rules[at];
    if (rule.stop || rule.reject) return;
    for (std::uint32_t earlier = 0; earlier < at; ++earlier) {
      const Program::Rule& first = program_.rules[earlier];
      if (!covers(earlier, at)) continue;
      if (first.reject) {
        return warn(at, "this rule never does anything: " + place(earlier) +
                            " refuses everything that this one matches");
      }
      const bool same_rest = first.rest == rule.rest;
      const bool all_routes = std::ranges::all_of(rule.destinations, [&](auto destination) {
        return std::ranges::find(first.destinations, destination) != first.destinations.end();
      });
      if (same_rest && all_routes && first.priority <= rule.priority &&
          (first.extract || !rule.extract)) {
        return warn(at, "this rule adds nothing to " + place(earlier) +
                            ", which matches everything that this one does");
      }
    }
  }

  /// What is said of an object of which only the sender's AE title is known.
  Answer holds_from(const Condition& condition, std::string_view sender) const {
    if (condition.op == Op::kTest) {
      const Program::Test& test = program_.tests[condition.test];
      if (program_.fields[test.field].source != Field::Source::kCallingAeTitle) {
        return Answer::kMaybe;
      }
      return test.pattern.matches(std::span(&sender, 1)) ? Answer::kYes : Answer::kNo;
    }
    if (condition.op == Op::kNot) {
      const Answer inner = holds_from(condition.children.front(), sender);
      return static_cast<Answer>(2 - static_cast<int>(inner));
    }
    Answer answer = condition.op == Op::kAll ? Answer::kYes : Answer::kNo;
    for (const Condition& child : condition.children) {
      const Answer one = holds_from(child, sender);
      answer = condition.op == Op::kAll ? std::min(answer, one) : std::max(answer, one);
    }
    return answer;
  }

  bool names(const std::string& target, const std::string& destination) const {
    const auto group = site_.groups.find(target);
    return target == destination ||
           (group != site_.groups.end() && group->second.contains(destination));
  }

  void routes_back(std::uint32_t at) {
    for (const Site::Peer& peer : site_.peers) {
      const bool routed = std::ranges::any_of(
          infos_[at].route, [&](const auto& target) { return names(target, peer.destination); });
      if (!routed) continue;
      if (peer.is_this_node) {
        warn(at, in_quotes(peer.destination) + " is this node itself: what it is sent comes back");
      } else if (site_.sources.contains(peer.ae_title) &&
                 holds_from(conditions_[at], peer.ae_title) != Answer::kNo) {
        warn(at, "may send objects back to where they came from: " + in_quotes(peer.destination) +
                     " is the source " + in_quotes(peer.ae_title) +
                     "; to be sure add not = { source.ae_title = \"" + peer.ae_title + "\" }");
      }
    }
  }

  void unused() {
    std::set<std::string> used;
    for (const RuleInfo& info : infos_) {
      for (const std::string& target : info.route) {
        used.insert(target);
        const auto group = site_.groups.find(target);
        if (group != site_.groups.end()) used.insert(group->second.begin(), group->second.end());
      }
    }
    for (const std::string& destination : site_.destinations) {
      if (used.contains(destination)) continue;
      warnings_.push_back({Diagnostic::Severity::kWarning, folder_.string(), 0, 0,
                           "no rule routes to the destination " + in_quotes(destination)});
    }
  }

  const Program& program_;
  const std::vector<RuleInfo>& infos_;
  const Site& site_;
  const std::filesystem::path& folder_;
  std::vector<Condition> conditions_;
  std::vector<std::uint64_t> asked_, needed_;
  std::vector<Diagnostic> warnings_;
};

}  // namespace

std::vector<Diagnostic> lint(const Program& program, const std::vector<RuleInfo>& infos,
                             const Site& site, const std::filesystem::path& folder) {
  return Linter(program, infos, site, folder).run();
}

}  // namespace dr::rules
