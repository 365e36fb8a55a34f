#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
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

/// Cleans the rows and sorts them by kind. Of several with one key only that one is left which
/// would stand at the end: one statement can not change a row twice.
std::array<std::vector<Record>, kKinds> records_by_kind(std::span<const Row> rows);

/// "INSERT INTO table (column, …) ".
std::string insert_into(const Table& table);
/// " ON CONFLICT (key) DO …", as SQLite and PostgreSQL have it.
std::string on_conflict(const Table& table);
/// " ON DUPLICATE KEY UPDATE …", the same in MySQL and MariaDB.
std::string on_duplicate_key(const Table& table);

}  // namespace dr::db
