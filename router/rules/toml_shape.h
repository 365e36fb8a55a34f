#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace dr::rules {

/// A place in a text, both counted from 1.
struct Place {
  std::uint32_t line = 1;
  std::uint32_t column = 1;
};

/// Where brackets nest deeper than 64, or a dotted key has more than 32 parts. toml++ 3.3 limits
/// only the former, and takes tables apart recursively: a long dotted key would end the process.
std::optional<Place> too_deep(std::string_view toml);

}  // namespace dr::rules
