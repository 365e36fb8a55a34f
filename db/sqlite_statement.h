#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <SQLiteCpp/SQLiteCpp.h>

#include "db/rows.h"
#include "db/tables.h"
#include "dimse/base/result.h"

namespace dr::db::sqlite {

/// What SQLite threw, as AuditStore::write() promises it.
Error mapped(const SQLite::Exception& e);

/// Resets a prepared statement on every way out, so that no failed one keeps the transaction open.
class Use {
 public:
  explicit Use(SQLite::Statement& statement) : statement_(statement) {}
  ~Use() { statement_.tryReset(); }
  Use(const Use&) = delete;
  Use& operator=(const Use&) = delete;

  /// `value` outlives the step.
  Use& text(const std::string& value) {
    statement_.bindNoCopy(++index_, value);
    return *this;
  }
  /// Above 2^63 the number is stored as its two's complement, and read back as it was.
  Use& number(std::uint64_t value) {
    statement_.bind(++index_, static_cast<std::int64_t>(value));
    return *this;
  }
  Use& key(const Key& key) { return text(key.node).text(key.spool_id).number(key.sequence); }
  /// `record` outlives the step.
  Use& cells(const Record& record) {
    for (const Cell& cell : record) {
      if (const auto* value = std::get_if<std::string>(&cell)) {
        text(*value);
      } else if (const auto* wide = std::get_if<std::int64_t>(&cell)) {
        statement_.bind(++index_, *wide);
      } else if (const auto* real = std::get_if<double>(&cell)) {
        statement_.bind(++index_, *real);
      } else {
        statement_.bind(++index_);
      }
    }
    return *this;
  }
  void run() { statement_.exec(); }
  bool next() { return statement_.executeStep(); }

 private:
  SQLite::Statement& statement_;
  int index_ = 0;
};

/// Takes the columns of a result row from left to right.
class Columns {
 public:
  explicit Columns(SQLite::Statement& statement) : statement_(statement) {}
  std::string text() { return next().getString(); }
  std::uint64_t number() { return static_cast<std::uint64_t>(next().getInt64()); }
  std::uint32_t small() { return static_cast<std::uint32_t>(next().getInt64()); }
  UtcMicros time() { return from_micros(next().getInt64()); }
  Cell cell(const db::Column& of) {
    const SQLite::Column column = next();
    if (column.isNull()) return {};
    if (of.text) return column.getString();
    if (of.real) return column.getDouble();
    return std::int64_t{column.getInt64()};
  }
  std::optional<UtcMicros> time_or_null() {
    const SQLite::Column column = next();
    if (column.isNull()) return std::nullopt;
    return from_micros(column.getInt64());
  }
  std::optional<std::uint32_t> small_or_null() {
    const SQLite::Column column = next();
    if (column.isNull()) return std::nullopt;
    return static_cast<std::uint32_t>(column.getInt64());
  }

 private:
  SQLite::Column next() { return statement_.getColumn(index_++); }

  SQLite::Statement& statement_;
  int index_ = 0;
};

}  // namespace dr::db::sqlite
