#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "dimse/base/clock.h"
#include "dimse/base/uid.h"
#include "router/delivery/engine.h"
#include "router/delivery/observer.h"
#include "router/journal/journal.h"
#include "router/journal/loss_invariant.h"
#include "router/journal/scrubber.h"

namespace dr::admin {

/// What is not counted as it happens but looked up when somebody asks.
struct Gauges {
  UtcMicros now = SystemClock().now_utc();  // what ages are counted to
  journal::Stats journal;
  std::uint64_t disk_free_octets = 0;
  std::uint64_t unrouted_objects = 0;
  journal::Scrubber::Progress scrub;
  double sync_probe_seconds = 0;  // 0: not known
  std::vector<delivery::DestinationStatus> destinations;
  std::vector<journal::LossInvariant::Row> loss;
  struct Sink {
    std::string name;
    std::uint64_t lag_records = 0;
  };
  std::vector<Sink> audit_sinks;
};

/// The node's metrics, by the names of the interface description. All functions may be called from
/// any thread and never wait for a disk. Labels come from the configuration or from closed lists,
/// never from the wire: SOP classes by group ("ct", "mr", "radiotherapy", …, "other").
class Metrics {
 public:
  Metrics(const std::string& version, const std::string& commit);
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  void association_opened();
  void association_ended(const std::string& listener, const std::string& outcome);
  void association_rejected(const std::string& listener, const std::string& reason);
  void object_received(const std::string& listener, const Uid& sop_class, std::uint64_t octets);
  void rule_matched(const std::string& rule);
  void store_response(const std::string& listener, std::uint16_t status, double seconds);

  void synced(const journal::SyncStats& stats);
  void fenced();

  void delivery_ended(const delivery::AttemptReport& report);

  void audit_written(const std::string& sink, std::size_t rows);
  void audit_refused(const std::string& sink, std::size_t rows);

  /// `outcome`: "done", "failed", "held" or "retried".
  void extraction_ended(const std::string& outcome, double seconds);

  void rules_reloaded(bool success, UtcMicros when);

  /// All metrics in Prometheus' text format (version 0.0.4), with these gauges.
  std::string text(const Gauges& gauges);

 private:
  struct Families;
  std::unique_ptr<Families> families_;
};

}  // namespace dr::admin
