#pragma once

#include <array>
#include <optional>
#include <string_view>
#include <vector>

#include "dimse/base/result.h"

namespace dr::rules {

inline constexpr std::array<std::string_view, 7> kWeekdays = {"Mon", "Tue", "Wed", "Thu",
                                                              "Fri", "Sat", "Sun"};

/// A part of a week, in minutes since Monday 00:00: from `begin` to before `end`.
struct WeekSpan {
  int begin = 0;
  int end = 0;
};

/// Minutes since Monday 00:00 of "Wed 22:39".
std::optional<int> parse_week_time(std::string_view text);

/// "Mon-Fri 20:00-06:00", "Sat,Sun", "07:30-18:00": days, times, or both. A window that ends before
/// it begins goes on to the next morning and belongs to the day on which it begins, so Friday's
/// ends on Saturday at 06:00. kInvalid with a sentence for people.
Result<std::vector<WeekSpan>> parse_window(std::string_view text);

}  // namespace dr::rules
