#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <tuple>
#include <vector>

#include "db/audit_store.h"

namespace dr::db {

// How the rows of AuditStore::trace() are read. `C` takes the columns of one result row from left
// to right: text(), number(), small(), time(), time_or_null(), small_or_null().

inline constexpr const char* kTracedInstance =
    "node, spool_id, sequence, sop_instance_uid, sop_class_uid, transfer_syntax_uid, "
    "study_instance_uid, series_instance_uid, modality, patient_key, octets, process_start, "
    "association, listener, peer_address, calling_ae_title, called_ae_title, received, durable, "
    "status, state, rules_sha256, extract, coalesce(sha256, '')";
inline constexpr const char* kTracedDecision =
    "rule_ordinal, rule, file, line, destinations, transform, rules_sha256";
inline constexpr const char* kTracedDelivery =
    "sequence, destination, attempt, started, finished, outcome, status, comment, octets, "
    "transfer_syntax_uid";
inline constexpr const char* kTracedState =
    "destination, state, reason, attempts, next_attempt, changed, changed_sequence";

template <class C>
TracedObject read_instance(C&& c) {
  TracedObject object;
  InstanceRow& i = object.instance;
  i.key.node = c.text();
  i.key.spool_id = c.text();
  i.key.sequence = c.number();
  i.sop_instance_uid = c.text();
  i.sop_class_uid = c.text();
  i.transfer_syntax_uid = c.text();
  i.study_instance_uid = c.text();
  i.series_instance_uid = c.text();
  i.modality = c.text();
  i.patient_key = c.text();
  i.octets = c.number();
  i.process_start = c.number();
  i.association = c.number();
  i.listener = c.text();
  i.peer_address = c.text();
  i.calling_ae_title = c.text();
  i.called_ae_title = c.text();
  i.received = c.time();
  i.durable = c.time_or_null();
  i.status = static_cast<std::uint16_t>(c.number());
  i.state = c.text();
  i.rules_sha256 = c.text();
  i.extract = c.number() != 0;
  object.sha256 = c.text();
  return object;
}

/// Braces keep the order of the reads: from left to right.
template <class C>
DecisionRow read_decision(C&& c, const Key& key) {
  return {.key = key,
          .rule_ordinal = c.small(),
          .rule = c.text(),
          .file = c.text(),
          .line = c.small(),
          .destinations = c.text(),
          .transform = c.text(),
          .rules_sha256 = c.text()};
}

template <class C>
DeliveryRow read_delivery(C&& c, const Key& key) {
  return {.key = {key.node, key.spool_id, c.number()},
          .instance_sequence = key.sequence,
          .destination = c.text(),
          .attempt = c.small(),
          .started = c.time(),
          .finished = c.time(),
          .outcome = c.text(),
          .status = c.small_or_null(),
          .comment = c.text(),
          .octets = c.number(),
          .transfer_syntax_uid = c.text()};
}

template <class C>
InstanceStateRow read_state(C&& c, const Key& key) {
  return {.key = key,
          .destination = c.text(),
          .state = c.text(),
          .reason = c.text(),
          .attempts = c.small(),
          .next_attempt = c.time_or_null(),
          .changed = c.time(),
          .changed_sequence = c.number()};
}

/// The key of the object that a row belongs to, where it stands before the row's own columns.
template <class C>
Key read_key(C& c) {
  return {c.text(), c.text(), c.number()};
}

/// A row as AuditStore::read() gives it; `C` also has cell(column).
template <class C>
Record read_record(C&& c, const Table& table) {
  Record record;
  for (const Column& column : table.columns) record.push_back(c.cell(column));
  return record;
}

/// Objects in the order in which they were added, found again by their keys: rows of many objects
/// come in one answer, since a database on the network is asked four times, not once an object.
class TracedObjects {
 public:
  void add(TracedObject object) {
    places_.emplace(place(object.instance.key), objects_.size());
    objects_.push_back(std::move(object));
  }
  TracedObject* find(const Key& key) {
    const auto found = places_.find(place(key));
    return found == places_.end() ? nullptr : &objects_[found->second];
  }
  std::vector<TracedObject> take() { return std::move(objects_); }

 private:
  using Place = std::tuple<std::string, std::string, std::uint64_t>;
  static Place place(const Key& key) { return {key.node, key.spool_id, key.sequence}; }

  std::vector<TracedObject> objects_;
  std::map<Place, std::size_t> places_;
};

}  // namespace dr::db
