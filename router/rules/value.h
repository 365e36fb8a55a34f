#pragma once

#include <optional>

#include <toml++/toml.h>

#include "router/rules/field_name.h"
#include "router/rules/pattern.h"
#include "router/rules/toml_reader.h"

namespace dr::rules {

/// The value of a condition's key: a literal, glob, regular expression, comparison, range, `""`,
/// `{ equals = … }`, or an array of these. nullopt when a finding says what is wrong with it.
std::optional<Pattern> compile_value(const toml::node& value, const NamedField& field,
                                     const Site& site, Findings& findings);

}  // namespace dr::rules
