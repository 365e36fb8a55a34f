#include "router/admin/gauge_families.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <map>
#include <string>
#include <utility>

namespace dr::admin {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using Labels = std::vector<ClientMetric::Label>;

class Family {
 public:
  Family(const std::string& name, std::string help, MetricType type = MetricType::Gauge) {
    family_.name = "dicom_router_" + name;
    family_.help = std::move(help);
    family_.type = type;
  }
  template <class Number>
  Family& add(Labels labels, Number number) {
    ClientMetric metric;
    metric.label = std::move(labels);
    metric.gauge.value = static_cast<double>(number);
    metric.counter.value = static_cast<double>(number);
    family_.metric.push_back(std::move(metric));
    return *this;
  }
  /// A family without a row is left out.
  void into(std::vector<MetricFamily>& all) {
    if (!family_.metric.empty()) all.push_back(std::move(family_));
  }

 private:
  MetricFamily family_;
};

double age_seconds(const Gauges& gauges, const delivery::DestinationStatus& destination) {
  if (!destination.oldest) return 0;
  return std::max(0.0, std::chrono::duration<double>(gauges.now - *destination.oldest).count());
}

void add_destinations(const Gauges& gauges, std::vector<MetricFamily>& all) {
  Family objects("queue_objects", "Objects queued for a destination, by state.");
  Family oldest(
      "queue_oldest_seconds",
      "Age of the oldest object that is not delivered yet, in seconds since its receipt.");
  Family up("destination_up", "1 when the destination takes objects, else 0.");
  Family paused("destination_paused", "1 while an operator has paused the destination, else 0.");
  Family concurrency("destination_concurrency", "Associations open to a destination.");
  for (const auto& destination : gauges.destinations) {
    const ClientMetric::Label name = {"destination", destination.name};
    const auto& counts = destination.counts;
    const std::array<std::pair<const char*, std::uint64_t>, 5> states = {
        {{"waiting", counts.waiting},
         {"sending", counts.sending},
         {"unknown", counts.unknown},
         {"held", counts.held},
         {"damaged", counts.damaged}}};
    for (const auto& [state, count] : states) objects.add({name, {"state", state}}, count);
    oldest.add({name}, age_seconds(gauges, destination));
    up.add({name}, destination.up ? 1 : 0);
    paused.add({name}, destination.paused ? 1 : 0);
    concurrency.add({name}, destination.associations);
  }
  objects.into(all);
  oldest.into(all);
  up.into(all);
  paused.into(all);
  concurrency.into(all);
}

}  // namespace

std::vector<MetricFamily> gauge_families(const Gauges& gauges, bool fenced) {
  std::vector<MetricFamily> all;
  Family("journal_bytes", "Size of the journal on disk, in bytes.")
      .add({}, gauges.journal.octets)
      .into(all);
  Family("journal_fenced", "1 when the journal refuses all writes until a restart, else 0.")
      .add({}, fenced || gauges.journal.fenced ? 1 : 0)
      .into(all);
  Family("journal_damaged_records_total", "Journal records that were found damaged.",
         MetricType::Counter)
      .add({}, gauges.journal.damaged_records)
      .into(all);
  Family("disk_free_bytes", "Space left for the spool, in bytes.")
      .add({}, gauges.disk_free_octets)
      .into(all);
  Family("objects_unrouted", "Objects kept because no rule matched them.")
      .add({}, gauges.unrouted_objects)
      .into(all);
  Family("journal_sync_probe_seconds",
         "What a small write and its sync took at the start, in seconds.")
      .add({}, gauges.sync_probe_seconds)
      .into(all);
  Family("journal_scrubbed_bytes_total",
         "What was read to look for damage since the start, in bytes.", MetricType::Counter)
      .add({}, gauges.scrub.octets)
      .into(all);
  Family("journal_scrub_timestamp_seconds",
         "When all that waits had last been read for damage, in seconds since 1970; 0: not yet.")
      .add({},
           gauges.scrub.finished ? static_cast<double>(to_micros(*gauges.scrub.finished)) / 1e6 : 0)
      .into(all);
  add_destinations(gauges, all);
  Family loss(
      "loss_invariant_violations",
      "Deliveries by which what was routed to a destination differs from the sum of all its "
      "states; 0: nothing is lost.");
  // Of every destination, so that an alert never meets a series that is not there.
  std::map<std::string, std::uint64_t> violations;
  for (const auto& destination : gauges.destinations) violations[destination.name] = 0;
  for (const auto& row : gauges.loss) violations[row.destination] = row.violations;
  for (const auto& [destination, n] : violations) loss.add({{"destination", destination}}, n);
  loss.into(all);
  Family lag("audit_lag_records", "Journal records that an audit sink has not been told yet.");
  for (const auto& sink : gauges.audit_sinks) lag.add({{"sink", sink.name}}, sink.lag_records);
  lag.into(all);
  return all;
}

}  // namespace dr::admin
