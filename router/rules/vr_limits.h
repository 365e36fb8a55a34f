#pragma once

#include <string>
#include <string_view>

#include "router/rules/pattern.h"

namespace dr::rules {

/// Why no value of this VR (PS3.5 table 6.2-1) is `text`: "has at most 16 characters"; empty where
/// one may be. `glob`: of `text`, `*` stands for nothing and `?` for any character.
std::string why_no_value(std::string_view vr, std::string_view text, bool glob);

/// The same for numbers: "holds whole numbers from 0 to 65535".
std::string why_no_number(std::string_view vr, const Interval& interval);

/// Whether `text` is a date or time that exists, of as many parts as it has: YYYYMMDDHHMMSS.
bool is_calendar(std::string_view digits);
/// HHMMSS.
bool is_clock(std::string_view digits);

}  // namespace dr::rules
