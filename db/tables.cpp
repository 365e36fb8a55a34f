#include "db/tables.h"

#include <concepts>
#include <map>
#include <optional>
#include <type_traits>
#include <utility>

#include "db/row_columns.h"
#include "db/row_text.h"

namespace dr::db {
namespace {

Cell cell(const std::string& value) { return value; }
Cell cell(std::integral auto value) { return static_cast<std::int64_t>(value); }
Cell cell(UtcMicros value) { return std::int64_t{to_micros(value)}; }
template <class T>
Cell cell(const std::optional<T>& value) {
  return value ? cell(*value) : Cell{};
}

template <class R>
Table table(std::string name, std::size_t keys, OnConflict what) {
  Table made{std::move(name), {}, keys, what};
  columns(R{}, [&](const char* column, const auto& value) {
    using Value = std::remove_cvref_t<decltype(value)>;
    made.columns.push_back({column, std::is_same_v<Value, std::string>});
  });
  return made;
}

constexpr std::size_t kJournalKey = 3;  // node, spool_id, sequence

std::array<Table, kKinds> make_tables() {
  std::array<Table, kKinds> made;
  const auto set = [&]<class R>(const R&, Table t) { made.at(Row(R{}).index()) = std::move(t); };
  set(AssociationRow{}, table<AssociationRow>("association", kJournalKey, OnConflict::kKeep));
  set(InstanceRow{}, table<InstanceRow>("instance", kJournalKey, OnConflict::kFillIn));
  set(DigestRow{}, table<DigestRow>("instance", kJournalKey, OnConflict::kDigest));
  set(DecisionRow{}, table<DecisionRow>("decision", kJournalKey + 1, OnConflict::kKeep));
  set(DeliveryRow{}, table<DeliveryRow>("delivery", kJournalKey, OnConflict::kKeep));
  set(InstanceStateRow{},
      table<InstanceStateRow>("instance_state", kJournalKey + 1, OnConflict::kNewer));
  set(SecurityEventRow{},
      table<SecurityEventRow>("security_event", kJournalKey, OnConflict::kKeep));
  set(OperatorActionRow{},
      table<OperatorActionRow>("operator_action", kJournalKey, OnConflict::kKeep));
  return made;
}

std::string joined(std::span<const Column> columns, std::string_view before = "",
                   std::string_view after = "") {
  std::string text;
  for (const Column& column : columns) {
    if (!text.empty()) text += ", ";
    text.append(before).append(column.name).append(after);
  }
  return text;
}

std::span<const Column> beside_key(const Table& table) {
  return std::span(table.columns).subspan(table.keys);
}

constexpr const char* kChanged = "changed_sequence";

}  // namespace

const std::array<Table, kKinds>& tables() {
  static const std::array<Table, kKinds> kTables = make_tables();
  return kTables;
}

Record record_of(const Row& row) {
  Record record;
  std::visit(
      [&](const auto& r) {
        columns(r, [&](const char*, const auto& value) { record.push_back(cell(value)); });
      },
      row);
  return record;
}

std::array<std::vector<Record>, kKinds> records_by_kind(std::span<const Row> rows) {
  std::array<std::vector<Record>, kKinds> records;
  std::array<std::map<Record, std::size_t>, kKinds> places;
  for (const Row& row : rows) {
    const std::size_t kind = row.index();
    const Table& table = tables().at(kind);
    Record record;
    if (is_clean(row)) {
      record = record_of(row);
    } else {
      Row cleaned = row;
      clean(cleaned);
      record = record_of(cleaned);
    }
    auto& all = records.at(kind);
    Record key(record.begin(), record.begin() + static_cast<std::ptrdiff_t>(table.keys));
    const auto [place, added] = places.at(kind).try_emplace(std::move(key), all.size());
    if (added) {
      all.push_back(std::move(record));
    } else if (table.on_conflict == OnConflict::kNewer &&
               record.back() > all[place->second].back()) {
      all[place->second] = std::move(record);
    }
  }
  return records;
}

std::string insert_into(const Table& table) {
  return "INSERT INTO " + table.name + " (" + joined(table.columns) + ") ";
}

std::string on_conflict(const Table& table) {
  const std::string key = joined(std::span(table.columns).first(table.keys));
  const std::string head = " ON CONFLICT (" + key + ") DO ";
  if (table.on_conflict == OnConflict::kKeep) return head + "NOTHING";
  if (table.on_conflict == OnConflict::kDigest) {
    return head + "UPDATE SET sha256 = excluded.sha256 WHERE instance.sha256 IS NULL";
  }
  std::string set;
  for (const Column& column : beside_key(table)) {
    set += (set.empty() ? "" : ", ") + column.name + " = excluded." + column.name;
  }
  const std::string when =
      table.on_conflict == OnConflict::kFillIn
          ? "instance.state = ''"
          : std::string("excluded.") + kChanged + " > " + table.name + "." + kChanged;
  return head + "UPDATE SET " + set + " WHERE " + when;
}

std::string on_duplicate_key(const Table& table) {
  const std::string head = " ON DUPLICATE KEY UPDATE ";
  if (table.on_conflict == OnConflict::kKeep)
    return head + "sequence = " + table.name + ".sequence";
  if (table.on_conflict == OnConflict::kDigest) {
    return head + "sha256 = coalesce(instance.sha256, VALUES(sha256))";
  }
  // Assignments are made from left to right, so the column that decides comes last.
  const bool fill = table.on_conflict == OnConflict::kFillIn;
  const std::string decides = fill ? "state" : kChanged;
  const std::string when =
      fill ? table.name + ".state = ''"
           : std::string("VALUES(") + kChanged + ") > " + table.name + "." + kChanged;
  const auto assign = [&](const std::string& column) {
    return column + " = IF(" + when + ", VALUES(" + column + "), " + table.name + "." + column +
           ")";
  };
  std::string set;
  for (const Column& column : beside_key(table)) {
    if (column.name != decides) set += assign(column.name) + ", ";
  }
  return head + set + assign(decides);
}

}  // namespace dr::db
