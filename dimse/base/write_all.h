#pragma once

#include "dimse/base/bytes.h"
#include "dimse/base/result.h"

namespace dr {

/// All of `octets` to an open, blocking file, where its offset is.
Result<void> write_all(int file, ByteSpan octets);

}  // namespace dr
