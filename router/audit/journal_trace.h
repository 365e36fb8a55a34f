#pragma once

#include <string>
#include <vector>

#include "db/audit_store.h"
#include "router/journal/journal.h"

namespace dr::audit {

/// The answer of AuditStore::trace() out of the journal alone, by reading all of it: for nodes
/// without an audit database that can be asked, and for what a database has not been told yet.
Result<std::vector<db::TracedObject>> trace_journal(journal::Journal& journal,
                                                    const std::string& node, const std::string& uid,
                                                    std::size_t limit);

/// Two answers to one question as one, the oldest `limit` objects first: the journal's is newer, a
/// database's that lags behind reaches further back.
std::vector<db::TracedObject> merge(std::vector<db::TracedObject> journals,
                                    std::vector<db::TracedObject> databases, std::size_t limit);

}  // namespace dr::audit
