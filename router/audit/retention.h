#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "db/audit_store.h"
#include "dimse/base/clock.h"
#include "dimse/base/file_system.h"
#include "router/audit/chain.h"
#include "router/journal/journal.h"

namespace dr::audit {

/// The action that makes every database remove a node's rows from before the day in its target.
inline constexpr const char* kRetention = "retention";

/// [retention] audit. Once a day, and at a start for what was missed, a record goes into the
/// journal that tells every feed to remove what is older: whole days, so that the chain of a day is
/// whole or gone. The last day is kept in "audit-heads/retention" of the spool.
class Retention {
 public:
  /// `keep` is a day at least. References outlive it.
  Retention(journal::Journal& journal, FileSystem& files, const Clock& clock,
            std::chrono::milliseconds keep);
  ~Retention();
  Retention(const Retention&) = delete;
  Retention& operator=(const Retention&) = delete;
  void stop();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

/// Removes the node's rows from before that day, of all its journals, in spans of 5,000 records,
/// one transaction each. kCancelled: `stopping` said so in between. How many.
Result<std::uint64_t> prune_before(db::AuditStore& store, const std::string& node, Day day,
                                   const std::function<bool()>& stopping);

/// By sealed records of what was done: from which day on each node's rows must be there.
Result<std::map<std::string, Day>> retained_from(db::AuditStore& store, const Sealer& sealer);

}  // namespace dr::audit
