#include "router/audit/result_rows.h"

#include <optional>
#include <span>

namespace dr::audit {
namespace {

using db::Row;

db::RtStructureSetRow structure_set_row(const journal::ExtractionRecord& r, const db::Key& key,
                                        std::uint64_t result_sequence) {
  return {.key = key,
          .sop_instance_uid = r.sop_instance_uid.str(),
          .label = r.label,
          .frame_of_reference_uid = r.frame_of_reference_uid.str(),
          .referenced_study_instance_uid = r.referenced_study_instance_uid.str(),
          .referenced_series_instance_uid = r.referenced_series_instance_uid.str(),
          .reference_verdict = r.reference_verdict,
          .reference_reason = r.reference_reason,
          .instances_referenced = r.instances_referenced,
          .instances_present = r.instances_present,
          .rois = r.roi_count,
          .contours = r.contour_count,
          .points = r.point_count,
          .started = r.started,
          .finished = r.finished,
          .attempts = r.attempts,
          .outcome = r.outcome,
          .reason = r.reason,
          .result_sequence = result_sequence};
}

std::optional<double> at(const std::vector<double>& numbers, std::size_t i) {
  return i < numbers.size() ? std::optional(numbers[i]) : std::nullopt;
}

db::RtRoiRow roi_row(const journal::ExtractedRoi& r, const db::Key& key,
                     std::uint64_t result_sequence) {
  return {.key = key,
          .roi_number = r.number,
          .name = r.name,
          .standard_name = r.standard_name,
          .interpreted_type = r.interpreted_type,
          .generation_algorithm = r.generation_algorithm,
          .color = r.color,
          .frame_of_reference_uid = r.frame_of_reference_uid.str(),
          .contours = r.contours,
          .points = r.points,
          .geometric_types = r.geometric_types,
          .volume_cm3 = r.volume_cm3,
          .surface_cm2 = r.surface_cm2,
          .centroid_x_mm = at(r.centroid, 0),
          .centroid_y_mm = at(r.centroid, 1),
          .centroid_z_mm = at(r.centroid, 2),
          .min_x_mm = at(r.bounding_box, 0),
          .min_y_mm = at(r.bounding_box, 1),
          .min_z_mm = at(r.bounding_box, 2),
          .max_x_mm = at(r.bounding_box, 3),
          .max_y_mm = at(r.bounding_box, 4),
          .max_z_mm = at(r.bounding_box, 5),
          .plane_spacing_mm = r.plane_spacing,
          .plane_gaps = r.plane_gaps,
          .equivalent_diameter_mm = r.equivalent_diameter,
          .result_sequence = result_sequence};
}

db::RtContourRow contour_row(const journal::ExtractedContour& r, const db::Key& key,
                             std::uint64_t result_sequence) {
  return {.key = key,
          .roi_number = r.roi_number,
          .contour_index = r.index,
          .geometric_type = r.geometric_type,
          .points = r.points,
          .plane_position_mm = r.plane_position,
          .area_mm2 = r.area,
          .perimeter_mm = r.perimeter,
          .referenced_sop_instance_uid = r.referenced_sop_instance_uid.str(),
          .result_sequence = result_sequence};
}

db::RtFindingRow finding_row(const journal::ExtractedFinding& r, const db::Key& key,
                             std::uint64_t result_sequence) {
  return {.key = key,
          .finding_index = r.index,
          .roi_number = r.of_roi ? std::optional(r.roi_number) : std::nullopt,
          .code = r.code,
          .severity = r.severity,
          .description = r.description,
          .result_sequence = result_sequence};
}

db::RtDvhRow dvh_row(const journal::ExtractedDvh& r, const db::Key& key,
                     std::uint64_t result_sequence) {
  return {.key = key,
          .roi_number = r.roi_number,
          .dose_sop_instance_uid = r.dose_sop_instance_uid.str(),
          .dose_units = r.dose_units,
          .dose_type = r.dose_type,
          .dose_link = r.dose_link,
          .min_dose = r.least,
          .mean_dose = r.mean,
          .max_dose = r.greatest,
          .d95 = r.d95,
          .d2 = r.d2,
          .v20 = r.v20,
          .curve = r.curve,
          .result_sequence = result_sequence};
}

}  // namespace

std::vector<Row> result_rows(const journal::ExtractionRecord& record, const db::Key& key,
                             std::uint64_t result_sequence) {
  std::vector<Row> rows;
  if (record.part == 0) rows.emplace_back(structure_set_row(record, key, result_sequence));
  for (const auto& each : record.rois) rows.emplace_back(roi_row(each, key, result_sequence));
  for (const auto& each : record.contours) {
    rows.emplace_back(contour_row(each, key, result_sequence));
  }
  for (const auto& each : record.findings) {
    rows.emplace_back(finding_row(each, key, result_sequence));
  }
  for (const auto& each : record.dvhs) rows.emplace_back(dvh_row(each, key, result_sequence));
  return rows;
}

}  // namespace dr::audit
