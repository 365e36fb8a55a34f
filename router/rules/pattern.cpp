#include "router/rules/pattern.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include <re2/re2.h>

#include "router/rules/window.h"

namespace dr::rules {
namespace {

bool all_digits(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

std::optional<double> number(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  double value = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc{} || stop != end || !std::isfinite(value)) return std::nullopt;
  return value;
}

/// Digits from the left, filled up to `full`; a fraction only behind all of them.
std::optional<double> digits(std::string_view text, std::size_t least, std::size_t full,
                             bool latest) {
  const std::size_t point = text.find('.');
  const std::string_view whole = text.substr(0, point);
  if (whole.size() < least || whole.size() > full || whole.size() % 2 != 0 || !all_digits(whole)) {
    return std::nullopt;
  }
  std::string_view fraction = "0";
  if (point != std::string_view::npos) {
    fraction = text.substr(point + 1);
    if (whole.size() != full || fraction.empty() || fraction.size() > 6 || !all_digits(fraction)) {
      return std::nullopt;
    }
  }
  char filled[24];
  std::size_t n = 0;
  for (const char c : whole) filled[n++] = c;
  while (n < full) filled[n++] = latest ? '9' : '0';
  if (full == 6) {  // TM alone goes further
    filled[n++] = '.';
    for (const char c : fraction) filled[n++] = c;
    while (latest && n < 13) filled[n++] = '9';
  }
  return number({filled, n});
}

/// PS3.5 6.2: nnnD, nnnW, nnnM or nnnY.
std::optional<double> age(std::string_view text) {
  if (text.size() < 2 || !all_digits(text.substr(0, text.size() - 1))) return std::nullopt;
  const auto count = number(text.substr(0, text.size() - 1));
  if (!count) return std::nullopt;
  switch (text.back()) {
    case 'D':
      return *count;
    case 'W':
      return *count * 7;
    case 'M':
      return *count * 365.25 / 12;
    case 'Y':
      return *count * 365.25;
    default:
      return std::nullopt;
  }
}

/// The value without its offset from UTC: "&ZZXX".
std::string_view local(std::string_view date_time) {
  return date_time.substr(0, date_time.find_first_of("+-"));
}

/// Octets of the UTF-8 character at the start of `text`, which is not empty.
std::size_t character(std::string_view text) {
  std::size_t n = 1;
  while (n < text.size() && (static_cast<unsigned char>(text[n]) & 0xc0) == 0x80) ++n;
  return n;
}

}  // namespace

std::optional<double> on_scale(std::string_view text, Scale scale, bool latest) {
  switch (scale) {
    case Scale::kNumber:
      return number(text);
    case Scale::kDate:
      return text.size() == 8 ? digits(text, 8, 8, false) : std::nullopt;
    case Scale::kTime:
      return digits(text, 2, 6, latest);
    case Scale::kDateTime:  // to the second: more digits than a double holds
      return digits(text.substr(0, text.find('.')), 4, 14, latest);
    case Scale::kAge:
      return age(text);
    case Scale::kWeekTime:
      return parse_week_time(text);
  }
  return std::nullopt;
}

std::optional<double> value_on_scale(std::string_view text, Scale scale) {
  return on_scale(scale == Scale::kDateTime ? local(text) : text, scale);
}

bool glob_matches(std::string_view pattern, std::string_view text) {
  std::size_t p = 0;
  std::size_t t = 0;
  // Where to go on when a later part does not fit: behind the last '*', one character further.
  std::size_t star = std::string_view::npos;
  std::size_t covered = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = ++p;
      covered = t;
    } else if (p < pattern.size() && pattern[p] == '?') {
      ++p;
      t += character(text.substr(t));
    } else if (p < pattern.size() && pattern[p] == text[t]) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star;
      covered += character(text.substr(covered));
      t = covered;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

bool Pattern::matches_one(std::string_view value) const {
  const auto at = std::ranges::lower_bound(
      literals, value, {}, [](const std::string& s) { return std::string_view(s); });
  if (at != literals.end() && *at == value) return true;
  return std::ranges::any_of(globs, [&](const auto& g) { return glob_matches(g, value); }) ||
         std::ranges::any_of(intervals,
                             [&](const Interval& i) {
                               const auto number = value_on_scale(value, i.scale);
                               return number && i.contains(*number);
                             }) ||
         std::ranges::any_of(addresses, [&](const auto& range) { return range.contains(value); }) ||
         std::ranges::any_of(expressions, [&](const auto& e) {
           return re2::RE2::PartialMatch(re2::StringPiece(value.data(), value.size()), *e);
         });
}

bool Pattern::matches(std::span<const std::string_view> values) const {
  bool empty = true;
  for (const std::string_view value : values) {
    if (value.empty()) continue;
    if (matches_one(value)) return true;
    empty = false;
  }
  return absent_or_empty && empty;
}

}  // namespace dr::rules
