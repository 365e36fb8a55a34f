#include "rtstruct/reader.h"

#include <algorithm>
#include <map>

#include "rtstruct/data_set.h"
#include "rtstruct/decimal.h"

namespace dr::rtstruct {
namespace {

constexpr const char* kRtStructureSetStorage = "1.2.840.10008.5.1.4.1.1.481.3";

GeometricType geometric_type(std::string_view text) {
  if (text == "POINT") return GeometricType::kPoint;
  if (text == "OPEN_PLANAR") return GeometricType::kOpenPlanar;
  if (text == "OPEN_NONPLANAR") return GeometricType::kOpenNonplanar;
  if (text == "CLOSED_PLANAR") return GeometricType::kClosedPlanar;
  if (text == "CLOSEDPLANAR_XOR") return GeometricType::kClosedPlanarXor;
  return GeometricType::kOther;
}

class Reader {
 public:
  Reader(DataSet& data, const ReadLimits& limits) : data_(data), limits_(limits) {}

  Result<StructureSet> read() {
    DcmItem& root = data_.root();
    if (read_uid(data_, root, DCM_SOPClassUID) != kRtStructureSetStorage) {
      return Error{Errc::kUnsupported, "not an RT Structure Set"};
    }
    set_.sop_instance_uid = read_uid(data_, root, DCM_SOPInstanceUID);
    if (set_.sop_instance_uid.empty()) return Error{Errc::kMalformed, "no SOP Instance UID"};
    set_.frame_of_reference = read_uid(data_, root, DCM_FrameOfReferenceUID);
    set_.label = data_.text(root, DCM_StructureSetLabel);
    set_.name = data_.text(root, DCM_StructureSetName);
    read_patient_study(root);
    for (auto step : {&Reader::read_references, &Reader::read_rois, &Reader::read_contours,
                      &Reader::read_observations}) {
      if (auto done = (this->*step)(root); !done) return std::move(done).error();
    }
    finish();
    return std::move(set_);
  }

 private:
  static Error above(const char* what, std::size_t limit) {
    return {Errc::kTooLong, std::string(what) + " limit=" + std::to_string(limit)};
  }
  void find(std::vector<Finding>& findings, const char* code, Severity severity, std::string text) {
    findings.push_back({code, severity, std::move(text)});
  }

  void read_patient_study(DcmItem& root) {
    PatientStudy& p = set_.patient_study;
    p.patient_name = data_.text(root, DCM_PatientName, encoding::vr('P', 'N'));
    p.patient_id = data_.text(root, DCM_PatientID);
    p.patient_birth_date = data_.text(root, DCM_PatientBirthDate);
    p.patient_sex = data_.text(root, DCM_PatientSex);
    p.study_date = data_.text(root, DCM_StudyDate);
    p.study_time = data_.text(root, DCM_StudyTime);
    p.study_id = data_.text(root, DCM_StudyID);
    p.accession_number = data_.text(root, DCM_AccessionNumber);
    p.referring_physician = data_.text(root, DCM_ReferringPhysicianName, encoding::vr('P', 'N'));
    p.study_instance_uid = read_uid(data_, root, DCM_StudyInstanceUID);
  }

  /// Referenced Frame of Reference > RT Referenced Study > RT Referenced Series > Contour Image.
  Result<void> read_references(DcmItem& root) {
    return for_each_item(root, DCM_ReferencedFrameOfReferenceSequence, [&](DcmItem& frame) {
      const Uid frame_uid = read_uid(data_, frame, DCM_FrameOfReferenceUID);
      return for_each_item(frame, DCM_RTReferencedStudySequence, [&](DcmItem& study) {
        const Uid study_uid = read_uid(data_, study, DCM_ReferencedSOPInstanceUID);
        return for_each_item(study, DCM_RTReferencedSeriesSequence, [&](DcmItem& series) {
          set_.series.push_back(
              {frame_uid, study_uid, read_uid(data_, series, DCM_SeriesInstanceUID), {}});
          return for_each_item(series, DCM_ContourImageSequence,
                               [&](DcmItem& image) { return add_reference(image); });
        });
      });
    });
  }

  Result<void> add_reference(DcmItem& image) {
    if (++references_ > limits_.references) return above("references", limits_.references);
    const Uid uid = read_uid(data_, image, DCM_ReferencedSOPInstanceUID);
    if (!uid.empty()) set_.series.back().instances.push_back(uid);
    return {};
  }

  Result<void> read_rois(DcmItem& root) {
    return for_each_item(root, DCM_StructureSetROISequence, [&](DcmItem& item) -> Result<void> {
      if (set_.rois.size() == limits_.rois) return above("ROIs", limits_.rois);
      const auto number = read_integer(data_, item, DCM_ROINumber);
      if (!number) {
        find(set_.findings, "roi_number_missing", Severity::kError,
             "an item of Structure Set ROI Sequence has no ROI Number");
        return {};
      }
      const auto key = static_cast<std::int32_t>(*number);
      if (!by_number_.try_emplace(key, set_.rois.size()).second) {
        find(set_.findings, "roi_number_twice", Severity::kError,
             "ROI Number " + std::to_string(key) + " stands twice; the first counts");
        return {};
      }
      Roi roi;
      roi.number = key;
      roi.name = data_.text(item, DCM_ROIName);
      roi.description = data_.text(item, DCM_ROIDescription, encoding::vr('S', 'T'));
      roi.generation_algorithm = data_.text(item, DCM_ROIGenerationAlgorithm);
      roi.frame_of_reference = read_uid(data_, item, DCM_ReferencedFrameOfReferenceUID);
      set_.rois.push_back(std::move(roi));
      return {};
    });
  }

  Roi* roi_of(DcmItem& item, const char* sequence) {
    const auto number = read_integer(data_, item, DCM_ReferencedROINumber);
    const auto at = number ? by_number_.find(static_cast<std::int32_t>(*number)) : by_number_.end();
    if (at != by_number_.end()) return &set_.rois[at->second];
    const std::string which = number ? "ROI Number " + std::to_string(*number) : "no ROI Number";
    find(set_.findings, "roi_unknown", Severity::kError,
         std::string("an item of ") + sequence + " refers to " + which +
             ", which Structure Set ROI Sequence does not have");
    return nullptr;
  }

  Result<void> read_contours(DcmItem& root) {
    return for_each_item(root, DCM_ROIContourSequence, [&](DcmItem& item) -> Result<void> {
      Roi* roi = roi_of(item, "ROI Contour Sequence");
      if (roi == nullptr) return {};
      roi->color = read_color(item);
      return for_each_item(item, DCM_ContourSequence, [&](DcmItem& contour) -> Result<void> {
        if (++contours_ > limits_.contours) return above("contours", limits_.contours);
        roi->contours.push_back(read_contour(contour));
        points_ += roi->contours.back().points.size();
        if (points_ > limits_.points) return above("points", limits_.points);
        return {};
      });
    });
  }

  std::optional<std::array<int, 3>> read_color(DcmItem& item) {
    const auto values = parse_decimals(data_.raw(item, DCM_ROIDisplayColor));
    if (!values || values->size() != 3) return std::nullopt;
    std::array<int, 3> color{};
    for (std::size_t i = 0; i < 3; ++i) {
      if (!((*values)[i] >= 0 && (*values)[i] <= 255)) return std::nullopt;
      color[i] = static_cast<int>((*values)[i]);
    }
    return color;
  }

  Contour read_contour(DcmItem& item) {
    Contour contour;
    contour.geometric_type = data_.text(item, DCM_ContourGeometricType).substr(0, 16);
    contour.type = geometric_type(contour.geometric_type);
    contour.point_count = read_integer(data_, item, DCM_NumberOfContourPoints);
    contour.slab_thickness = read_decimal(data_, item, DCM_RETIRED_ContourSlabThickness);
    contour.defect = parse_points(data_.raw(item, DCM_ContourData), contour.points);
    (void)for_each_item(item, DCM_ContourImageSequence, [&](DcmItem& image) -> Result<void> {
      const Uid uid = read_uid(data_, image, DCM_ReferencedSOPInstanceUID);
      if (uid.empty()) return {};
      if (contour.image.empty()) contour.image = uid;
      set_.contour_images.push_back(uid);
      return {};
    });
    return contour;
  }

  Result<void> read_observations(DcmItem& root) {
    return for_each_item(root, DCM_RTROIObservationsSequence, [&](DcmItem& item) -> Result<void> {
      Roi* roi = roi_of(item, "RT ROI Observations Sequence");
      // A ROI may have several observations; the first that names a type leads.
      if (roi == nullptr || !roi->interpreted_type.empty()) return {};
      const auto number = read_integer(data_, item, DCM_ObservationNumber);
      if (number) roi->observation_number = static_cast<std::int32_t>(*number);
      roi->observation_label = data_.text(item, DCM_ROIObservationLabel);
      roi->interpreted_type = data_.text(item, DCM_RTROIInterpretedType);
      return {};
    });
  }

  void finish() {
    std::ranges::sort(set_.contour_images);
    const auto twice = std::unique(set_.contour_images.begin(), set_.contour_images.end());
    set_.contour_images.erase(twice, set_.contour_images.end());
    if (set_.rois.empty()) {
      find(set_.findings, "no_rois", Severity::kError,
           "the structure set has no region of interest");
    }
    for (Roi& roi : set_.rois) judge_contours(roi);
  }

  void judge_contours(Roi& roi) {
    std::map<Defect, std::size_t> defects;
    std::size_t miscounted = 0, unknown = 0;
    for (const Contour& contour : roi.contours) {
      ++defects[contour.defect];
      const auto n = static_cast<std::int64_t>(contour.points.size());
      miscounted += contour.defect == Defect::kNone && contour.point_count.value_or(n) != n;
      unknown += contour.type == GeometricType::kOther;
    }
    const auto tell = [&](std::size_t n, const char* code, Severity severity, const char* text) {
      if (n > 0) find(roi.findings, code, severity, std::to_string(n) + " contour(s) " + text);
    };
    tell(defects[Defect::kNotNumeric], "contour_not_numeric", Severity::kError,
         "with a coordinate that is no number; left out");
    tell(defects[Defect::kNotFinite], "contour_out_of_range", Severity::kError,
         "with a coordinate that is not finite or beyond 1 km; left out");
    tell(defects[Defect::kNotTriplets], "contour_not_triplets", Severity::kError,
         "whose number of coordinates is no multiple of 3; left out");
    tell(miscounted, "point_count_wrong", Severity::kWarning,
         "whose Number of Contour Points is not what Contour Data holds; the data counts");
    tell(unknown, "geometric_type_unknown", Severity::kWarning,
         "of no Contour Geometric Type that the standard knows");
    if (roi.contours.empty()) {
      find(roi.findings, "roi_empty", Severity::kInfo, "no contour");
    }
  }

  DataSet& data_;
  const ReadLimits& limits_;
  StructureSet set_;
  std::map<std::int32_t, std::size_t> by_number_;
  std::size_t contours_ = 0, points_ = 0, references_ = 0;
};

}  // namespace

Result<StructureSet> read_structure_set(ByteSpan data_set, const Uid& transfer_syntax,
                                        const ReadLimits& limits) {
  auto data = DataSet::parse(data_set, transfer_syntax, limits.tree);
  if (!data) return std::move(data).error();
  return Reader(*data, limits).read();
}

}  // namespace dr::rtstruct
