#include "router/rules/questions.h"

#include <algorithm>

#include "router/rules/program.h"

namespace dr::rules {
namespace {

/// As it may stand in a rule; of a fact nobody but a reader needs the name.
std::string key_of(const Field& field) {
  switch (field.source) {
    case Field::Source::kTlsSubject:
      return "source.tls_subject";
    case Field::Source::kUser:
      return "source.user";
    case Field::Source::kElement:
      break;
    default:
      return "source";
  }
  std::string key;
  const auto name = [](encoding::Tag tag) {
    const auto entry = encoding::find_tag(tag);
    return entry ? entry->keyword : tag.to_string();
  };
  for (const Step& step : field.path) key += name(step.sequence) + ".";
  return key + name(field.tag);
}

}  // namespace

std::vector<Question> questions_of(const Program& program) {
  std::vector<Question> questions;
  for (const Field& field : program.fields) {
    Question& question = questions.emplace_back();
    question.key = key_of(field);
    question.element = field.source == Field::Source::kElement;
    question.is_private = field.creator != Field::kStandard;
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
                             pattern.intervals.empty() && pattern.expressions.empty();
  }
  return questions;
}

}  // namespace dr::rules
