#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace dr::db {

/// What differs between the databases in a text that otherwise all of them take. `$` stands for the
/// column where a time is shown.
struct Dialect {
  std::string_view table_suffix;  // {table}: behind each CREATE TABLE
  std::string_view long_text;     // {long_text}: text above 64 KiB
  std::string_view today;         // {today}: start of this UTC day, in microseconds since 1970
  std::string_view utc;           // {utc COLUMN}: a time as text, "2026-01-31T12:00:00.000000Z"
};

/// One step of the schema: applied once, in one transaction, never changed after a release. A
/// number is never used twice and there is no way back.
struct Migration {
  std::uint32_t version;
  std::string_view name;
  std::string_view sql;  // statements that end with ";" at the end of a line
};

/// All steps in order. Types are those that SQLite, PostgreSQL and MySQL share: BIGINT, INTEGER,
/// SMALLINT, DOUBLE PRECISION, VARCHAR(n), TEXT.
std::span<const Migration> migrations();
inline std::uint32_t latest_version() { return migrations().back().version; }

/// `sql` with the dialect's words filled in.
std::string in_dialect(std::string_view sql, const Dialect& dialect);

/// The statements of a migration one by one, for a database that takes no more at once.
std::vector<std::string> statements(std::string_view sql);

}  // namespace dr::db
