#pragma once

#include <string>

#include "db/audit_store.h"
#include "router/audit/seal.h"
#include "router/journal/journal.h"

namespace dr::audit {

/// The rows that a journal still stands for, but for digests (whose records stand elsewhere than
/// their objects), to be compared with those of a database. Only reads.
class JournalRows final : public db::AuditStore {
 public:
  JournalRows(journal::Journal& journal, std::string node, const Sealer& sealer)
      : journal_(journal), node_(std::move(node)), sealer_(sealer) {}

  Result<std::vector<db::Extent>> extents() override;
  Result<db::Records> read(const db::Extent& extent) override;
  /// kUnsupported, as all that does not read rows.
  Result<void> put(const db::Records& records) override;
  Result<std::vector<db::TracedObject>> trace(const std::string& uid, std::size_t limit) override;
  Result<std::vector<std::string>> patient_keys() override;
  Result<std::uint64_t> forget(const std::string& patient_key, UtcMicros until) override;
  Result<void> forget_results(const db::Extent& extent) override;
  Result<std::uint64_t> prune(const db::Extent& extent, UtcMicros before) override;
  Result<std::vector<db::Record>> actions(const std::string& action) override;

 private:
  journal::Journal& journal_;
  const std::string node_;
  const Sealer& sealer_;
};

}  // namespace dr::audit
