#include "router/rules/vr_limits.h"

#include <algorithm>
#include <cmath>

namespace dr::rules {
namespace {

struct TextLimit {
  std::string_view vr;
  std::size_t characters;
  bool several_values;  // a backslash separates them
};
constexpr TextLimit kTexts[] = {{"AE", 16, true},    {"CS", 16, true},  {"SH", 16, true},
                                {"LO", 64, true},    {"PN", 194, true},  // three groups of 64
                                {"UI", 64, true},    {"UC", 0, true},   {"ST", 1024, false},
                                {"LT", 10240, false}};

struct NumberLimit {
  std::string_view vr;
  double least;
  double most;
};
constexpr NumberLimit kNumbers[] = {{"US", 0, 65535},
                                    {"SS", -32768, 32767},
                                    {"UL", 0, 4294967295},
                                    {"SL", -2147483648, 2147483647},
                                    {"IS", -2147483648, 2147483647}};

std::size_t characters(std::string_view text) {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char c) { return (c & 0xc0) != 0x80; }));
}

bool of_code_string(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == ' ' || c == '_';
}

bool between(std::string_view two, int least, int most) {
  const int number = 10 * (two[0] - '0') + (two[1] - '0');
  return number >= least && number <= most;
}

}  // namespace

std::string why_no_value(std::string_view vr, std::string_view text, bool glob) {
  const auto* const limit = std::ranges::find(kTexts, vr, &TextLimit::vr);
  if (limit == std::end(kTexts)) return {};
  std::string rest(text);
  if (glob) std::erase(rest, '*');
  if (limit->characters > 0 && characters(rest) > limit->characters) {
    return "has at most " + std::to_string(limit->characters) + " characters";
  }
  if (limit->several_values && rest.find('\\') != std::string::npos) {
    return "has its values between backslashes, and each is compared alone";
  }
  if (glob) std::erase(rest, '?');
  if (vr == "CS" && !std::ranges::all_of(rest, of_code_string)) {
    return "has only upper case letters, digits, spaces and underscores";
  }
  return {};
}

std::string why_no_number(std::string_view vr, const Interval& interval) {
  const auto* const limit = std::ranges::find(kNumbers, vr, &NumberLimit::vr);
  if (limit == std::end(kNumbers)) return {};
  const double first = std::max(limit->least, std::ceil(interval.low));
  const double last = std::min(limit->most, std::floor(interval.high));
  const bool none = first > last || (first == last && !interval.contains(first));
  if (!none) return {};
  const auto whole = [](double number) {
    return (number < 0 ? "-" : "") + std::to_string(static_cast<std::uint64_t>(std::abs(number)));
  };
  return "holds whole numbers from " + whole(limit->least) + " to " + whole(limit->most);
}

bool is_clock(std::string_view digits) {
  return (digits.size() < 2 || between(digits, 0, 23)) &&
         (digits.size() < 4 || between(digits.substr(2), 0, 59)) &&
         (digits.size() < 6 || between(digits.substr(4), 0, 60));
}

bool is_calendar(std::string_view digits) {
  return (digits.size() < 6 || between(digits.substr(4), 1, 12)) &&
         (digits.size() < 8 || between(digits.substr(6), 1, 31)) &&
         (digits.size() <= 8 || is_clock(digits.substr(8)));
}

}  // namespace dr::rules
