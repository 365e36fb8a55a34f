#pragma once

#include <string>
#include <vector>

#include <SQLiteCpp/SQLiteCpp.h>

#include "db/audit_store.h"
#include "db/sqlite_sql.h"

namespace dr::db::sqlite {

/// The prepared questions behind AuditStore::trace(). Throws SQLite::Exception.
class Trace {
 public:
  /// `db` is migrated and outlives this.
  explicit Trace(SQLite::Database& db);
  std::vector<TracedObject> find(const std::string& uid, std::size_t limit);

 private:
  void add_decisions(TracedObject& object);
  void add_deliveries(TracedObject& object);
  void add_states(TracedObject& object);

  SQLite::Statement instances_;
  SQLite::Statement decisions_;
  SQLite::Statement deliveries_;
  SQLite::Statement states_;
};

}  // namespace dr::db::sqlite
