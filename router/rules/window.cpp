#include "router/rules/window.h"

#include <algorithm>
#include <string>

namespace dr::rules {
namespace {

constexpr int kDay = 24 * 60;
constexpr int kWeek = 7 * kDay;

std::optional<int> weekday(std::string_view text) {
  const auto* const at = std::ranges::find(kWeekdays, text);
  if (at == kWeekdays.end()) return std::nullopt;
  return static_cast<int>(at - kWeekdays.begin());
}

/// "06:00"; "24:00" only as an end.
std::optional<int> minute_of_day(std::string_view text) {
  const auto digit = [&](std::size_t at) { return text[at] - '0'; };
  if (text.size() != 5 || text[2] != ':') return std::nullopt;
  for (const std::size_t at : {0U, 1U, 3U, 4U}) {
    if (digit(at) < 0 || digit(at) > 9) return std::nullopt;
  }
  const int hour = 10 * digit(0) + digit(1);
  const int minute = 10 * digit(3) + digit(4);
  if (hour > 24 || minute > 59 || (hour == 24 && minute != 0)) return std::nullopt;
  return 60 * hour + minute;
}

/// "Mon", "Mon-Fri", "Sat,Sun"; from the first to the last, over Sunday where it must.
bool read_days(std::string_view text, std::array<bool, 7>& days) {
  while (true) {
    const std::size_t comma = text.find(',');
    const std::string_view part = text.substr(0, comma);
    const std::size_t dash = part.find('-');
    const auto first = weekday(part.substr(0, dash));
    const auto last = dash == std::string_view::npos ? first : weekday(part.substr(dash + 1));
    if (!first || !last) return false;
    for (int day = *first;; day = (day + 1) % 7) {
      days[static_cast<std::size_t>(day)] = true;
      if (day == *last) break;
    }
    if (comma == std::string_view::npos) return true;
    text.remove_prefix(comma + 1);
  }
}

}  // namespace

std::optional<int> parse_week_time(std::string_view text) {
  if (text.size() != 9 || text[3] != ' ') return std::nullopt;
  const auto day = weekday(text.substr(0, 3));
  const auto minute = minute_of_day(text.substr(4));
  if (!day || !minute) return std::nullopt;
  return *day * kDay + *minute;
}

Result<std::vector<WeekSpan>> parse_window(std::string_view text) {
  const Error wrong{Errc::kInvalid,
                    "write \"Mon-Fri 20:00-06:00\", \"Sat,Sun\" or \"07:30-18:00\""};
  std::array<bool, 7> days{};
  std::string_view times = text;
  if (!text.empty() && text.front() >= 'A') {
    const std::size_t space = text.find(' ');
    if (!read_days(text.substr(0, space), days)) return wrong;
    times = space == std::string_view::npos ? "00:00-24:00" : text.substr(space + 1);
  } else {
    days.fill(true);
  }
  const std::size_t dash = times.find('-');
  const auto begin = minute_of_day(times.substr(0, dash));
  const auto end =
      dash == std::string_view::npos ? std::nullopt : minute_of_day(times.substr(dash + 1));
  if (!begin || !end || *begin == kDay || *begin == *end) return wrong;
  const int length = *end > *begin ? *end - *begin : *end + kDay - *begin;
  std::vector<WeekSpan> spans;
  for (int day = 0; day < 7; ++day) {
    if (!days[static_cast<std::size_t>(day)]) continue;
    const int from = day * kDay + *begin;
    spans.push_back({from, std::min(from + length, kWeek)});
    if (from + length > kWeek) spans.push_back({0, from + length - kWeek});  // Monday morning
  }
  return spans;
}

}  // namespace dr::rules
