#include "router/rules/units.h"

#include <charconv>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <span>

namespace dr::rules {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};

constexpr Unit kDurations[] = {
    {"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}};
constexpr Unit kSizes[] = {{"B", 1},
                           {"KiB", 1ULL << 10},
                           {"MiB", 1ULL << 20},
                           {"GiB", 1ULL << 30},
                           {"TiB", 1ULL << 40},
                           {"KB", 1'000},
                           {"MB", 1'000'000},
                           {"GB", 1'000'000'000},
                           {"TB", 1'000'000'000'000}};

Result<std::uint64_t> parse(std::string_view text, std::span<const Unit> units,
                            std::string_view expected) {
  const Error wrong{Errc::kInvalid, "expected " + std::string(expected)};
  std::uint64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, ec] = std::from_chars(text.data(), end, number);
  if (ec != std::errc()) return wrong;
  const std::string_view name(rest, static_cast<std::size_t>(end - rest));
  for (const Unit& unit : units) {
    if (unit.name != name) continue;
    if (number > std::numeric_limits<std::int64_t>::max() / unit.factor) return wrong;
    return number * unit.factor;
  }
  return wrong;
}

Result<std::string> value_of(std::string_view name) {
  constexpr std::string_view kFile = "file:";
  if (name.starts_with(kFile)) {
    std::ifstream in{std::string(name.substr(kFile.size()))};
    std::string line;
    if (!std::getline(in, line) || line.empty()) {
      return Error{Errc::kInvalid, "${" + std::string(name) + "} can not be read, or is empty"};
    }
    if (line.back() == '\r') line.pop_back();
    return line;
  }
  const char* const value = std::getenv(std::string(name).c_str());
  if (value == nullptr || *value == '\0') {
    return Error{Errc::kInvalid, "environment variable " + std::string(name) + " is not set"};
  }
  return std::string(value);
}

}  // namespace

Result<std::chrono::milliseconds> parse_duration(std::string_view text) {
  const auto ms =
      parse(text, kDurations, "a duration such as \"250ms\", \"5s\", \"15m\" or \"7d\"");
  if (!ms) return ms.error();
  return std::chrono::milliseconds(*ms);
}

Result<std::uint64_t> parse_size(std::string_view text) {
  return parse(text, kSizes, "a size such as \"64KiB\", \"10MB\" or \"2GiB\"");
}

Result<std::string> expand(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t start = text.find("${");
    out += text.substr(0, start);
    if (start == std::string_view::npos) break;
    const std::size_t end = text.find('}', start);
    if (end == std::string_view::npos) return Error{Errc::kInvalid, "${ without its }"};
    const auto value = value_of(text.substr(start + 2, end - start - 2));
    if (!value) return value.error();
    out += *value;
    text.remove_prefix(end + 1);
  }
  return out;
}

}  // namespace dr::rules
