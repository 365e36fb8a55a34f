#include "router/rules/questions.h"

#include <algorithm>
#include <span>

#include "router/rules/program.h"

namespace dr::rules {
namespace {

bool is_private(const Field& field) {
  return field.creator != kStandard || std::ranges::any_of(field.path, [](const Step& step) {
           return step.creator != kStandard;
         });
}

}  // namespace

std::vector<Question> questions_of(const Program& program) {
  std::vector<Question> questions;
  for (const Field& field : program.fields) {
    Question& question = questions.emplace_back();
    question.key = field.name;
    question.element = field.source == Field::Source::kElement;
    question.is_private = is_private(field);
    question.tag = field.tag;
    question.top = field.path.empty() ? field.tag : field.path.front().sequence;
    question.vr = field.vr;
  }
  for (const Program::Test& test : program.tests) {
    Question& question = questions[test.field];
    const Pattern& pattern = test.pattern;
    question.literals.insert(question.literals.end(), pattern.literals.begin(),
                             pattern.literals.end());
    question.only_literals = question.only_literals && pattern.globs.empty() &&
                             pattern.intervals.empty() && pattern.addresses.empty() &&
                             pattern.expressions.empty();
  }
  for (const Program::Rule& rule : program.rules) {
    if (rule.unmatched) continue;
    const auto nodes = std::span(program.nodes).subspan(rule.condition);
    for (const Program::Node& node : nodes.first(nodes.front().end - rule.condition)) {
      if (node.op != Program::Node::Op::kTest) continue;
      auto& names = questions[program.tests[node.test].field].rules;
      if (names.empty() || names.back() != rule.name) names.push_back(rule.name);
    }
  }
  return questions;
}

}  // namespace dr::rules
