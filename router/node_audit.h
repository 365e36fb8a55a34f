#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "db/audit_store.h"
#include "router/admin/metrics.h"
#include "router/audit/chain.h"
#include "router/audit/feed.h"
#include "router/audit/retention.h"
#include "router/config.h"

namespace dr {

/// An audit database that is configured: its name in the configuration, and how it is opened.
struct AuditDatabase {
  std::string name;
  audit::Feed::Open open;
};
/// In the order in which they are asked.
std::vector<AuditDatabase> audit_databases(const Config& config);

/// The node's audit: a feed for each database and for the repository, the chains of the days, and
/// retention. References outlive it.
class NodeAudit {
 public:
  NodeAudit(const Config& config, journal::Journal& journal, FileSystem& files, const Clock& clock,
            const audit::Sealer& sealer, admin::Metrics& metrics);
  NodeAudit(const NodeAudit&) = delete;
  NodeAudit& operator=(const NodeAudit&) = delete;

  /// From journal::Listener: only wakes.
  void advanced(journal::Sequence watermark);
  /// Writes what is durable so far, for a few seconds at most.
  void stop();
  /// Each sink, and how many records it is behind.
  std::vector<std::pair<std::string, std::uint64_t>> lags() const;
  /// From the first database that answers, and from the journal what that does not have yet.
  Result<std::vector<db::TracedObject>> trace(const std::string& uid, std::size_t limit);

  /// The first database and its name, once it has every record up to this one. kUnsupported: there
  /// is none; kTimeout: it is behind.
  Result<std::pair<std::string, std::unique_ptr<db::AuditStore>>> written_up_to(
      journal::Sequence sequence, std::chrono::milliseconds at_most);

 private:
  void start_feed(const std::string& name, audit::Feed::Open open);
  Result<std::unique_ptr<db::AuditStore>> open_syslog() const;
  Result<std::vector<db::TracedObject>> trace_stored(std::size_t database, const std::string& uid,
                                                     std::size_t limit);

  const Config& config_;
  journal::Journal& journal_;
  const audit::Sealer& sealer_;
  admin::Metrics& metrics_;
  const std::vector<AuditDatabase> databases_;
  std::vector<std::unique_ptr<audit::Feed>> feeds_;  // in the order of databases_, then syslog
  std::unique_ptr<audit::ChainKeeper> chain_;
  std::unique_ptr<audit::Retention> retention_;
  std::mutex trace_mutex_;
  std::vector<std::unique_ptr<db::AuditStore>> trace_stores_;  // one for each database
};

}  // namespace dr
