#include "db/sqlite_trace.h"

#include "db/sqlite_statement.h"

namespace dr::db::sqlite {
namespace {

InstanceRow read_instance(Columns& c) {
  InstanceRow i;
  i.key = {c.text(), c.text(), c.number()};
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
  return i;
}

}  // namespace

Trace::Trace(SQLite::Database& db)
    : instances_(db, kTraceInstances),
      decisions_(db, kTraceDecisions),
      deliveries_(db, kTraceDeliveries),
      states_(db, kTraceStates) {}

std::vector<TracedObject> Trace::find(const std::string& uid, std::size_t limit) {
  std::vector<TracedObject> objects;
  Use query(instances_);
  query.text(uid).number(limit);
  while (query.next()) {
    Columns columns(instances_);
    TracedObject& object = objects.emplace_back();
    object.instance = read_instance(columns);
    object.sha256 = columns.text();
    add_decisions(object);
    add_deliveries(object);
    add_states(object);
  }
  return objects;
}

void Trace::add_decisions(TracedObject& object) {
  Use query(decisions_);
  query.key(object.instance.key);
  while (query.next()) {
    Columns c(decisions_);
    object.decisions.push_back({.key = object.instance.key,
                                .rule_ordinal = c.small(),
                                .rule = c.text(),
                                .file = c.text(),
                                .line = c.small(),
                                .destinations = c.text(),
                                .transform = c.text(),
                                .rules_sha256 = c.text()});
  }
}

void Trace::add_deliveries(TracedObject& object) {
  const Key& key = object.instance.key;
  Use query(deliveries_);
  query.key(key);
  while (query.next()) {
    Columns c(deliveries_);
    object.deliveries.push_back({.key = {key.node, key.spool_id, c.number()},
                                 .instance_sequence = key.sequence,
                                 .destination = c.text(),
                                 .attempt = c.small(),
                                 .started = c.time(),
                                 .finished = c.time(),
                                 .outcome = c.text(),
                                 .status = c.small_or_null(),
                                 .comment = c.text(),
                                 .octets = c.number(),
                                 .transfer_syntax_uid = c.text()});
  }
}

void Trace::add_states(TracedObject& object) {
  Use query(states_);
  query.key(object.instance.key);
  while (query.next()) {
    Columns c(states_);
    object.states.push_back({.key = object.instance.key,
                             .destination = c.text(),
                             .state = c.text(),
                             .reason = c.text(),
                             .attempts = c.small(),
                             .next_attempt = c.time_or_null(),
                             .changed = c.time(),
                             .changed_sequence = c.number()});
  }
}

}  // namespace dr::db::sqlite
