#pragma once

#include "db/rows.h"

namespace dr::db {

// Which column each member of a row stands in: the one place that names them together. Each
// function hands a row's columns to `f` as (name, value), the table's key first.

inline void key_columns(const Key& key, std::uint64_t sequence, auto&& f) {
  f("node", key.node);
  f("spool_id", key.spool_id);
  f("sequence", sequence);
}

inline void columns(const AssociationRow& r, auto&& f) {
  key_columns(r.key, r.key.sequence, f);
  f("process_start", r.process_start);
  f("number", r.number);
  f("incoming", r.incoming);
  f("listener_or_destination", r.listener_or_destination);
  f("peer_address", r.peer_address);
  f("peer_port", r.peer_port);
  f("calling_ae_title", r.calling_ae_title);
  f("called_ae_title", r.called_ae_title);
  f("tls_subject", r.tls_subject);
  f("implementation", r.implementation);
  f("started", r.started);
  f("ended", r.ended);
  f("outcome", r.outcome);
  f("reason", r.reason);
  f("objects", r.objects);
  f("octets", r.octets);
  f("seal", r.seal);
}

/// All of an object but its key and what may be absent.
inline void object_columns(const InstanceRow& r, auto&& f) {
  f("sop_instance_uid", r.sop_instance_uid);
  f("sop_class_uid", r.sop_class_uid);
  f("transfer_syntax_uid", r.transfer_syntax_uid);
  f("study_instance_uid", r.study_instance_uid);
  f("series_instance_uid", r.series_instance_uid);
  f("modality", r.modality);
  f("patient_key", r.patient_key);
  f("octets", r.octets);
  f("process_start", r.process_start);
  f("association", r.association);
  f("listener", r.listener);
  f("peer_address", r.peer_address);
  f("calling_ae_title", r.calling_ae_title);
  f("called_ae_title", r.called_ae_title);
  f("received", r.received);
  f("status", r.status);
  f("state", r.state);
  f("rules_sha256", r.rules_sha256);
  f("extract", r.extract);
}

inline void columns(const InstanceRow& r, auto&& f) {
  key_columns(r.key, r.key.sequence, f);
  object_columns(r, f);
  f("durable", r.durable);
  f("seal", r.seal);
}

/// A digest that comes before its object leaves a row that is otherwise empty.
inline void columns(const DigestRow& r, auto&& f) {
  static const InstanceRow kUnknown;
  key_columns(r.key, r.instance_sequence, f);
  object_columns(kUnknown, f);
  f("sha256", r.sha256);
  f("sha256_seal", r.seal);
}

inline void columns(const DecisionRow& r, auto&& f) {
  key_columns(r.key, r.key.sequence, f);
  f("rule_ordinal", r.rule_ordinal);
  f("rule", r.rule);
  f("file", r.file);
  f("line", r.line);
  f("destinations", r.destinations);
  f("transform", r.transform);
  f("rules_sha256", r.rules_sha256);
  f("seal", r.seal);
}

inline void columns(const DeliveryRow& r, auto&& f) {
  key_columns(r.key, r.key.sequence, f);
  f("instance_sequence", r.instance_sequence);
  f("destination", r.destination);
  f("attempt", r.attempt);
  f("started", r.started);
  f("finished", r.finished);
  f("outcome", r.outcome);
  f("status", r.status);
  f("comment", r.comment);
  f("octets", r.octets);
  f("transfer_syntax_uid", r.transfer_syntax_uid);
  f("seal", r.seal);
}

inline void columns(const InstanceStateRow& r, auto&& f) {
  key_columns(r.key, r.key.sequence, f);
  f("destination", r.destination);
  f("state", r.state);
  f("reason", r.reason);
  f("attempts", r.attempts);
  f("next_attempt", r.next_attempt);
  f("changed", r.changed);
  f("seal", r.seal);
  f("changed_sequence", r.changed_sequence);
}

inline void columns(const SecurityEventRow& r, auto&& f) {
  key_columns(r.key, r.key.sequence, f);
  f("time", r.time);
  f("kind", r.kind);
  f("listener", r.listener);
  f("peer_address", r.peer_address);
  f("calling_ae_title", r.calling_ae_title);
  f("called_ae_title", r.called_ae_title);
  f("detail", r.detail);
  f("seal", r.seal);
}

inline void columns(const OperatorActionRow& r, auto&& f) {
  key_columns(r.key, r.key.sequence, f);
  f("time", r.time);
  f("who", r.who);
  f("action", r.action);
  f("target", r.target);
  f("detail", r.detail);
  f("seal", r.seal);
}

inline void columns(const RtStructureSetRow& r, auto&& f) {
  key_columns(r.key, r.key.sequence, f);
  f("sop_instance_uid", r.sop_instance_uid);
  f("label", r.label);
  f("frame_of_reference_uid", r.frame_of_reference_uid);
  f("referenced_study_instance_uid", r.referenced_study_instance_uid);
  f("referenced_series_instance_uid", r.referenced_series_instance_uid);
  f("reference_verdict", r.reference_verdict);
  f("reference_reason", r.reference_reason);
  f("instances_referenced", r.instances_referenced);
  f("instances_present", r.instances_present);
  f("rois", r.rois);
  f("contours", r.contours);
  f("points", r.points);
  f("started", r.started);
  f("finished", r.finished);
  f("attempts", r.attempts);
  f("outcome", r.outcome);
  f("reason", r.reason);
  f("seal", r.seal);
  f("result_sequence", r.result_sequence);
}

inline void columns(const RtRoiRow& r, auto&& f) {
  key_columns(r.key, r.key.sequence, f);
  f("roi_number", r.roi_number);
  f("name", r.name);
  f("standard_name", r.standard_name);
  f("interpreted_type", r.interpreted_type);
  f("generation_algorithm", r.generation_algorithm);
  f("color", r.color);
  f("frame_of_reference_uid", r.frame_of_reference_uid);
  f("contours", r.contours);
  f("points", r.points);
  f("geometric_types", r.geometric_types);
  f("volume_cm3", r.volume_cm3);
  f("surface_cm2", r.surface_cm2);
  f("centroid_x_mm", r.centroid_x_mm);
  f("centroid_y_mm", r.centroid_y_mm);
  f("centroid_z_mm", r.centroid_z_mm);
  f("min_x_mm", r.min_x_mm);
  f("min_y_mm", r.min_y_mm);
  f("min_z_mm", r.min_z_mm);
  f("max_x_mm", r.max_x_mm);
  f("max_y_mm", r.max_y_mm);
  f("max_z_mm", r.max_z_mm);
  f("plane_spacing_mm", r.plane_spacing_mm);
  f("plane_gaps", r.plane_gaps);
  f("equivalent_diameter_mm", r.equivalent_diameter_mm);
  f("seal", r.seal);
  f("result_sequence", r.result_sequence);
}

inline void columns(const RtContourRow& r, auto&& f) {
  key_columns(r.key, r.key.sequence, f);
  f("roi_number", r.roi_number);
  f("contour_index", r.contour_index);
  f("geometric_type", r.geometric_type);
  f("points", r.points);
  f("plane_position_mm", r.plane_position_mm);
  f("area_mm2", r.area_mm2);
  f("perimeter_mm", r.perimeter_mm);
  f("referenced_sop_instance_uid", r.referenced_sop_instance_uid);
  f("seal", r.seal);
  f("result_sequence", r.result_sequence);
}

inline void columns(const RtFindingRow& r, auto&& f) {
  key_columns(r.key, r.key.sequence, f);
  f("finding_index", r.finding_index);
  f("roi_number", r.roi_number);
  f("code", r.code);
  f("severity", r.severity);
  f("description", r.description);
  f("seal", r.seal);
  f("result_sequence", r.result_sequence);
}

inline void columns(const RtDvhRow& r, auto&& f) {
  key_columns(r.key, r.key.sequence, f);
  f("roi_number", r.roi_number);
  f("dose_sop_instance_uid", r.dose_sop_instance_uid);
  f("dose_units", r.dose_units);
  f("dose_type", r.dose_type);
  f("dose_link", r.dose_link);
  f("min_dose", r.min_dose);
  f("mean_dose", r.mean_dose);
  f("max_dose", r.max_dose);
  f("d95", r.d95);
  f("d2", r.d2);
  f("v20", r.v20);
  f("curve", r.curve);
  f("seal", r.seal);
  f("result_sequence", r.result_sequence);
}

}  // namespace dr::db
