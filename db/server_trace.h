#pragma once

#include <string>
#include <vector>

#include "db/trace_rows.h"

namespace dr::db {

// AuditStore::trace() of a database on the network: four questions, however many objects a study
// has. The databases' SQL differs in nothing but how parameters are written.

/// The SQL of the four questions; each takes the UID and the most objects, as `uid` three times and
/// `limit` once in this order. A union, not three conditions with OR: MariaDB would read the whole
/// table. `beside(columns, table, condition)` is the database's way to join what an index finds for
/// each object, one object after the other, whatever its statistics are: those of a database that
/// was filled a moment ago would let it read whole tables.
struct TraceSql {
  TraceSql(const std::string& uid, const std::string& limit, auto&& beside) {
    const auto found = [&](const std::string& columns, const std::string& order) {
      const std::string head = "SELECT " + columns + " FROM instance WHERE ";
      return head + "sop_instance_uid = " + uid + " UNION " + head +
             "series_instance_uid = " + uid + " UNION " + head + "study_instance_uid = " + uid +
             " ORDER BY " + order + " LIMIT " + limit;
    };
    instances = found(kTracedInstance, "received, node, spool_id, sequence");
    const std::string keys =
        " FROM (" + found("node AS n, spool_id AS s, sequence AS q, received AS r", "r, n, s, q") +
        ") AS i ";
    const auto of = [&](const std::string& columns, const std::string& table,
                        const std::string& instance, const std::string& order) {
      return "SELECT n, s, q, " + columns + keys +
             beside(columns, table, "node = n AND spool_id = s AND " + instance + " = q") +
             " ORDER BY " + order;
    };
    decisions = of(kTracedDecision, "decision", "sequence", "rule_ordinal");
    deliveries = of(kTracedDelivery, "delivery", "instance_sequence", "sequence");
    states = of(kTracedState, "instance_state", "sequence", "destination");
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
