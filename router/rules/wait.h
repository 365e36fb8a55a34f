#pragma once

#include <span>
#include <string>
#include <string_view>

#include <toml++/toml.h>

#include "router/rules/rule_set.h"
#include "router/rules/toml_reader.h"

namespace dr::rules {

/// The keys of a rule that say what its copies wait for.
std::span<const std::string_view> wait_keys();

/// `after` with `quiet`, `at_most` and `late`, or `hold_until` with `at_most`; Until::kNothing
/// where the rule has neither. What is wrong becomes a finding; a wait without a ceiling, a
/// warning.
Wait read_wait(const toml::table& rule, Findings& findings);

/// Its keys as lines of TOML, without what is the default; empty for Until::kNothing.
std::string canonical_wait(const Wait& wait);

}  // namespace dr::rules
