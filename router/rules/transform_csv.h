#pragma once

#include <map>
#include <string>
#include <string_view>

#include "dimse/base/result.h"

namespace dr::rules {

inline constexpr std::size_t kMaxCsv = 64U << 20;

/// The rows of a CSV file (RFC 4180, UTF-8, a byte order mark is skipped) of two columns: what is
/// looked up, and what it becomes. Empty lines are skipped. The error's detail names the line:
/// other than two columns, a quote that does not end, a first column that is there already.
Result<std::map<std::string, std::string>> parse_csv(std::string_view octets);

/// 64 hexadecimal digits.
std::string sha256_of(std::string_view octets);

}  // namespace dr::rules
