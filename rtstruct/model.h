#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dimse/base/uid.h"
#include "rtstruct/vec3.h"

namespace dr::rtstruct {

enum class Severity { kInfo, kWarning, kError };
std::string_view name(Severity severity);

/// Something that a physicist should know before using a result. `code` is a constant of this
/// program; `text` says what and how much, without patient data.
struct Finding {
  std::string code;
  Severity severity = Severity::kInfo;
  std::string text;
};

/// Contour Geometric Type (3006,0042), PS3.3 C.8.8.6.2; anything else is kOther.
enum class GeometricType {
  kPoint,
  kOpenPlanar,
  kOpenNonplanar,
  kClosedPlanar,
  kClosedPlanarXor,
  kOther,
};

/// Why a contour has no part in any geometry; its points are not kept then.
enum class Defect {
  kNone,
  kNotNumeric,   // a value that is no decimal string
  kNotFinite,    // NaN or infinite, or too large to be a place in a patient
  kNotTriplets,  // the number of values is no multiple of 3
};

struct Contour {
  GeometricType type = GeometricType::kOther;
  std::string geometric_type;               // as written, at most 16 characters
  std::vector<Vec3> points;                 // mm
  std::optional<std::int64_t> point_count;  // Number of Contour Points (3006,0046), as stated
  Uid image;                                // the first of Contour Image Sequence; empty: none
  std::optional<double> slab_thickness;     // Contour Slab Thickness (3006,0044), mm
  Defect defect = Defect::kNone;

  bool closed() const {
    return type == GeometricType::kClosedPlanar || type == GeometricType::kClosedPlanarXor;
  }
};

/// One region of interest: its items of Structure Set ROI, ROI Contour and RT ROI Observations
/// Sequence (PS3.3 C.8.8.5, C.8.8.6, C.8.8.8), joined by ROI number. Text is UTF-8.
struct Roi {
  std::int32_t number = 0;
  std::string name;
  std::string description;
  std::string generation_algorithm;
  Uid frame_of_reference;
  std::optional<std::array<int, 3>> color;  // 0 to 255 each
  std::optional<std::int32_t> observation_number;
  std::string observation_label;
  std::string interpreted_type;
  std::vector<Contour> contours;
  std::vector<Finding> findings;  // of reading

  std::size_t points() const {
    std::size_t sum = 0;
    for (const Contour& contour : contours) sum += contour.points.size();
    return sum;
  }
};

/// A series that the structure set says it was drawn on (Referenced Frame of Reference Sequence).
struct ReferencedSeries {
  Uid frame_of_reference;
  Uid study;
  Uid series;
  std::vector<Uid> instances;
};

/// What results (SEG, SR) take over from the structure set. Text is UTF-8.
struct PatientStudy {
  std::string patient_name, patient_id, patient_birth_date, patient_sex;
  std::string study_date, study_time, study_id, accession_number, referring_physician;
  Uid study_instance_uid;
};

/// A whole RT Structure Set in plain values; every count and number of the file has been checked.
struct StructureSet {
  Uid sop_instance_uid;
  Uid frame_of_reference;  // of the object itself (0020,0052), often absent
  std::string label;
  std::string name;
  std::vector<ReferencedSeries> series;
  std::vector<Uid> contour_images;  // all that contours refer to, each once, ascending
  std::vector<Roi> rois;            // in the order of Structure Set ROI Sequence
  std::vector<Finding> findings;    // of the object as a whole
  PatientStudy patient_study;
};

}  // namespace dr::rtstruct
