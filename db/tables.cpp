#include "db/tables.h"

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstdio>
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
// No database of the three keeps all of NaN and the infinities.
Cell cell(double value) { return std::isfinite(value) ? Cell(value) : Cell{}; }
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
    made.columns.push_back(
        {column, std::is_same_v<Value, std::string>, std::is_same_v<Value, std::optional<double>>});
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
  set(RtStructureSetRow{},
      table<RtStructureSetRow>("rt_structure_set", kJournalKey, OnConflict::kNewer));
  set(RtRoiRow{}, table<RtRoiRow>("rt_roi", kJournalKey + 1, OnConflict::kNewer));
  set(RtContourRow{}, table<RtContourRow>("rt_contour", kJournalKey + 2, OnConflict::kNewer));
  set(RtFindingRow{}, table<RtFindingRow>("rt_finding", kJournalKey + 1, OnConflict::kNewer));
  set(RtDvhRow{}, table<RtDvhRow>("rt_dvh", kJournalKey + 2, OnConflict::kNewer));
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

/// Of rows that are replaced by newer ones: the number that decides.
const std::string& newest(const Table& table) { return table.columns.back().name; }

}  // namespace

const std::array<Table, kKinds>& tables() {
  static const std::array<Table, kKinds> kTables = make_tables();
  return kTables;
}

std::string text_of(double number) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.17g", number);
  return text.data();
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

Records records_by_kind(std::span<const Row> rows) {
  Records records;
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

std::size_t column_of(const Table& table, std::string_view name) {
  const auto found = std::ranges::find(table.columns, name, &Column::name);
  return static_cast<std::size_t>(found - table.columns.begin());
}

std::string select_span(std::size_t kind, std::array<std::string_view, 4> parameters) {
  const Table& table = tables().at(kind);
  std::string sql = "SELECT " + joined(table.columns) + " FROM " + table.name +
                    " WHERE node = " + std::string(parameters[0]) +
                    " AND spool_id = " + std::string(parameters[1]) + " AND sequence BETWEEN " +
                    std::string(parameters[2]) + " AND " + std::string(parameters[3]);
  if (table.on_conflict == OnConflict::kFillIn) sql += " AND state <> ''";
  if (table.on_conflict == OnConflict::kDigest) sql += " AND sha256 IS NOT NULL";
  return sql;
}

std::string select_state_counts(std::array<std::string_view, 6> parameters) {
  const auto text = [&](std::size_t i) { return std::string(parameters.at(i)); };
  return "SELECT s.destination, s.state, count(*) FROM instance i JOIN instance_state s"
         " ON s.node = i.node AND s.spool_id = i.spool_id AND s.sequence = i.sequence"
         " WHERE i.node = " +
         text(0) + " AND i.spool_id = " + text(1) + " AND i.sequence BETWEEN " + text(2) + " AND " +
         text(3) + " AND i.received BETWEEN " + text(4) + " AND " + text(5) +
         " AND s.destination <> '' GROUP BY s.destination, s.state ORDER BY 1, 2";
}

std::string select_extents() {
  std::string sql;
  for (std::size_t kind = 0; kind < kKinds; ++kind) {
    if (tables().at(kind).on_conflict == OnConflict::kDigest) continue;
    if (!sql.empty()) sql += " UNION ALL ";
    sql += "SELECT node, spool_id, min(sequence), max(sequence) FROM " + tables().at(kind).name +
           " GROUP BY node, spool_id";
  }
  return sql;
}

std::string_view time_column(const Table& table) {
  if (table.name == "association") return "ended";
  if (table.name == "instance") return "received";
  if (table.name == "delivery") return "finished";
  if (table.name == "instance_state") return "changed";
  const bool event = table.name == "security_event" || table.name == "operator_action";
  return event ? "time" : "";
}

std::string delete_span(std::size_t kind, std::array<std::string_view, 5> parameters) {
  const Table& table = tables().at(kind);
  if (table.on_conflict == OnConflict::kDigest) return {};
  const std::string_view time = time_column(table);
  // A value for each row, not a condition that could become a join: without statistics PostgreSQL
  // would compare all decisions with all objects.
  const auto of_object = [&] {
    return "(SELECT i.received FROM instance i WHERE i.node = " + table.name +
           ".node AND i.spool_id = " + table.name + ".spool_id AND i.sequence = " + table.name +
           ".sequence)";
  };
  const std::string when = time.empty() ? of_object() : std::string(time);
  return "DELETE FROM " + table.name + " WHERE node = " + std::string(parameters[0]) +
         " AND spool_id = " + std::string(parameters[1]) + " AND sequence BETWEEN " +
         std::string(parameters[2]) + " AND " + std::string(parameters[3]) + " AND " + when +
         " < " + std::string(parameters[4]);
}

std::string select_actions(std::string_view action) {
  const Table& table = tables().at(Row(OperatorActionRow{}).index());
  return "SELECT " + joined(table.columns) + " FROM " + table.name +
         " WHERE action = " + std::string(action);
}

std::string update_forget(std::string_view patient_key, std::string_view until) {
  return "UPDATE instance SET patient_key = '', sop_instance_uid = '', series_instance_uid = '', "
         "study_instance_uid = '', sha256 = NULL, sha256_seal = '', state = '" +
         std::string(kForgotten) + "' WHERE patient_key = " + std::string(patient_key) +
         " AND received <= " + std::string(until);
}

std::string delete_forgotten(std::size_t kind, std::span<const std::string_view> extent) {
  const std::string& name = tables().at(kind).name;
  if (!name.starts_with("rt_")) return {};
  std::string sql = "DELETE FROM " + name + " WHERE '" + kForgotten +
                    "' = (SELECT i.state FROM instance i WHERE i.node = " + name +
                    ".node AND i.spool_id = " + name + ".spool_id AND i.sequence = " + name +
                    ".sequence)";
  if (!extent.empty()) {
    sql += " AND node = " + std::string(extent[0]) + " AND spool_id = " + std::string(extent[1]) +
           " AND sequence BETWEEN " + std::string(extent[2]) + " AND " + std::string(extent[3]);
  }
  return sql;
}

std::vector<Extent> merged(std::vector<Extent> extents) {
  std::map<std::pair<std::string, std::string>, Extent> found;
  for (Extent& extent : extents) {
    const auto [at, added] = found.try_emplace({extent.node, extent.spool_id}, extent);
    at->second.first = std::min(at->second.first, extent.first);
    at->second.last = std::max(at->second.last, extent.last);
  }
  std::vector<Extent> all;
  for (auto& [name, extent] : found) all.push_back(std::move(extent));
  return all;
}

std::string insert_into(const Table& table) {
  return "INSERT INTO " + table.name + " (" + joined(table.columns) + ") ";
}

std::string on_conflict(const Table& table) {
  const std::string key = joined(std::span(table.columns).first(table.keys));
  const std::string head = " ON CONFLICT (" + key + ") DO ";
  if (table.on_conflict == OnConflict::kKeep) return head + "NOTHING";
  if (table.on_conflict == OnConflict::kDigest) {
    return head +
           "UPDATE SET sha256 = excluded.sha256, sha256_seal = excluded.sha256_seal "
           "WHERE instance.sha256 IS NULL AND instance.state <> 'forgotten'";
  }
  std::string set;
  for (const Column& column : beside_key(table)) {
    set += (set.empty() ? "" : ", ") + column.name + " = excluded." + column.name;
  }
  const std::string when =
      table.on_conflict == OnConflict::kFillIn
          ? "instance.state = ''"
          : "excluded." + newest(table) + " > " + table.name + "." + newest(table);
  return head + "UPDATE SET " + set + " WHERE " + when;
}

std::string on_duplicate_key(const Table& table) {
  const std::string head = " ON DUPLICATE KEY UPDATE ";
  if (table.on_conflict == OnConflict::kKeep)
    return head + "sequence = " + table.name + ".sequence";
  if (table.on_conflict == OnConflict::kDigest) {
    const std::string when =
        "IF(instance.sha256 IS NULL AND instance.state <> 'forgotten', VALUES(";
    return head + "sha256_seal = " + when +
           "sha256_seal), instance.sha256_seal), sha256 = " + when + "sha256), instance.sha256)";
  }
  // Assignments are made from left to right, so the column that decides comes last.
  const bool fill = table.on_conflict == OnConflict::kFillIn;
  const std::string decides = fill ? "state" : newest(table);
  const std::string when =
      fill ? table.name + ".state = ''" : "VALUES(" + decides + ") > " + table.name + "." + decides;
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
