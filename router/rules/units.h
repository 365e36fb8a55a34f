#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "dimse/base/result.h"

namespace dr::rules {

/// "250ms" "5s" "15m" "8h" "7d": a number without sign or fraction, and its unit. kInvalid with a
/// sentence for people.
Result<std::chrono::milliseconds> parse_duration(std::string_view text);

/// "512B" "64KiB" "10MB" "2GiB": octets; KB, MB, GB, TB count in thousands, KiB … in 1024s.
Result<std::uint64_t> parse_size(std::string_view text);

/// `text` with each ${NAME} replaced by the environment's value; an unset or empty one, an
/// unfinished ${ and `${file:…}` that can not be read are errors. `${file:/path}` gives the file's
/// first line. The error never shows a value.
Result<std::string> expand(std::string_view text);

}  // namespace dr::rules
