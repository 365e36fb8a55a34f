#pragma once

#include <span>
#include <string>
#include <string_view>

namespace dr::rules {

/// ", did you mean 'X'?" with the known word that is nearest to `unknown` (restricted edit
/// distance, case counting half), or "" when none is near.
std::string suggestion(std::string_view unknown, std::span<const std::string_view> known);

}  // namespace dr::rules
