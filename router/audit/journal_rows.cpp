#include "router/audit/journal_rows.h"

#include "router/audit/journal_trace.h"
#include "router/audit/rows.h"

namespace dr::audit {

using journal::Sequence;

namespace {
Error only_reads() { return {Errc::kUnsupported, "the journal is only read"}; }
}  // namespace

Result<std::vector<db::Extent>> JournalRows::extents() {
  auto first = journal_.read_after(Sequence::kNone);
  if (!first) return std::move(first).error();
  if (!*first) return std::vector<db::Extent>{};
  return std::vector<db::Extent>{
      {node_, journal_.spool_id(), value((**first).sequence), value(journal_.watermark())}};
}

Result<db::Records> JournalRows::read(const db::Extent& extent) {
  std::vector<db::Row> rows;
  if (extent.node != node_ || extent.spool_id != journal_.spool_id()) return db::Records{};
  Sequence at{extent.first - 1};
  while (true) {
    auto record = journal_.read_after(at);
    if (!record) return std::move(record).error();
    if (!*record || value((**record).sequence) > extent.last) break;
    at = (**record).sequence;
    if ((**record).type == journal::RecordType::kDigest) continue;
    auto made = rows_of(**record, node_, journal_.spool_id());
    if (!made) continue;
    for (db::Row& row : *made) sealer_.seal(rows.emplace_back(std::move(row)));
  }
  return db::records_by_kind(rows);
}

Result<void> JournalRows::put(const db::Records& /*records*/) { return only_reads(); }
Result<std::vector<db::TracedObject>> JournalRows::trace(const std::string& uid,
                                                         std::size_t limit) {
  return trace_journal(journal_, node_, uid, limit);
}
Result<std::vector<std::string>> JournalRows::patient_keys() { return only_reads(); }
Result<std::uint64_t> JournalRows::forget(const std::string& /*patient_key*/, UtcMicros /*until*/) {
  return only_reads();
}

Result<void> JournalRows::forget_results(const db::Extent& /*extent*/) { return only_reads(); }
Result<std::uint64_t> JournalRows::prune(const db::Extent& /*extent*/, UtcMicros /*before*/) {
  return only_reads();
}
Result<std::vector<db::Record>> JournalRows::actions(const std::string& /*action*/) {
  return only_reads();
}

}  // namespace dr::audit
