#pragma once

#include <cstdint>

#include "dimse/base/bytes.h"

namespace dr {

/// CRC32C (Castagnoli, RFC 3720 B.4) of `data`, continuing from `crc` (0 to start). Uses the SSE4.2
/// instruction on three interleaved streams where the processor has it, else a table.
std::uint32_t crc32c(std::uint32_t crc, ByteSpan data) noexcept;

/// The table version, for the test that holds both against each other.
std::uint32_t crc32c_portable(std::uint32_t crc, ByteSpan data) noexcept;

}  // namespace dr
