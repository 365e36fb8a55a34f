#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "router/rules/program.h"

namespace dr::rules {

/// A condition in its simplest form: nothing nests that need not, `not not x` is x, and what may
/// stand in any order is in order.
struct Condition {
  Program::Node::Op op = Program::Node::Op::kAll;
  std::uint32_t test = 0;           // of kTest
  std::vector<Condition> children;  // of kAll (none: always true), kAny; one of kNot
  std::string text;                 // as a TOML table; equal texts, equal conditions

  bool always() const { return op == Program::Node::Op::kAll && children.empty(); }
};

Condition canonical_condition(const Program& program, std::uint32_t node);

}  // namespace dr::rules
