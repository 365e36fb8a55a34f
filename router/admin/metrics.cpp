#include "router/admin/metrics.h"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <sstream>

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include "router/admin/gauge_families.h"
#include "router/admin/label_table.h"
#include "router/admin/sop_class_group.h"

namespace dr::admin {
namespace {

using prometheus::Counter;
using prometheus::Histogram;
using CounterFamily = prometheus::Family<Counter>;
using HistogramFamily = prometheus::Family<Histogram>;
using Buckets = Histogram::BucketBoundaries;

// Seconds. Peers give up on a C-STORE after 10 s; a delivery may wait for a night or a week.
const Buckets kResponse = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10};
const Buckets kSync = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5};
const Buckets kDelivery = {0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300};
const Buckets kLatency = {0.01, 0.05, 0.1,  0.5,   1,     5,      15,
                          60,   300,  1800, 3'600, 14400, 86'400, 604'800};
const Buckets kBatch = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512};

constexpr std::size_t kNames = 512;    // slots for listeners, destinations, sinks
constexpr std::size_t kRules = 8192;   // slots for rules
constexpr std::size_t kFewWords = 64;  // slots for words of this program

/// Counters of one family that differ in the last label.
class ByWord {
 public:
  ByWord(CounterFamily& family, prometheus::Labels labels, std::string last)
      : family_(family), labels_(std::move(labels)), last_(std::move(last)) {}

  Counter& operator[](std::string_view word) {
    return *table_.get(word, [this](std::string value) {
      auto labels = labels_;
      labels[last_] = std::move(value);
      return &family_.Add(labels);
    });
  }

 private:
  CounterFamily& family_;
  const prometheus::Labels labels_;
  const std::string last_;
  LabelTable<Counter*, kFewWords> table_;
};

double seconds_between(UtcMicros from, UtcMicros to) {
  return std::max(0.0, std::chrono::duration<double>(to - from).count());
}

}  // namespace

struct Metrics::Families {
  prometheus::Registry registry;

  CounterFamily& counters(const std::string& name, const std::string& help) {
    return prometheus::BuildCounter().Name("dicom_router_" + name).Help(help).Register(registry);
  }
  HistogramFamily& histograms(const std::string& name, const std::string& help) {
    return prometheus::BuildHistogram().Name("dicom_router_" + name).Help(help).Register(registry);
  }
  prometheus::Family<prometheus::Gauge>& gauges(const std::string& name, const std::string& help) {
    return prometheus::BuildGauge().Name("dicom_router_" + name).Help(help).Register(registry);
  }

  CounterFamily& associations =
      counters("associations_total", "Incoming associations that ended, by how they ended.");
  CounterFamily& rejections =
      counters("association_rejections_total", "Incoming associations that were rejected.");
  CounterFamily& objects = counters("objects_received_total",
                                    "Objects received, by the family of their storage SOP class.");
  CounterFamily& responses =
      counters("store_responses_total", "C-STORE responses sent, by status (hexadecimal).");
  CounterFamily& rules = counters("rule_matches_total", "Objects that a rule matched.");
  CounterFamily& deliveries =
      counters("deliveries_total", "Attempts to deliver an object, by how they ended.");
  HistogramFamily& delivery_seconds =
      histograms("delivery_seconds", "Time that one attempt to deliver took, in seconds.");
  HistogramFamily& route_latency = histograms(
      "route_latency_seconds", "Time from an object's receipt to its delivery, in seconds.");
  CounterFamily& loop_guard =
      counters("loop_guard_total",
               "Objects that came back unchanged from where they had been sent: not sent again.");
  CounterFamily& audit_rows = counters("audit_rows_total", "Rows written to an audit sink.");
  CounterFamily& audit_refusals =
      counters("audit_rows_refused_total", "Rows that an audit sink refused for good.");

  CounterFamily& extractions =
      counters("extractions_total", "Attempts to extract a structure set, by how they ended.");
  Histogram& extraction_seconds =
      histograms("extraction_seconds", "Time that one attempt to extract took, in seconds.")
          .Add({}, kDelivery);
  ByWord extraction_outcomes{extractions, {}, "outcome"};

  prometheus::Gauge& open =
      gauges("associations_open", "Incoming associations that are open.").Add({});
  Counter& octets =
      counters("received_bytes_total", "Data set octets of objects received, in bytes.").Add({});
  Histogram& response_seconds =
      histograms("store_response_seconds",
                 "Time from an object's last octet in to its C-STORE response out, in seconds.")
          .Add({}, kResponse);
  Histogram& sync_seconds =
      histograms("journal_sync_seconds", "Time that one journal sync took, in seconds.")
          .Add({}, kSync);
  Histogram& batch_objects =
      histograms("journal_batch_objects", "Objects that one journal sync made durable.")
          .Add({}, kBatch);
  prometheus::Gauge& reload_success =
      gauges("rules_reload_success", "1 when the last load of the rules succeeded, else 0.")
          .Add({});
  prometheus::Gauge& reload_time =
      gauges("rules_last_reload_timestamp_seconds",
             "When the rules were last loaded with success, in seconds since 1970 (UTC).")
          .Add({});
  std::atomic<bool> fenced = false;

  struct Listener {
    ByWord ended, rejected, objects, responses;
  };
  struct Destination {
    ByWord deliveries;
    Histogram& seconds;
    Histogram& latency;
    Counter& loops;
  };
  LabelTable<std::unique_ptr<Listener>, kNames> listeners;
  LabelTable<std::unique_ptr<Destination>, kNames> destinations;
  LabelTable<Counter*, kRules> rule_counters;
  LabelTable<Counter*, kNames> rows, refused_rows;

  Listener& listener(std::string_view name) {
    return *listeners.get(name, [this](const std::string& value) {
      const prometheus::Labels labels = {{"listener", value}};
      // A braced list of references to members: made in place, since tables do not move.
      return std::unique_ptr<Listener>(new Listener{{associations, labels, "outcome"},
                                                    {rejections, labels, "reason"},
                                                    {objects, labels, "sop_class_group"},
                                                    {responses, labels, "status"}});
    });
  }
  Destination& destination(std::string_view name) {
    return *destinations.get(name, [this](const std::string& value) {
      const prometheus::Labels labels = {{"destination", value}};
      return std::unique_ptr<Destination>(new Destination{{deliveries, labels, "outcome"},
                                                          delivery_seconds.Add(labels, kDelivery),
                                                          route_latency.Add(labels, kLatency),
                                                          loop_guard.Add(labels)});
    });
  }
};

Metrics::Metrics(const std::string& version, const std::string& commit)
    : families_(std::make_unique<Families>()) {
  families_->gauges("build_info", "1, with what this program was built from.")
      .Add({{"version", version}, {"commit", commit}})
      .Set(1);
}

Metrics::~Metrics() = default;

void Metrics::association_opened() { families_->open.Increment(); }

void Metrics::association_ended(const std::string& listener, const std::string& outcome) {
  families_->open.Decrement();
  families_->listener(listener).ended[outcome].Increment();
}

void Metrics::association_rejected(const std::string& listener, const std::string& reason) {
  families_->listener(listener).rejected[reason].Increment();
}

void Metrics::object_received(const std::string& listener, const Uid& sop_class,
                              std::uint64_t octets) {
  families_->listener(listener).objects[sop_class_group(sop_class)].Increment();
  families_->octets.Increment(static_cast<double>(octets));
}

void Metrics::rule_matched(const std::string& rule) {
  auto* counter = families_->rule_counters.get(rule, [this](const std::string& value) {
    return &families_->rules.Add({{"rule", value}});
  });
  counter->Increment();
}

void Metrics::store_response(const std::string& listener, std::uint16_t status, double seconds) {
  std::array<char, 6> text{};
  const auto length = std::snprintf(text.data(), text.size(), "%04XH", unsigned{status});
  families_->listener(listener)
      .responses[std::string_view(text.data(), static_cast<std::size_t>(length))]
      .Increment();
  families_->response_seconds.Observe(seconds);
}

void Metrics::synced(const journal::SyncStats& stats) {
  families_->sync_seconds.Observe(stats.seconds);
  families_->batch_objects.Observe(static_cast<double>(stats.objects));
}

void Metrics::fenced() { families_->fenced = true; }

void Metrics::delivery_ended(const delivery::AttemptReport& report) {
  const auto& outcome = report.outcome;
  const bool arrived = outcome.state == journal::DeliveryState::kDelivered ||
                       outcome.state == journal::DeliveryState::kVerified;
  auto& destination = families_->destination(outcome.destination);
  if (outcome.outcome == journal::name(outcome.state) &&
      !arrived) {  // "skipped", "held": no attempt
    if (outcome.reason == "loop") destination.loops.Increment();
    return;
  }
  destination.deliveries[outcome.outcome].Increment();
  destination.seconds.Observe(seconds_between(outcome.started, outcome.finished));
  if (arrived) {
    destination.latency.Observe(seconds_between(report.received, outcome.finished));
  }
}

void Metrics::audit_written(const std::string& sink, std::size_t rows) {
  auto* counter = families_->rows.get(sink, [this](const std::string& value) {
    return &families_->audit_rows.Add({{"sink", value}});
  });
  counter->Increment(static_cast<double>(rows));
}

void Metrics::audit_refused(const std::string& sink, std::size_t rows) {
  auto* counter = families_->refused_rows.get(sink, [this](const std::string& value) {
    return &families_->audit_refusals.Add({{"sink", value}});
  });
  counter->Increment(static_cast<double>(rows));
}

void Metrics::extraction_ended(const std::string& outcome, double seconds) {
  families_->extraction_outcomes[outcome].Increment();
  families_->extraction_seconds.Observe(seconds);
}

void Metrics::rules_reloaded(bool success, UtcMicros when) {
  families_->reload_success.Set(success ? 1 : 0);
  if (success) {
    families_->reload_time.Set(std::chrono::duration<double>(when.time_since_epoch()).count());
  }
}

std::string Metrics::text(const Gauges& gauges) {
  auto all = families_->registry.Collect();
  for (auto& family : gauge_families(gauges, families_->fenced)) all.push_back(std::move(family));
  std::ostringstream out;
  prometheus::TextSerializer().Serialize(out, all);
  return out.str();
}

}  // namespace dr::admin
