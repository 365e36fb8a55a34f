#pragma once

#include <vector>

#include "db/rows.h"
#include "dimse/base/result.h"
#include "router/journal/journal.h"

namespace dr::audit {

/// The audit rows that one journal record stands for: an object gives its instance, its decisions
/// and its first states; an outcome gives its delivery and the state it leaves. kCorrupt: the head
/// can not be decoded.
Result<std::vector<db::Row>> rows_of(const journal::Record& record, const std::string& node,
                                     const std::string& spool_id);

}  // namespace dr::audit
