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
  kNewer,   // replaced by a greater sequence, which stands in its last column
};

struct Column {
  std::string name;
  bool text = false;  // else BIGINT, INTEGER or SMALLINT, or
  bool real = false;  // DOUBLE PRECISION
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

/// A column's value: null, a number (above 2^63 as its two's complement), a text or a finite number
/// with a fraction.
using Cell = std::variant<std::monostate, std::int64_t, std::string, double>;
/// A row's cells, in the order of its table's columns.
using Record = std::vector<Cell>;
Record record_of(const Row& row);
/// With as many digits as tell it from every other number.
std::string text_of(double number);
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
/// destination, state and how many objects: of an extent's members, and the first and the last
/// microsecond of receipt.
std::string select_state_counts(std::array<std::string_view, 6> parameters);
/// node, spool_id, least and greatest sequence, several rows a journal: merged() makes them one.
std::string select_extents();
std::vector<Extent> merged(std::vector<Extent> extents);

/// The column with the time that a row has by itself; "" for a decision and a result of extraction,
/// which have their object's.
std::string_view time_column(const Table& table);
/// Deletes the rows of one kind within an extent that are older than the fifth parameter. What has
/// its object's time goes before the object. Empty for digests, which stand in their objects' rows.
std::string delete_span(std::size_t kind, std::array<std::string_view, 5> parameters);
/// The columns of the operator_action rows whose action is the parameter.
std::string select_actions(std::string_view action);

inline constexpr const char* kForgotten = "forgotten";  // instance.state
inline constexpr const char* kSelectPatientKeys =
    "SELECT DISTINCT patient_key FROM instance WHERE patient_key <> ''";
/// The parameters are the key and the time of receipt of the youngest.
std::string update_forget(std::string_view patient_key, std::string_view until);
/// Deletes the results of extraction, of one kind, whose object is forgotten; with parameters only
/// those within an extent. Empty for all other kinds.
std::string delete_forgotten(std::size_t kind, std::span<const std::string_view> extent = {});

/// "INSERT INTO table (column, …) ".
std::string insert_into(const Table& table);
/// " ON CONFLICT (key) DO …", as SQLite and PostgreSQL have it.
std::string on_conflict(const Table& table);
/// " ON DUPLICATE KEY UPDATE …", the same in MySQL and MariaDB.
std::string on_duplicate_key(const Table& table);

}  // namespace dr::db
