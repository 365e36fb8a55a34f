#include <cmath>
#include <map>

#include <nlohmann/json.hpp>

#include "rtstruct/extract.h"

namespace dr::rtstruct {
namespace {

using Json = nlohmann::ordered_json;

/// Nine significant digits and no more, so that equal results are equal text.
Json number(double value) {
  if (value == 0 || !std::isfinite(value)) return value == 0 ? Json(0.0) : Json();
  const double scale = std::pow(10, 9 - std::ceil(std::log10(std::abs(value))));
  const double rounded = std::round(value * scale) / scale;
  return std::isfinite(rounded) ? rounded : value;
}
Json number(const std::optional<double>& value, double unit = 1) {
  return value ? number(*value / unit) : Json();
}
Json point(Vec3 p) { return {number(p.x), number(p.y), number(p.z)}; }
Json point(const std::optional<Vec3>& p) { return p ? point(*p) : Json(); }
Json box(const std::optional<Box>& b) { return b ? Json{point(b->low), point(b->high)} : Json(); }
Json extents(const std::optional<Box>& b) { return b ? point(b->high - b->low) : Json(); }

Json findings_of(const std::vector<Finding>& findings) {
  Json all = Json::array();
  for (const Finding& finding : findings) {
    all.push_back({{"code", finding.code},
                   {"severity", std::string(name(finding.severity))},
                   {"text", finding.text}});
  }
  return all;
}

Json planes_of(const Measures& measures) {
  Json all = Json::array();
  for (const PlaneMeasure& plane : measures.planes) {
    all.push_back({{"position_mm", number(plane.position)},
                   {"thickness_mm", number(plane.thickness)},
                   {"area_mm2", number(plane.area)},
                   {"perimeter_mm", number(plane.perimeter)},
                   {"contours", plane.contours}});
  }
  return all;
}

Json dvhs_of(const std::vector<Dvh>& dvhs) {
  Json all = Json::array();
  for (const Dvh& dvh : dvhs) {
    Json curve = Json::array();
    for (const auto& [dose, volume] : dvh.curve) curve.push_back({number(dose), number(volume)});
    all.push_back({{"dose_sop_instance_uid", dvh.dose_sop_instance_uid.str()},
                   {"dose_units", dvh.units},
                   {"dose_type", dvh.type},
                   {"dose_link", dvh.link},
                   {"min", number(dvh.least)},
                   {"mean", number(dvh.mean)},
                   {"max", number(dvh.most)},
                   {"d95", number(dvh.d95)},
                   {"d2", number(dvh.d2)},
                   {"v20_percent", number(dvh.v20)},
                   {"outside_percent", number(dvh.outside)},
                   {"curve", std::move(curve)}});
  }
  return all;
}

Json roi_of(const Roi& roi, const RoiResult& result) {
  const Measures& m = result.measures;
  std::map<std::string, std::size_t> types;
  for (const Contour& contour : roi.contours) ++types[contour.geometric_type];
  Json json{{"number", roi.number},
            {"name", roi.name},
            {"standard_name", result.standard_name},
            {"interpreted_type", roi.interpreted_type},
            {"generation_algorithm", roi.generation_algorithm},
            {"color", roi.color ? Json(*roi.color) : Json()},
            {"frame_of_reference_uid", roi.frame_of_reference.str()},
            {"contours", roi.contours.size()},
            {"points", roi.points()}};
  json["geometric_types"] = Json::object();
  for (const auto& [type, count] : types) json["geometric_types"][type] = count;
  json["volume_cm3"] = number(m.volume, 1000);
  json["surface_cm2"] = number(m.surface, 100);
  json["centroid_mm"] = point(m.centroid);
  json["bounding_box_mm"] = box(m.bounding_box);
  json["extents_mm"] = extents(m.bounding_box);
  json["points_box_mm"] = box(m.points_box);
  json["plane_spacing_mm"] = number(m.spacing);
  json["plane_normal"] = m.planes.empty() ? Json() : point(m.normal);
  json["plane_gaps"] = m.gaps;
  json["equivalent_diameter_mm"] = number(m.equivalent_diameter);
  json["measured_on"] = result.grid ? "images" : "contours";
  json["mask_voxels"] = result.mask ? Json(result.mask->voxels()) : Json();
  json["mask_volume_cm3"] =
      result.mask
          ? number(static_cast<double>(result.mask->voxels()) * result.grid->voxel_volume() / 1000)
          : Json();
  json["findings"] = findings_of(result.findings);
  json["planes"] = planes_of(m);
  json["dvh"] = dvhs_of(result.dvhs);
  return json;
}

}  // namespace

std::string to_json(const Extraction& extraction) {
  const StructureSet& set = extraction.set;
  Json json{{"sop_instance_uid", set.sop_instance_uid.str()}, {"label", set.label}};
  json["reference"] = {{"verdict", std::string(name(extraction.reference.verdict))},
                       {"instances_referenced", extraction.reference.referenced},
                       {"instances_present", extraction.reference.present},
                       {"reason", extraction.reference.reason}};
  json["findings"] = findings_of(set.findings);
  json["rois"] = Json::array();
  for (std::size_t i = 0; i < set.rois.size(); ++i) {
    json["rois"].push_back(roi_of(set.rois[i], extraction.rois[i]));
  }
  return json.dump(2, ' ', false, Json::error_handler_t::replace);
}

}  // namespace dr::rtstruct
