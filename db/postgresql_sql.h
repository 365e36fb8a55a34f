#pragma once

// All SQL that is PostgreSQL's own; the schema, which the databases share, stands in
// migrations.cpp.

#include <string>

#include "db/migrations.h"
#include "db/server_trace.h"
#include "db/tables.h"

namespace dr::db::postgresql {

inline constexpr Dialect kDialect{
    .table_suffix = "",
    .long_text = "TEXT",
    .today = "(extract(epoch FROM date_trunc('day', now() AT TIME ZONE 'UTC')) * 1000000)::bigint",
    .utc =
        "to_char(timestamp '1970-01-01' + $ * interval '1 microsecond', "
        "'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"};

// Held until the transaction ends. Its number is "drauditM".
inline constexpr const char* kLockMigrations = "SELECT pg_advisory_xact_lock(7237954707961508941)";
// Not to_regclass(): in one transaction that may go on telling what it told before another node's
// commit.
inline constexpr const char* kHasMigrations =
    "SELECT EXISTS (SELECT FROM pg_catalog.pg_class "
    "WHERE relname = 'schema_migration' AND pg_table_is_visible(oid))";
inline constexpr const char* kLastMigration =
    "SELECT coalesce(max(version), 0) FROM schema_migration";
inline constexpr const char* kCreateMigrationTable =
    "CREATE TABLE IF NOT EXISTS schema_migration (version INTEGER NOT NULL PRIMARY KEY, "
    "name VARCHAR(128) NOT NULL, applied BIGINT NOT NULL)";
inline constexpr const char* kRecordMigration =
    "INSERT INTO schema_migration (version, name, applied) "
    "VALUES ($1, $2, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint)";

/// Any number of rows of this table: one array parameter a column. Whatever their number, the
/// statement is the same, and nothing of a row ever stands in its text.
inline std::string insert(const Table& table) {
  std::string arrays;
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    arrays += (i == 0 ? "$" : ", $") + std::to_string(i + 1);
    const Column& column = table.columns[i];
    arrays += column.text ? "::text[]" : column.real ? "::float8[]" : "::bigint[]";
  }
  return insert_into(table) + "SELECT * FROM unnest(" + arrays + ")" + on_conflict(table);
}

/// OFFSET 0 keeps the planner from turning this into a join of whole tables.
inline std::string beside(const std::string& columns, const std::string& table,
                          const std::string& condition) {
  return "CROSS JOIN LATERAL (SELECT " + columns + " FROM " + table + " WHERE " + condition +
         " OFFSET 0) AS t";
}

inline const TraceSql& trace_sql() {
  static const TraceSql kSql("$1", "$2", beside);
  return kSql;
}

}  // namespace dr::db::postgresql
