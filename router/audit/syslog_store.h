#pragma once

#include <memory>
#include <string>

#include "db/audit_store.h"
#include "router/audit/atna_events.h"
#include "router/audit/syslog_transport.h"

namespace dr::audit {

/// One message in the format of RFC 5424: facility 10 (security), severity 5 (notice), hence <85>,
/// as PS3.15 A.6 and IHE ITI-20 have it. Time and process are the event's and none, so that the
/// same event told twice is the same octets.
std::string syslog_message(const std::string& host, const std::string& msgid, UtcMicros time,
                           const std::string& xml);

/// The audit record repository behind the interface of a database, so that a Feed follows the
/// journal for it: rows become audit messages. It has no rows that could be forgotten,
/// and none that could be asked for or put (kUnsupported).
class SyslogStore final : public db::AuditStore {
 public:
  SyslogStore(std::unique_ptr<SyslogTransport> transport, std::string msgid, atna::Site site)
      : transport_(std::move(transport)), msgid_(std::move(msgid)), site_(std::move(site)) {}

  /// What is certain to have arrived, or on its way (udp), when it returns.
  Result<void> write(std::span<const db::Row> rows) override;
  Result<void> put(const db::Records& records) override;
  Result<std::vector<db::TracedObject>> trace(const std::string& uid, std::size_t limit) override;
  Result<std::vector<db::Extent>> extents() override;
  Result<db::Records> read(const db::Extent& extent) override;
  Result<std::vector<std::string>> patient_keys() override;
  Result<std::uint64_t> forget(const std::string& patient_key, UtcMicros until) override;
  Result<void> forget_results(const db::Extent& extent) override;
  Result<std::uint64_t> prune(const db::Extent& extent, UtcMicros before) override;
  Result<std::vector<db::Record>> actions(const std::string& action) override;

 private:
  const std::unique_ptr<SyslogTransport> transport_;
  const std::string msgid_;
  const atna::Site site_;
};

}  // namespace dr::audit
