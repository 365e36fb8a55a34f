#pragma once

// All SQL that is SQLite's own; the schema, which the databases share, stands in migrations.cpp.

#include <string>

#include "db/migrations.h"
#include "db/tables.h"
#include "db/trace_rows.h"

namespace dr::db::sqlite {

// WAL: readers (trace, an admin's sqlite3) never hold the writer back. FULL: each commit syncs the
// WAL, one sync a batch. NORMAL would not do: it leaves the last commits to the page cache, while
// the caller moves its journal cursor when write() has returned and the journal makes that position
// durable with its next group. Lose power in between, and the cursor has passed rows that the
// database no longer holds: nobody would write them again. With FULL the order is always rows on
// disk, then cursor; losing power between the two only repeats rows, which changes nothing.
inline constexpr const char* kSettings =
    "PRAGMA synchronous = FULL;"
    "PRAGMA cache_size = -16384;"  // 16 MiB
    "PRAGMA trusted_schema = OFF;";
inline constexpr const char* kJournalMode = "PRAGMA journal_mode = WAL";

inline constexpr Dialect kDialect{
    .table_suffix = "",
    .long_text = "TEXT",
    .today = "CAST(strftime('%s', 'now', 'start of day') AS INTEGER) * 1000000",
    .utc =
        "strftime('%Y-%m-%dT%H:%M:%S', $ / 1000000, 'unixepoch') || "
        "printf('.%06dZ', $ % 1000000)"};

inline constexpr const char* kCreateMigrationTable =
    "CREATE TABLE IF NOT EXISTS schema_migration (version INTEGER NOT NULL PRIMARY KEY, "
    "name VARCHAR(128) NOT NULL, applied BIGINT NOT NULL)";
inline constexpr const char* kLastMigration =
    "SELECT coalesce(max(version), 0) FROM schema_migration";
inline constexpr const char* kRecordMigration =
    "INSERT INTO schema_migration (version, name, applied) VALUES (?, ?, "
    "CAST((julianday('now') - 2440587.5) * 86400 AS INTEGER) * 1000000)";

/// One row of this table (tables.h).
inline std::string insert(const Table& table) {
  std::string values = "VALUES (?";
  for (std::size_t i = 1; i < table.columns.size(); ++i) values += ",?";
  return insert_into(table) + values + ")" + on_conflict(table);
}

inline const std::string kTraceInstances =
    std::string("SELECT ") + kTracedInstance +
    " FROM instance "
    "WHERE sop_instance_uid = ?1 OR series_instance_uid = ?1 OR study_instance_uid = ?1 "
    "ORDER BY received, node, spool_id, sequence LIMIT ?2";
inline const std::string kTraceDecisions =
    std::string("SELECT ") + kTracedDecision +
    " FROM decision WHERE node = ? AND spool_id = ? AND sequence = ? ORDER BY rule_ordinal";
inline const std::string kTraceDeliveries =
    std::string("SELECT ") + kTracedDelivery +
    " FROM delivery WHERE node = ? AND spool_id = ? AND instance_sequence = ? ORDER BY sequence";
inline const std::string kTraceStates =
    std::string("SELECT ") + kTracedState +
    " FROM instance_state WHERE node = ? AND spool_id = ? AND sequence = ? ORDER BY destination";

}  // namespace dr::db::sqlite
