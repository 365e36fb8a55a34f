#pragma once

#include <filesystem>
#include <vector>

#include "router/rules/rule_set.h"
#include "rtstruct/checks.h"

namespace dr::extraction {

struct LoadedExpectations {
  rtstruct::Expectations expectations;
  std::vector<rules::Diagnostic> diagnostics;  // an error among them: do not use it

  bool good() const;
};

/// Reads `[rtstruct] names`: `[names]` (written = standard name of TG-263), `[volumes]` (name =
/// { least, most } in cm³), `[exclusive]` (groups, overlap in cm³). What is wrong is told with its
/// place; unknown keys are errors.
LoadedExpectations load_expectations(const std::filesystem::path& file);

}  // namespace dr::extraction
