#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "db/rows.h"

namespace dr::db {

/// What happens to a row whose key is there already.
enum class OnConflict : std::uint8_t {
  kKeep,    // nothing
  kFillIn,  // an object whose digest came first: filled in, its sha256 stays
  kDigest,  // sha256 is set where there is none
  kNewer,   // replaced by a greater changed_sequence
};

struct Column {
  std::string name;
  bool text = false;  // else BIGINT, INTEGER or SMALLINT
};

/// How one kind of row is written: table, columns, and key, whose columns come first.
struct Table {
  std::string name;
  std::vector<Column> columns;
  std::size_t keys = 0;
  OnConflict on_conflict{};
};

constexpr std::size_t kKinds = std::variant_size_v<Row>;
/// One for each kind of row, by Row::index().
const std::array<Table, kKinds>& tables();

/// A column's value: null, a number (above 2^63 as its two's complement) or a text.
using Cell = std::variant<std::monostate, std::int64_t, std::string>;
/// A row's cells, in the order of its table's columns.
using Record = std::vector<Cell>;
Record record_of(const Row& row);
/// Rows of all kinds, by Row::index().
using Records = std::array<std::vector<Record>, kKinds>;

/// Cleans the rows and sorts them by kind. Of several with one key only that one is left which
/// would stand at the end: one statement can not change a row twice.
Records records_by_kind(std::span<const Row> rows);

/// Rows of one journal, from one sequence to another, both included.
struct Extent {
  std::string node, spool_id;
  std::uint64_t first = 0, last = 0;
};

/// Where a column stands; beyond the end when there is none of this name.
std::size_t column_of(const Table& table, std::string_view name);
/// The rows of one kind within an extent, whose members are the parameters: an object without its
/// digest, and the digest (with the object's columns beside it) where there is one.
std::string select_span(std::size_t kind, std::array<std::string_view, 4> parameters);
/// node, spool_id, least and greatest sequence, several rows a journal: merged() makes them one.
std::string select_extents();
std::vector<Extent> merged(std::vector<Extent> extents);

inline constexpr const char* kForgotten = "forgotten";  // instance.state
inline constexpr const char* kSelectPatientKeys =
    "SELECT DISTINCT patient_key FROM instance WHERE patient_key <> ''";
/// The parameters are the key and the time of receipt of the youngest.
std::string update_forget(std::string_view patient_key, std::string_view until);

/// "INSERT INTO table (column, …) ".
std::string insert_into(const Table& table);
/// " ON CONFLICT (key) DO …", as SQLite and PostgreSQL have it.
std::string on_conflict(const Table& table);
/// " ON DUPLICATE KEY UPDATE …", the same in MySQL and MariaDB.
std::string on_duplicate_key(const Table& table);

}  // namespace dr::db
