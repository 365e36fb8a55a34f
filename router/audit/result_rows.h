#pragma once

#include <cstdint>
#include <vector>

#include "db/rows.h"
#include "router/journal/records.h"

namespace dr::audit {

/// The rows of one part of an extraction's result: its structure set with part 0, and what the
/// part's lists hold. `key`: the instance's; `result_sequence`: the part's own.
std::vector<db::Row> result_rows(const journal::ExtractionRecord& record, const db::Key& key,
                                 std::uint64_t result_sequence);

}  // namespace dr::audit
