#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "dimse/base/clock.h"

namespace dr::db {

/// The key of everything that came out of a journal: (node, spool_id, sequence).
struct Key {
  std::string node;
  std::string spool_id;  // UUID made with the spool
  std::uint64_t sequence = 0;
};

// `seal`: the row's HMAC under [keys] audit (router/audit/seal.h), 64 hexadecimal digits; empty
// without a key.

struct AssociationRow {
  Key key;
  std::uint64_t process_start = 0;  // UTC us
  std::uint64_t number = 0;
  bool incoming = true;
  std::string listener_or_destination;
  std::string peer_address;
  std::uint16_t peer_port = 0;
  std::string calling_ae_title, called_ae_title, tls_subject, implementation;
  UtcMicros started{}, ended{};
  std::string outcome, reason;
  std::uint64_t objects = 0, octets = 0;
  std::string seal{};
};

struct InstanceRow {
  Key key;
  std::string sop_instance_uid, sop_class_uid, transfer_syntax_uid;
  std::string study_instance_uid, series_instance_uid, modality, patient_key;
  std::uint64_t octets = 0;
  std::uint64_t process_start = 0, association = 0;
  std::string listener, peer_address, calling_ae_title, called_ae_title;
  UtcMicros received{};
  std::optional<UtcMicros> durable;  // none for refused objects
  std::uint16_t status = 0;
  std::string state;  // routed, unrouted, rejected
  std::string rules_sha256;
  bool extract = false;
  std::string seal{};
};

/// Fills instance.sha256 behind the acknowledgement.
struct DigestRow {
  Key key;  // the digest record's own
  std::uint64_t instance_sequence = 0;
  std::string sha256;
  std::string seal{};
};

struct DecisionRow {
  Key key;  // the instance's
  std::uint32_t rule_ordinal = 0;
  std::string rule, file;
  std::uint32_t line = 0;
  std::string destinations;  // JSON array of names
  std::string transform;
  std::string rules_sha256;
  std::string seal{};
};

struct DeliveryRow {
  Key key;  // the outcome record's own
  std::uint64_t instance_sequence = 0;
  std::string destination;
  std::uint32_t attempt = 0;
  UtcMicros started{}, finished{};
  std::string outcome;
  std::optional<std::uint32_t> status;
  std::string comment;
  std::uint64_t octets = 0;
  std::string transfer_syntax_uid;
  std::string seal{};
};

/// The present state at one destination; written only when `changed_sequence` is greater than the
/// row's.
struct InstanceStateRow {
  Key key;  // the instance's
  std::string destination;
  std::string state, reason;
  std::uint32_t attempts = 0;
  std::optional<UtcMicros> next_attempt;
  UtcMicros changed{};
  std::uint64_t changed_sequence = 0;
  std::string seal{};
};

struct SecurityEventRow {
  Key key;
  UtcMicros time{};
  std::string kind, listener, peer_address, calling_ae_title, called_ae_title, detail;
  std::string seal{};
};

struct OperatorActionRow {
  Key key;
  UtcMicros time{};
  std::string who, action, target, detail;
  std::string seal{};
};

// Results of extractions: each written only when `result_sequence` is greater than the row's. Those
// of a structure set whose result_sequence is below that of its rt_structure_set are of an earlier
// result.

struct RtStructureSetRow {
  Key key;  // the instance's, as in all of these
  std::string sop_instance_uid, label, frame_of_reference_uid;
  std::string referenced_study_instance_uid, referenced_series_instance_uid;
  std::string reference_verdict, reference_reason;
  std::uint32_t instances_referenced = 0, instances_present = 0, rois = 0, contours = 0;
  std::uint64_t points = 0;
  UtcMicros started{}, finished{};
  std::uint32_t attempts = 0;
  std::string outcome, reason;
  std::uint64_t result_sequence = 0;
  std::string seal{};
};

struct RtRoiRow {
  Key key;
  std::int32_t roi_number = 0;
  std::string name, standard_name, interpreted_type, generation_algorithm, color;
  std::string frame_of_reference_uid;
  std::uint32_t contours = 0;
  std::uint64_t points = 0;
  std::string geometric_types;
  std::optional<double> volume_cm3, surface_cm2;
  std::optional<double> centroid_x_mm, centroid_y_mm, centroid_z_mm;
  std::optional<double> min_x_mm, min_y_mm, min_z_mm, max_x_mm, max_y_mm, max_z_mm;
  std::optional<double> plane_spacing_mm;
  std::uint32_t plane_gaps = 0;
  std::optional<double> equivalent_diameter_mm;
  std::uint64_t result_sequence = 0;
  std::string seal{};
};

struct RtContourRow {
  Key key;
  std::int32_t roi_number = 0;
  std::uint32_t contour_index = 0;
  std::string geometric_type;
  std::uint32_t points = 0;
  std::optional<double> plane_position_mm, area_mm2, perimeter_mm;
  std::string referenced_sop_instance_uid;
  std::uint64_t result_sequence = 0;
  std::string seal{};
};

struct RtFindingRow {
  Key key;
  std::uint32_t finding_index = 0;
  std::optional<std::int32_t> roi_number;
  std::string code, severity, description;
  std::uint64_t result_sequence = 0;
  std::string seal{};
};

struct RtDvhRow {
  Key key;
  std::int32_t roi_number = 0;
  std::string dose_sop_instance_uid, dose_units, dose_type, dose_link;
  std::optional<double> min_dose, mean_dose, max_dose, d95, d2, v20;
  std::string curve;  // JSON array of [dose, volume]
  std::uint64_t result_sequence = 0;
  std::string seal{};
};

using Row = std::variant<AssociationRow, InstanceRow, DigestRow, DecisionRow, DeliveryRow,
                         InstanceStateRow, SecurityEventRow, OperatorActionRow, RtStructureSetRow,
                         RtRoiRow, RtContourRow, RtFindingRow, RtDvhRow>;

}  // namespace dr::db
