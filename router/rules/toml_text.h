#pragma once

#include <string>
#include <string_view>

namespace dr::rules {

/// `text` as a TOML basic string, quotes and all.
std::string toml_string(std::string_view text);
/// The shortest TOML float that is exactly `number`.
std::string toml_number(double number);

}  // namespace dr::rules
