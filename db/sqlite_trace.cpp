#include "db/sqlite_trace.h"

#include "db/sqlite_statement.h"

namespace dr::db::sqlite {
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
    TracedObject& object = objects.emplace_back(read_instance(columns));
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
    object.decisions.push_back(read_decision(Columns(decisions_), object.instance.key));
  }
}

void Trace::add_deliveries(TracedObject& object) {
  Use query(deliveries_);
  query.key(object.instance.key);
  while (query.next()) {
    object.deliveries.push_back(read_delivery(Columns(deliveries_), object.instance.key));
  }
}

void Trace::add_states(TracedObject& object) {
  Use query(states_);
  query.key(object.instance.key);
  while (query.next()) {
    object.states.push_back(read_state(Columns(states_), object.instance.key));
  }
}

}  // namespace dr::db::sqlite
