#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "db/rows.h"
#include "db/tables.h"

namespace dr::audit {

/// The seals of rows: HMAC-SHA-256 under [keys] audit of the table's name and the columns, so that
/// nobody without the key can change a row, or make one, unseen. What a seal tells of its row it
/// tells only to the key's holder: it may stay where the row is forgotten.
class Sealer {
 public:
  /// Without a key there are no seals.
  explicit Sealer(std::string key) : key_(std::move(key)) {}
  bool has_key() const { return !key_.empty(); }

  /// Whether a seal tells of this column: of all but the seals, and the time at which an object
  /// became durable, of which a start after kill -9 knows only the latest that it can have been.
  static bool covers(const db::Table& table, std::size_t column);
  /// Cleans the row (its seal is that of what the databases keep) and seals it.
  void seal(db::Row& row) const;
  /// The seal that a row of this kind has by its columns.
  std::string seal_of(std::size_t kind, const db::Record& record) const;
  /// The seal that stands in it.
  static const std::string& written_seal(std::size_t kind, const db::Record& record);
  /// The same HMAC of any text, 64 hexadecimal digits; empty without a key.
  std::string mac(std::string_view text) const;

 private:
  std::string key_;
};

/// SHA-256 of a text, 64 hexadecimal digits.
std::string sha256_hex(std::string_view text);

}  // namespace dr::audit
