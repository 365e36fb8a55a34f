#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "db/trace_rows.h"

namespace dr::db {

// AuditStore::trace() of a database on the network: four questions, however many objects a study
// has. The databases' SQL differs in nothing but how parameters are written.

/// The SQL of the four questions; each takes the UID and the most objects, as `uid` three times and
/// `limit` once in this order.
struct TraceSql {
  TraceSql(std::string_view uid, std::string_view limit) {
    const std::string u(uid);
    const std::string where = " FROM instance WHERE sop_instance_uid = " + u +
                              " OR series_instance_uid = " + u + " OR study_instance_uid = " + u +
                              " ORDER BY received, node, spool_id, sequence LIMIT " +
                              std::string(limit);
    instances = std::string("SELECT ") + kTracedInstance + where;
    const std::string of =
        " FROM (SELECT node AS n, spool_id AS s, sequence AS q" + where + ") AS i JOIN ";
    const std::string head = "SELECT n, s, q, ";
    const std::string on = " ON node = n AND spool_id = s AND ";
    decisions =
        head + kTracedDecision + of + "decision" + on + "sequence = q ORDER BY rule_ordinal";
    deliveries =
        head + kTracedDelivery + of + "delivery" + on + "instance_sequence = q ORDER BY sequence";
    states = head + kTracedState + of + "instance_state" + on + "sequence = q ORDER BY destination";
  }
  std::string instances, decisions, deliveries, states;
};

/// `ask(sql, each)` asks with the parameters bound, and hands each row's columns to `each`.
std::vector<TracedObject> trace_with(const TraceSql& sql, auto&& ask) {
  TracedObjects objects;
  ask(sql.instances, [&](auto&& row) { objects.add(read_instance(row)); });
  const auto rows = [&](const std::string& question, auto&& add) {
    ask(question, [&](auto&& row) {
      const Key key = read_key(row);
      if (TracedObject* object = objects.find(key)) add(*object, row, key);
    });
  };
  rows(sql.decisions, [](TracedObject& object, auto& row, const Key& key) {
    object.decisions.push_back(read_decision(row, key));
  });
  rows(sql.deliveries, [](TracedObject& object, auto& row, const Key& key) {
    object.deliveries.push_back(read_delivery(row, key));
  });
  rows(sql.states, [](TracedObject& object, auto& row, const Key& key) {
    object.states.push_back(read_state(row, key));
  });
  return objects.take();
}

}  // namespace dr::db
