#pragma once

#include <cstddef>

#include "dimse/base/bytes.h"
#include "dimse/base/result.h"
#include "dimse/encoding/element_header.h"

namespace dr::rtstruct {

/// Ceilings under which a data set may become a tree in memory.
struct TreeLimits {
  std::size_t depth = 32;             // sequences within each other; a structure set needs 5
  std::size_t elements = 4'000'000;   // of about 200 octets each, once they are a tree
  std::size_t inflated = 256U << 20;  // octets of a deflated data set
};

/// Walks a whole data set without recursion and without copying, and says whether it may be given
/// to a parser that recurses and allocates as the octets tell it to: every length stays inside what
/// contains it, depth and number of elements stay below `limits` (PS3.5 7.1, 7.5). kMalformed or
/// kTooLong, with the offset.
Result<void> check_nesting(ByteSpan data_set, encoding::Encoding encoding,
                           const TreeLimits& limits);

}  // namespace dr::rtstruct
