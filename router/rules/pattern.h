#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dimse/base/address_range.h"

namespace re2 {
class RE2;
}

namespace dr::rules {

/// How the text of a value becomes a number that can be compared.
enum class Scale : std::uint8_t {
  kNumber,    // DS, IS and the binary numbers
  kDate,      // DA: YYYYMMDD
  kTime,      // TM: HHMMSS.FFFFFF, shortened from the right
  kDateTime,  // DT: YYYYMMDDHHMMSS.FFFFFF, likewise; as written, whatever its offset from UTC
  kAge,       // AS: in days
  kWeekTime,  // "Wed 22:39": in minutes since Monday
};

/// nullopt: the text is no such value. What a shortened time or date leaves out counts as zero, or
/// with `latest` as the last instant that it covers.
std::optional<double> on_scale(std::string_view text, Scale scale, bool latest = false);

/// The same for a value of an object: of a DT without its offset from UTC.
std::optional<double> value_on_scale(std::string_view text, Scale scale);

/// Values between two bounds.
struct Interval {
  Scale scale = Scale::kNumber;
  double low = 0;
  double high = 0;
  bool without_low = false;  // the bound itself is outside
  bool without_high = false;

  bool contains(double value) const {
    return (without_low ? value > low : value >= low) &&
           (without_high ? value < high : value <= high);
  }
};

/// Whether all of `text` is what `pattern` describes: `*` any characters, `?` any one (a character
/// in UTF-8, not an octet). At most as many steps as both lengths multiplied.
bool glob_matches(std::string_view pattern, std::string_view text);

/// What a condition accepts: any of its alternatives, by any of an attribute's values.
struct Pattern {
  bool absent_or_empty = false;
  std::vector<std::string> literals;  // sorted
  std::vector<std::string> globs;
  std::vector<Interval> intervals;
  std::vector<AddressRange> addresses;
  std::vector<std::shared_ptr<const re2::RE2>> expressions;  // found anywhere in a value
  std::string canonical;  // as TOML, its alternatives in order: equal texts, equal patterns

  bool matches(std::span<const std::string_view> values) const;

 private:
  bool matches_one(std::string_view value) const;
};

}  // namespace dr::rules
