#pragma once

// All SQL that is MySQL's and MariaDB's own; the schema, which the databases share, stands in
// migrations.cpp.

#include <string>

#include "db/migrations.h"
#include "db/server_trace.h"
#include "db/tables.h"

namespace dr::db::mysql {

// utf8mb4_bin: texts are equal when their octets are, as in the other databases. UIDs, states and
// names hold no trailing spaces, which this collation alone would pass over.
inline constexpr Dialect kDialect{
    .table_suffix = " ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
    .long_text = "LONGTEXT",
    .today = "TIMESTAMPDIFF(SECOND, '1970-01-01', UTC_DATE()) * 1000000",
    .utc =
        "DATE_FORMAT(TIMESTAMPADD(MICROSECOND, $, TIMESTAMP '1970-01-01 00:00:00'), "
        "'%Y-%m-%dT%H:%i:%s.%fZ')"};

// Strict: what does not fit is an error, never cut behind our back.
inline constexpr const char* kSettings[] = {
    "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'",
    "SET SESSION innodb_lock_wait_timeout = 5",
    "SET SESSION time_zone = '+00:00'",
    "SET NAMES utf8mb4 COLLATE utf8mb4_bin",
};
// 1 syncs each commit; with anything else a commit may be lost after the cursor has passed it.
inline constexpr const char* kDurable = "SELECT @@GLOBAL.innodb_flush_log_at_trx_commit";

inline constexpr const char* kLockMigrations =
    "SELECT GET_LOCK(CONCAT('dicom-router ', DATABASE()), 60)";
inline constexpr const char* kUnlockMigrations =
    "SELECT RELEASE_LOCK(CONCAT('dicom-router ', DATABASE()))";
inline constexpr const char* kHasMigrations =
    "SELECT count(*) FROM information_schema.tables "
    "WHERE table_schema = DATABASE() AND table_name = 'schema_migration'";
inline constexpr const char* kLastMigration =
    "SELECT coalesce(max(version), 0) FROM schema_migration";
inline constexpr const char* kCreateMigrationTable =
    "CREATE TABLE IF NOT EXISTS schema_migration (version INTEGER NOT NULL PRIMARY KEY, "
    "name VARCHAR(128) NOT NULL, applied BIGINT NOT NULL)";
inline constexpr const char* kRecordMigration =
    "INSERT INTO schema_migration (version, name, applied) "
    "VALUES (?, ?, TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6)))";

/// So many rows of this table (tables.h).
inline std::string insert(const Table& table, std::size_t rows) {
  std::string row = "(?";
  for (std::size_t i = 1; i < table.columns.size(); ++i) row += ",?";
  row += ")";
  std::string values = "VALUES " + row;
  for (std::size_t i = 1; i < rows; ++i) values += "," + row;
  return insert_into(table) + values + on_duplicate_key(table);
}

/// From the left to the right.
inline std::string beside(const std::string& /*columns*/, const std::string& table,
                          const std::string& condition) {
  return "STRAIGHT_JOIN " + table + " ON " + condition;
}

inline const TraceSql& trace_sql() {
  static const TraceSql kSql("?", "?", beside);
  return kSql;
}

}  // namespace dr::db::mysql
