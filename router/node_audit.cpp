#include "router/node_audit.h"

#include <algorithm>
#include <array>

#include <unistd.h>

#include "dimse/base/log.h"
#include "router/audit/journal_trace.h"
#include "router/audit/syslog_store.h"
#include "router/delivery/http_client.h"

namespace dr {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kDrain{5'000};
constexpr milliseconds kTraceWaits{1'000};

std::string host_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
}

/// The machine of a destination.
const std::string& host_of(const delivery::DestinationSettings& destination) {
  return delivery::is_http(destination.kind) ? destination.url.host : destination.host;
}

}  // namespace

std::vector<AuditDatabase> audit_databases(const Config& config) {
  std::vector<AuditDatabase> all;
  if (config.sqlite) {
    all.push_back({"sqlite", [path = config.sqlite->string()] { return db::open_sqlite(path); }});
  }
  if (config.postgresql) {
    all.push_back({"postgresql", [s = *config.postgresql] { return db::open_postgresql(s); }});
  }
  if (config.mysql) {
    all.push_back({"mysql", [s = *config.mysql] { return db::open_mysql(s); }});
  }
  return all;
}

NodeAudit::NodeAudit(const Config& config, journal::Journal& journal, FileSystem& files,
                     const Clock& clock, const audit::Sealer& sealer, admin::Metrics& metrics)
    : config_(config),
      journal_(journal),
      sealer_(sealer),
      metrics_(metrics),
      databases_(audit_databases(config)),
      trace_stores_(databases_.size()) {
  for (const AuditDatabase& database : databases_) start_feed(database.name, database.open);
  if (config_.syslog) start_feed("syslog", [this] { return open_syslog(); });
  // What is no longer configured keeps nothing in the spool.
  for (const char* sink : {"sqlite", "postgresql", "mysql", "syslog"}) {
    if (std::ranges::find(feeds_, sink, [](const auto& feed) { return feed->sink(); }) ==
        feeds_.end()) {
      journal_.drop_cursor(std::string("audit-") + sink);
    }
  }
  if (sealer_.has_key() && !databases_.empty()) {
    chain_ = std::make_unique<audit::ChainKeeper>(journal_, files, sealer_, config_.node);
  } else {
    journal_.drop_cursor("audit-chain");
  }
  if (config_.audit_retention.count() > 0) {
    retention_ =
        std::make_unique<audit::Retention>(journal_, files, clock, config_.audit_retention);
  }
}

void NodeAudit::advanced(journal::Sequence watermark) {
  for (const auto& feed : feeds_) feed->advanced(watermark);
  if (chain_) chain_->advanced(watermark);
}

void NodeAudit::stop() {
  if (retention_) retention_->stop();
  for (const auto& feed : feeds_) feed->stop(kDrain);
  if (chain_) chain_->stop(kDrain);
}

std::vector<std::pair<std::string, std::uint64_t>> NodeAudit::lags() const {
  std::vector<std::pair<std::string, std::uint64_t>> all;
  for (const auto& feed : feeds_) all.emplace_back(feed->sink(), feed->lag());
  return all;
}

Result<std::vector<db::TracedObject>> NodeAudit::trace(const std::string& uid, std::size_t limit) {
  // Who asks for what was just received gets it: the audit is written a moment later.
  if (!databases_.empty()) journal_.flush(kTraceWaits);
  const journal::Sequence now = journal_.watermark();
  for (std::size_t i = 0; i < databases_.size(); ++i) {
    const bool complete = feeds_[i]->wait_written(now, i == 0 ? kTraceWaits : milliseconds(0));
    auto stored = trace_stored(i, uid, limit);
    if (!stored) continue;  // another one may answer
    if (complete) return stored;
    auto kept = audit::trace_journal(journal_, config_.node, uid, limit);
    if (!kept) return kept;
    return audit::merge(*std::move(kept), *std::move(stored), limit);
  }
  return audit::trace_journal(journal_, config_.node, uid, limit);
}

Result<std::pair<std::string, std::unique_ptr<db::AuditStore>>> NodeAudit::written_up_to(
    journal::Sequence sequence, milliseconds at_most) {
  if (databases_.empty()) {
    return Error{Errc::kUnsupported, "a report needs an [audit.*] database"};
  }
  if (!feeds_[0]->wait_written(sequence, at_most)) {
    return Error{Errc::kTimeout, databases_[0].name + " is behind: ask again"};
  }
  auto store = databases_[0].open();
  if (!store) return std::move(store).error();
  return std::pair(databases_[0].name, *std::move(store));
}

void NodeAudit::start_feed(const std::string& name, audit::Feed::Open open) {
  audit::FeedEvents told;
  told.written = [this](const std::string& sink, std::size_t rows) {
    metrics_.audit_written(sink, rows);
  };
  told.refused = [this](const std::string& sink, std::size_t rows) {
    metrics_.audit_refused(sink, rows);
  };
  feeds_.push_back(std::make_unique<audit::Feed>(name, std::move(open), journal_, config_.node,
                                                 std::move(told), &sealer_));
}

Result<std::unique_ptr<db::AuditStore>> NodeAudit::open_syslog() const {
  auto transport = audit::open_syslog_transport(*config_.syslog);
  if (!transport) return std::move(transport).error();
  audit::atna::Site site{.node = config_.node,
                         .host = host_name(),
                         .ae_title = config_.ae_title.str(),
                         .hashed_patients = config_.patient_data != PatientData::kFull};
  for (const delivery::DestinationSettings& d : config_.destinations) {
    site.destinations[d.name] = {d.ae_title.str(), host_of(d)};
  }
  site.object_of = [this](std::uint64_t sequence) -> std::optional<journal::ObjectRecord> {
    const auto record = journal_.read(journal::Sequence{sequence});
    if (!record) return std::nullopt;
    auto object = journal::decode_object(record->head);
    if (!object) return std::nullopt;
    return *std::move(object);
  };
  return std::unique_ptr<db::AuditStore>(std::make_unique<audit::SyslogStore>(
      *std::move(transport), config_.syslog->msgid, std::move(site)));
}

Result<std::vector<db::TracedObject>> NodeAudit::trace_stored(std::size_t database,
                                                              const std::string& uid,
                                                              std::size_t limit) {
  // A connection of its own: no reader waits for the writer.
  const std::lock_guard lock(trace_mutex_);
  auto& store = trace_stores_[database];
  if (!store) {
    auto opened = databases_[database].open();
    if (!opened) return std::move(opened).error();
    store = *std::move(opened);
  }
  auto found = store->trace(uid, limit);
  if (!found) {
    store.reset();  // a connection that has failed is never used again
    log::event(log::Level::kWarning, "trace.failed",
               {{"sink", databases_[database].name}, {"error", found.error().to_string()}});
  }
  return found;
}

}  // namespace dr
