#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include <SQLiteCpp/SQLiteCpp.h>
#include <gtest/gtest.h>

#include "db/audit_store.h"
#include "test/support/temp_dir.h"

namespace dr::db {

inline Key key(std::uint64_t sequence) {
  return {"router-1", "00000000-0000-4000-8000-000000000001", sequence};
}

inline InstanceRow instance(std::uint64_t sequence) {
  InstanceRow row;
  row.key = key(sequence);
  row.sop_instance_uid = "1.2.3." + std::to_string(sequence);
  row.sop_class_uid = "1.2.840.10008.5.1.4.1.1.2";
  row.transfer_syntax_uid = "1.2.840.10008.1.2.1";
  row.study_instance_uid = "1.2.3";
  row.series_instance_uid = "1.2.3.0";
  row.modality = "CT";
  row.patient_key = "0123abcd";
  row.octets = 524'288;
  row.process_start = 1'700'000'000'000'000;
  row.association = 7;
  row.listener = "modalities";
  row.peer_address = "10.1.0.9";
  row.calling_ae_title = "CT1";
  row.called_ae_title = "ROUTER";
  row.received = from_micros(1'700'000'000'000'000 + static_cast<std::int64_t>(sequence));
  row.durable = row.received + std::chrono::microseconds(900);
  row.state = "routed";
  row.rules_sha256 = std::string(64, 'a');
  row.extract = true;
  return row;
}

inline DecisionRow decision(std::uint64_t sequence, std::uint32_t ordinal) {
  return {.key = key(sequence),
          .rule_ordinal = ordinal,
          .rule = "everything",
          .file = "10-all.toml",
          .line = 3,
          .destinations = R"(["archive","orthanc"])",
          .transform = "",
          .rules_sha256 = std::string(64, 'a')};
}

inline InstanceStateRow state(std::uint64_t sequence, std::string destination, std::string name,
                              std::uint64_t changed_sequence) {
  return {.key = key(sequence),
          .destination = std::move(destination),
          .state = std::move(name),
          .reason = "r" + std::to_string(changed_sequence),
          .attempts = 1,
          .next_attempt = from_micros(1'700'000'009'000'000),
          .changed = from_micros(1'700'000'001'000'000),
          .changed_sequence = changed_sequence};
}

inline DeliveryRow delivery(std::uint64_t sequence, std::uint64_t of) {
  return {.key = key(sequence),
          .instance_sequence = of,
          .destination = "orthanc",
          .attempt = 1,
          .started = from_micros(1'700'000'000'500'000),
          .finished = from_micros(1'700'000'001'000'000),
          .outcome = "refused",
          .status = 0xA700,
          .comment = "out of resources",
          .octets = 524'288,
          .transfer_syntax_uid = "1.2.840.10008.1.2.1"};
}

inline RtStructureSetRow structure_set(std::uint64_t sequence, std::uint64_t result_sequence) {
  RtStructureSetRow row;
  row.key = key(sequence);
  row.sop_instance_uid = "1.2.3." + std::to_string(sequence);
  row.label = "PHANTOM";
  row.reference_verdict = "partial";
  row.reference_reason = "1 of 3 instances referred to are not there";
  row.instances_referenced = 3;
  row.instances_present = 2;
  row.rois = 1;
  row.points = 5'000'000'000;
  row.started = from_micros(1'700'000'001'000'000);
  row.finished = from_micros(1'700'000'002'000'000);
  row.attempts = 1;
  row.outcome = "done";
  row.result_sequence = result_sequence;
  return row;
}

inline RtRoiRow roi(std::uint64_t sequence, std::int32_t number, std::uint64_t result_sequence) {
  RtRoiRow row;
  row.key = key(sequence);
  row.roi_number = number;
  row.name = "PTV";
  row.volume_cm3 = 1.0 / 3 + static_cast<double>(result_sequence);
  row.centroid_x_mm = -0.1;
  row.plane_spacing_mm = 1e-300;
  row.result_sequence = result_sequence;
  return row;
}

inline RtContourRow contour(std::uint64_t sequence, std::uint64_t result_sequence) {
  RtContourRow row;
  row.key = key(sequence);
  row.roi_number = 1;
  row.contour_index = 7;
  row.geometric_type = "CLOSED_PLANAR";
  row.points = 720;
  row.area_mm2 = 314.15926535897933;
  row.result_sequence = result_sequence;
  return row;
}

inline RtFindingRow finding(std::uint64_t sequence, std::uint32_t index,
                            std::optional<std::int32_t> roi_number) {
  RtFindingRow row;
  row.key = key(sequence);
  row.finding_index = index;
  row.roi_number = roi_number;
  row.code = "planes_missing";
  row.severity = "warning";
  row.description = "2 planes missing";
  row.result_sequence = 12;
  return row;
}

inline RtDvhRow dvh(std::uint64_t sequence) {
  RtDvhRow row;
  row.key = key(sequence);
  row.roi_number = 1;
  row.dose_sop_instance_uid = "1.2.9";
  row.dose_units = "GY";
  row.dose_link = "plan";
  row.min_dose = 0.1;
  row.max_dose = 70.00000000000001;
  row.curve = "[[0,100],[70,0]]";
  row.result_sequence = 12;
  return row;
}

/// One row of every kind, several of some.
inline std::vector<Row> rows_of_every_kind() {
  AssociationRow association;
  association.key = key(9);
  association.process_start = 1'700'000'000'000'000;
  association.number = 7;
  association.listener_or_destination = "modalities";
  association.peer_address = "10.1.0.9";
  association.peer_port = 40'000;
  association.calling_ae_title = "CT1";
  association.outcome = "released";
  association.objects = 2;
  SecurityEventRow event;
  event.key = key(10);
  event.time = from_micros(1'700'000'002'000'000);
  event.kind = "association-refused";
  event.detail = "calling AE title";
  OperatorActionRow action;
  action.key = key(11);
  action.time = from_micros(1'700'000'003'000'000);
  action.who = "ops";
  action.action = "retry";
  return {instance(1),
          decision(1, 1),
          decision(1, 4),
          state(1, "archive", "waiting", 1),
          state(1, "orthanc", "waiting", 1),
          instance(2),
          DigestRow{key(3), 1, std::string(64, 'd')},
          delivery(4, 1),
          state(1, "orthanc", "unknown", 4),
          delivery(5, 1),
          state(1, "orthanc", "delivered", 5),
          DigestRow{key(6), 2, std::string(64, 'e')},
          association,
          event,
          action,
          structure_set(1, 12),
          structure_set(1, 14),
          roi(1, 1, 12),
          roi(1, 1, 14),
          roi(1, -2, 12),
          contour(1, 12),
          finding(1, 0, std::nullopt),
          finding(1, 1, 1),
          dvh(1)};
}

class StoreTest : public testing::Test {
 protected:
  std::string path() const { return (folder_ / "audit.sqlite").string(); }

  std::unique_ptr<AuditStore> open() const {
    auto store = open_sqlite(path());
    EXPECT_TRUE(store.ok()) << (store ? "" : store.error().to_string());
    return store ? std::move(*store) : nullptr;
  }

  /// All rows of all tables in one order, as another connection sees them.
  std::string dump() const {
    SQLite::Database db(path(), SQLite::OPEN_READONLY);
    SQLite::Statement tables(db,
                             "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name");
    std::vector<std::string> lines;
    while (tables.executeStep()) {
      const std::string table = tables.getColumn(0).getString();
      SQLite::Statement rows(db, "SELECT * FROM " + table);
      while (rows.executeStep()) {
        std::string& text = lines.emplace_back(table);
        for (int i = 0; i < rows.getColumnCount(); ++i) {
          text += '|';
          text += rows.isColumnNull(i) ? "NULL" : rows.getColumn(i).getString();
        }
      }
    }
    std::sort(lines.begin(), lines.end());
    std::string text;
    for (const auto& line : lines) text += line + '\n';
    return text;
  }

  std::int64_t number(const std::string& sql) const {
    SQLite::Database db(path(), SQLite::OPEN_READONLY);
    return db.execAndGet(sql).getInt64();
  }

  const test::TempDir folder_;
};

}  // namespace dr::db
