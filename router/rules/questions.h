#pragma once

#include <string>
#include <vector>

#include "dimse/encoding/tag.h"

namespace dr::rules {

struct Program;

/// What the conditions of a rule set ask about one attribute, for whoever has to know whether he
/// can answer: a replay over headers whose patient data are hashed.
struct Question {
  std::string key;          // as in rules: "PatientID", "source.user"
  bool element = true;      // of the data set; else a fact of the association
  bool is_private = false;  // it, or a sequence it is in
  encoding::Tag top;        // at the top level: the element, or the sequence it is in
  encoding::Tag tag;
  encoding::Vr vr{};                  // the dictionary's
  std::vector<std::string> literals;  // compared as they are
  bool only_literals = true;          // these, and presence; else globs, expressions, ranges too
  std::vector<std::string> rules;     // that ask it, by name, in order
};
std::vector<Question> questions_of(const Program& program);

}  // namespace dr::rules
