#include "router/extraction/record.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <map>
#include <set>
#include <utility>

#include "rtstruct/measure.h"

namespace dr::extraction {
namespace {

using journal::ExtractionRecord;
using rtstruct::Extraction;
using rtstruct::Roi;
using rtstruct::RoiResult;

constexpr std::size_t kMostPart = 1U << 20;  // octets, about
constexpr std::size_t kMostItems = 5'000;    // in a part's lists
constexpr std::size_t kItem = 128;           // octets of one without its texts, about

template <class T>
std::optional<T> scaled(const std::optional<T>& value, double unit) {
  return value ? std::optional<T>(*value / unit) : std::nullopt;
}

journal::ExtractedRoi roi_of(const Roi& roi, const RoiResult& result) {
  const rtstruct::Measures& m = result.measures;
  journal::ExtractedRoi r;
  r.number = roi.number;
  r.name = roi.name;
  r.standard_name = result.standard_name;
  r.interpreted_type = roi.interpreted_type;
  r.generation_algorithm = roi.generation_algorithm;
  if (roi.color) {
    const auto& [red, green, blue] = *roi.color;
    r.color = std::to_string(red) + "," + std::to_string(green) + "," + std::to_string(blue);
  }
  r.frame_of_reference_uid = roi.frame_of_reference;
  r.contours = static_cast<std::uint32_t>(roi.contours.size());
  r.points = roi.points();
  std::set<std::string> types;
  for (const auto& contour : roi.contours) types.insert(contour.geometric_type);
  for (const auto& type : types) r.geometric_types += (r.geometric_types.empty() ? "" : ",") + type;
  r.volume_cm3 = scaled(m.volume, 1000);
  r.surface_cm2 = scaled(m.surface, 100);
  if (m.centroid) r.centroid = {m.centroid->x, m.centroid->y, m.centroid->z};
  if (m.bounding_box) {
    const auto& [low, high] = *m.bounding_box;
    r.bounding_box = {low.x, low.y, low.z, high.x, high.y, high.z};
  }
  r.plane_spacing = m.spacing;
  r.plane_gaps = static_cast<std::uint32_t>(m.gaps);
  r.equivalent_diameter = m.equivalent_diameter;
  return r;
}

journal::ExtractedDvh dvh_of(const Roi& roi, const rtstruct::Dvh& dvh) {
  journal::ExtractedDvh r;
  r.roi_number = roi.number;
  r.dose_sop_instance_uid = dvh.dose_sop_instance_uid;
  r.dose_units = dvh.units;
  r.dose_type = dvh.type;
  r.dose_link = dvh.link;
  r.least = dvh.least;
  r.mean = dvh.mean;
  r.greatest = dvh.most;
  r.d95 = dvh.d95;
  r.d2 = dvh.d2;
  r.v20 = dvh.v20;
  const auto digits = [](double number) {
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%.6g", number);
    return std::string(text.data());
  };
  r.curve = "[";
  for (const auto& [dose, volume] : dvh.curve) {
    r.curve += (r.curve.size() > 1 ? ",[" : "[") + digits(dose) + "," + digits(volume) + "]";
  }
  r.curve += "]";
  return r;
}

/// Fills one part after another.
class Parts {
 public:
  explicit Parts(ExtractionRecord head) : head_(std::move(head)) { parts_.push_back(head_); }

  template <class Item>
  void add(std::vector<Item> ExtractionRecord::*list, Item item, std::size_t text = 0) {
    if (octets_ > kMostPart || items_ >= kMostItems) next();
    octets_ += kItem + text;
    ++items_;
    (parts_.back().*list).push_back(std::move(item));
  }
  std::vector<ExtractionRecord> take() { return std::move(parts_); }

 private:
  void next() {
    parts_.back().last = false;
    ++head_.part;
    parts_.push_back(head_);
    octets_ = items_ = 0;
  }

  ExtractionRecord head_;
  std::vector<ExtractionRecord> parts_;
  std::size_t octets_ = 0, items_ = 0;
};

ExtractionRecord head_of(const Extraction& extraction) {
  const auto& set = extraction.set;
  ExtractionRecord head;
  head.sop_instance_uid = set.sop_instance_uid;
  head.label = set.label;
  head.frame_of_reference_uid = set.frame_of_reference;
  if (!set.series.empty()) {
    head.referenced_study_instance_uid = set.series.front().study;
    head.referenced_series_instance_uid = set.series.front().series;
    if (head.frame_of_reference_uid.empty()) {
      head.frame_of_reference_uid = set.series.front().frame_of_reference;
    }
  }
  head.reference_verdict = name(extraction.reference.verdict);
  head.reference_reason = extraction.reference.reason;
  head.instances_referenced = static_cast<std::uint32_t>(extraction.reference.referenced);
  head.instances_present = static_cast<std::uint32_t>(extraction.reference.present);
  head.roi_count = static_cast<std::uint32_t>(set.rois.size());
  for (const Roi& roi : set.rois) {
    head.contour_count += static_cast<std::uint32_t>(roi.contours.size());
    head.point_count += roi.points();
  }
  head.outcome = "done";
  return head;
}

void add_contours(Parts& parts, const Roi& roi, const RoiResult& result) {
  std::map<std::size_t, const rtstruct::ContourMeasure*> measured;
  for (const auto& measure : result.measures.contours) measured.emplace(measure.index, &measure);
  for (std::size_t i = 0; i < roi.contours.size(); ++i) {
    const auto& contour = roi.contours[i];
    journal::ExtractedContour r;
    r.roi_number = roi.number;
    r.index = static_cast<std::uint32_t>(i);
    r.geometric_type = contour.geometric_type;
    r.points = static_cast<std::uint32_t>(contour.points.size());
    if (const auto found = measured.find(i); found != measured.end()) {
      r.plane_position = found->second->position;
      r.area = found->second->area;
      r.perimeter = found->second->perimeter;
    }
    r.referenced_sop_instance_uid = contour.image;
    parts.add(&ExtractionRecord::contours, std::move(r));
  }
}

}  // namespace

std::vector<ExtractionRecord> records_of(const Extraction& extraction) {
  Parts parts(head_of(extraction));
  std::uint32_t index = 0;
  const auto finding = [&](const rtstruct::Finding& f, const Roi* roi) {
    parts.add(&ExtractionRecord::findings,
              journal::ExtractedFinding{index++, roi != nullptr, roi != nullptr ? roi->number : 0,
                                        f.code, std::string(name(f.severity)), f.text},
              f.text.size());
  };
  for (const auto& f : extraction.set.findings) finding(f, nullptr);
  for (std::size_t i = 0; i < extraction.rois.size(); ++i) {
    const Roi& roi = extraction.set.rois[i];
    const RoiResult& result = extraction.rois[i];
    parts.add(&ExtractionRecord::rois, roi_of(roi, result));
    for (const auto& f : result.findings) finding(f, &roi);
    for (const auto& dvh : result.dvhs) {
      auto r = dvh_of(roi, dvh);
      const std::size_t text = r.curve.size();
      parts.add(&ExtractionRecord::dvhs, std::move(r), text);
    }
    add_contours(parts, roi, result);
  }
  return parts.take();
}

}  // namespace dr::extraction
