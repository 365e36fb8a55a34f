#pragma once

#include <filesystem>
#include <vector>

#include "router/rules/program.h"

namespace dr::rules {

/// What is allowed, but hardly meant: rules that no object can reach, that add nothing to an
/// earlier one, that route back to where an object came from, and destinations that no rule names.
/// Warnings, each at its rule. Knows what follows from the words of conditions, not which objects
/// exist.
std::vector<Diagnostic> lint(const Program& program, const std::vector<RuleInfo>& infos,
                             const Site& site, const std::filesystem::path& folder);

}  // namespace dr::rules
