#pragma once

#include <array>
#include <cstddef>
#include <string>

#include "dimse/base/bytes.h"
#include "dimse/base/result.h"

namespace dr::journal {

using RandomId = std::array<std::byte, 16>;

/// 128 random bits; fails where the system has none to give.
Result<RandomId> random_id();
/// Lower-case hexadecimal digits.
std::string to_hex(ByteSpan octets);
/// As a random UUID (RFC 4122 4.4).
std::string to_uuid(RandomId id);

}  // namespace dr::journal
