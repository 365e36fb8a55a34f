#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <toml++/toml.h>

#include "router/rules/program.h"
#include "router/rules/toml_reader.h"

namespace dr::rules {

/// A table's entries in the order of the file (toml++ sorts them by key).
std::vector<std::pair<const toml::key*, const toml::node*>> in_file_order(const toml::table& table);

/// Compiles a `when` table, whose keys must all hold, to one node of `program` and what stands
/// behind it. What can not be compiled becomes a finding; the nodes are then of no use.
void compile_condition(const toml::table& when, const Site& site, ProgramBuilder& program,
                       Findings& findings);

}  // namespace dr::rules
