#pragma once

#include <vector>

#include "router/journal/records.h"

namespace dr::journal {

/// Head of a kMoved record: the object's head as received, and its states at the time of moving.
struct MovedHead {
  ByteSpan object;
  std::vector<OutcomeRecord> states;
};
Bytes encode_moved(ByteSpan object, const std::vector<OutcomeRecord>& states);
Result<MovedHead> decode_moved(ByteSpan head);

}  // namespace dr::journal
