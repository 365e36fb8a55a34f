#include "rtstruct/decimal.h"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace dr::rtstruct {
namespace {

constexpr bool is_blank(char c) {
  return c == ' ' || c == '\0' || c == '\t' || c == '\n' || c == '\r';
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

/// What std::from_chars makes of it; NaN and infinities pass here, so that they can be named.
std::optional<double> number(std::string_view text) {
  text = trim(text);
  if (text.size() > 1 && text.front() == '+' && text[1] != '-') text.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (end != text.data() + text.size()) return std::nullopt;
  if (error == std::errc::result_out_of_range) return HUGE_VAL;
  return error == std::errc() ? std::optional(value) : std::nullopt;
}

/// Calls `each` with every part between backslashes; stops, and says false, when it does.
template <class Each>
bool for_each_value(std::string_view text, Each each) {
  while (true) {
    const std::size_t end = text.find('\\');
    if (!each(text.substr(0, end))) return false;
    if (end == std::string_view::npos) return true;
    text.remove_prefix(end + 1);
  }
}

}  // namespace

std::optional<double> parse_decimal(std::string_view text) {
  const auto value = number(text);
  return value && std::isfinite(*value) ? value : std::nullopt;
}

std::optional<std::vector<double>> parse_decimals(std::string_view text) {
  std::vector<double> values;
  const bool good = for_each_value(text, [&](std::string_view part) {
    const auto value = parse_decimal(part);
    if (value) values.push_back(*value);
    return value.has_value();
  });
  return good ? std::optional(std::move(values)) : std::nullopt;
}

Defect parse_points(std::string_view text, std::vector<Vec3>& points) {
  points.clear();
  if (trim(text).empty()) return Defect::kNone;
  const auto values = 1 + static_cast<std::size_t>(std::ranges::count(text, '\\'));
  points.reserve(values / 3);
  Defect defect = Defect::kNone;
  std::array<double, 3> triplet{};
  std::size_t filled = 0;
  for_each_value(text, [&](std::string_view part) {
    const auto value = number(part);
    if (!value) {
      defect = Defect::kNotNumeric;
    } else if (!(std::abs(*value) <= kFurthest)) {
      defect = Defect::kNotFinite;
    } else {
      triplet[filled++] = *value;
      if (filled == 3) {
        points.push_back({triplet[0], triplet[1], triplet[2]});
        filled = 0;
      }
    }
    return defect == Defect::kNone;
  });
  if (defect == Defect::kNone && filled != 0) defect = Defect::kNotTriplets;
  if (defect != Defect::kNone) points = {};
  return defect;
}

}  // namespace dr::rtstruct
