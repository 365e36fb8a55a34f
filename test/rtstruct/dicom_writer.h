#pragma once

#include <cstdio>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

#include <dcmtk/dcmdata/dctk.h>

#include "rtstruct/dvh.h"
#include "rtstruct/image_grid.h"
#include "rtstruct/model.h"
#include "test/support/dicom_objects.h"

namespace dr::rtstruct::test {

/// Writes objects of our plain values with DCMTK, for tests and benchmarks. Throws on failure.
class DicomWriter {
 public:
  explicit DicomWriter(ImageGrid grid) : grid_(std::move(grid)) {
    study_ = new_uid();
    series_ = new_uid();
    frame_ = new_uid();
    grid_.frame_of_reference = uid_literal(frame_);
    grid_.series = uid_literal(series_);
    grid_.study = uid_literal(study_);
    grid_.instances.clear();
    for (std::uint32_t k = 0; k < grid_.slices; ++k) {
      grid_.instances.push_back(uid_literal(new_uid()));
    }
  }

  const ImageGrid& grid() const { return grid_; }
  const std::string& frame_of_reference() const { return frame_; }

  /// One CT slice a file; voxels are zero.
  void write_ct(const std::filesystem::path& folder) const {
    std::filesystem::create_directories(folder);
    const std::vector<Uint16> pixels(std::size_t{grid_.columns} * grid_.rows);
    for (std::uint32_t k = 0; k < grid_.slices; ++k) {
      DcmFileFormat file;
      DcmDataset& d = *file.getDataset();
      common(d, UID_CTImageStorage, grid_.instances[k].str(), series_, "CT");
      put(d, DCM_InstanceNumber, std::to_string(k + 1));
      place(d, grid_.at(0, 0, k));
      put(d, DCM_SliceThickness, ds(grid_.slice_step));
      put(d, DCM_RescaleIntercept, "-1024");
      put(d, DCM_RescaleSlope, "1");
      put(d, DCM_KVP, "");
      put(d, DCM_AcquisitionNumber, "");
      put(d, DCM_ImageType, "ORIGINAL\\PRIMARY\\AXIAL");
      pixel_module(d, 16);
      d.putAndInsertUint16Array(DCM_PixelData, pixels.data(), pixels.size());
      save(file, folder / ("ct" + std::to_string(k) + ".dcm"));
    }
  }

  /// All ROIs in the grid's frame of reference, each contour with the nearest slice as its image.
  void write_structure_set(const std::vector<Roi>& rois, const std::filesystem::path& path) const {
    DcmFileFormat file;
    DcmDataset& d = *file.getDataset();
    common(d, UID_RTStructureSetStorage, new_uid(), new_uid(), "RTSTRUCT");
    put(d, DCM_StructureSetLabel, "PHANTOM");
    put(d, DCM_StructureSetDate, "20240101");
    put(d, DCM_StructureSetTime, "120000");
    references(d);
    for (const Roi& roi : rois) {
      DcmItem& item = add(d, DCM_StructureSetROISequence);
      put(item, DCM_ROINumber, std::to_string(roi.number));
      put(item, DCM_ReferencedFrameOfReferenceUID, frame_);
      put(item, DCM_ROIName, roi.name);
      put(item, DCM_ROIGenerationAlgorithm, "AUTOMATIC");
      DcmItem& drawn = add(d, DCM_ROIContourSequence);
      put(drawn, DCM_ROIDisplayColor, "255\\128\\0");
      put(drawn, DCM_ReferencedROINumber, std::to_string(roi.number));
      for (const Contour& contour : roi.contours) write_contour(drawn, contour);
      DcmItem& observation = add(d, DCM_RTROIObservationsSequence);
      put(observation, DCM_ObservationNumber, std::to_string(roi.number));
      put(observation, DCM_ReferencedROINumber, std::to_string(roi.number));
      put(observation, DCM_RTROIInterpretedType, "ORGAN");
      put(observation, DCM_ROIInterpreter, "");
    }
    save(file, path);
  }

  /// A dose of 32 bits on the grid; `gray(point)` in Gy.
  template <class Gray>
  void write_dose(Gray gray, const std::filesystem::path& path) const {
    DcmFileFormat file;
    DcmDataset& d = *file.getDataset();
    common(d, UID_RTDoseStorage, new_uid(), new_uid(), "RTDOSE");
    place(d, grid_.origin);
    put(d, DCM_NumberOfFrames, std::to_string(grid_.slices));
    put(d, DCM_DoseUnits, "GY");
    put(d, DCM_DoseType, "PHYSICAL");
    put(d, DCM_DoseSummationType, "PLAN");
    put(d, DCM_DoseGridScaling, "1e-6");
    std::string offsets;
    std::vector<Uint16> words;
    for (std::uint32_t k = 0; k < grid_.slices; ++k) {
      if (k > 0) offsets += '\\';
      offsets += ds(k * grid_.slice_step);
      for (std::uint32_t j = 0; j < grid_.rows; ++j) {
        for (std::uint32_t i = 0; i < grid_.columns; ++i) {
          const auto value = static_cast<Uint32>(gray(grid_.at(i, j, k)) * 1e6);
          words.push_back(static_cast<Uint16>(value & 0xffff));
          words.push_back(static_cast<Uint16>(value >> 16));
        }
      }
    }
    put(d, DCM_GridFrameOffsetVector, offsets);
    pixel_module(d, 32);
    d.putAndInsertUint16Array(DCM_PixelData, words.data(), words.size());
    save(file, path);
  }

 private:
  static std::string new_uid() { return dr::test::new_uid(); }
  static std::string ds(double value) {
    char text[32];
    std::snprintf(text, sizeof text, "%.6f", value);
    return text;
  }
  static void put(DcmItem& item, const DcmTagKey& tag, const std::string& value) {
    if (item.putAndInsertOFStringArray(DcmTag(tag), OFString(value.c_str(), value.size())).bad()) {
      throw std::runtime_error("DCMTK takes no value of " + std::string(tag.toString().c_str()));
    }
  }
  static DcmItem& add(DcmItem& parent, const DcmTagKey& tag) {
    DcmItem* item = nullptr;
    if (parent.findOrCreateSequenceItem(DcmTag(tag), item, -2).bad()) {
      throw std::runtime_error("DCMTK makes no item");
    }
    return *item;
  }
  static void save(DcmFileFormat& file, const std::filesystem::path& path) {
    const OFCondition saved = file.saveFile(path.c_str(), EXS_LittleEndianExplicit);
    if (saved.bad()) throw std::runtime_error(path.string() + ": " + saved.text());
  }

  void common(DcmDataset& d, const char* sop_class, const std::string& instance,
              const std::string& series, const char* modality) const {
    put(d, DCM_SpecificCharacterSet, "ISO_IR 192");
    put(d, DCM_SOPClassUID, sop_class);
    put(d, DCM_SOPInstanceUID, instance);
    put(d, DCM_StudyInstanceUID, study_);
    put(d, DCM_SeriesInstanceUID, series);
    put(d, DCM_FrameOfReferenceUID, frame_);
    put(d, DCM_Modality, modality);
    put(d, DCM_PatientName, "Phäntom^Analytic");
    put(d, DCM_PatientID, "PHANTOM");
    put(d, DCM_PatientBirthDate, "");
    put(d, DCM_PatientSex, "O");
    put(d, DCM_StudyDate, "20240101");
    put(d, DCM_StudyTime, "120000");
    put(d, DCM_StudyID, "1");
    put(d, DCM_AccessionNumber, "");
    put(d, DCM_ReferringPhysicianName, "");
    put(d, DCM_SeriesNumber, "1");
    put(d, DCM_Manufacturer, "dicom-router tests");
    put(d, DCM_PositionReferenceIndicator, "");
  }

  void place(DcmDataset& d, Vec3 at) const {
    const auto vec = [](Vec3 v) { return ds(v.x) + "\\" + ds(v.y) + "\\" + ds(v.z); };
    put(d, DCM_ImagePositionPatient, vec(at));
    put(d, DCM_ImageOrientationPatient, vec(grid_.row) + "\\" + vec(grid_.column));
    put(d, DCM_PixelSpacing, ds(grid_.column_step) + "\\" + ds(grid_.row_step));
  }

  void pixel_module(DcmDataset& d, Uint16 bits) const {
    d.putAndInsertUint16(DCM_Rows, static_cast<Uint16>(grid_.rows));
    d.putAndInsertUint16(DCM_Columns, static_cast<Uint16>(grid_.columns));
    d.putAndInsertUint16(DCM_SamplesPerPixel, 1);
    put(d, DCM_PhotometricInterpretation, "MONOCHROME2");
    d.putAndInsertUint16(DCM_BitsAllocated, bits);
    d.putAndInsertUint16(DCM_BitsStored, bits);
    d.putAndInsertUint16(DCM_HighBit, static_cast<Uint16>(bits - 1));
    d.putAndInsertUint16(DCM_PixelRepresentation, 0);
  }

  void references(DcmDataset& d) const {
    DcmItem& frame = add(d, DCM_ReferencedFrameOfReferenceSequence);
    put(frame, DCM_FrameOfReferenceUID, frame_);
    DcmItem& study = add(frame, DCM_RTReferencedStudySequence);
    put(study, DCM_ReferencedSOPClassUID, "1.2.840.10008.3.1.2.3.1");
    put(study, DCM_ReferencedSOPInstanceUID, study_);
    DcmItem& series = add(study, DCM_RTReferencedSeriesSequence);
    put(series, DCM_SeriesInstanceUID, series_);
    for (const Uid& instance : grid_.instances) image(series, instance);
  }
  static void image(DcmItem& parent, const Uid& instance) {
    DcmItem& item = add(parent, DCM_ContourImageSequence);
    put(item, DCM_ReferencedSOPClassUID, UID_CTImageStorage);
    put(item, DCM_ReferencedSOPInstanceUID, instance.str());
  }

  void write_contour(DcmItem& parent, const Contour& contour) const {
    DcmItem& item = add(parent, DCM_ContourSequence);
    const double k = dot(contour.points.front() - grid_.origin, grid_.normal) / grid_.slice_step;
    const auto nearest = static_cast<std::size_t>(
        std::clamp(std::round(k), 0.0, static_cast<double>(grid_.slices - 1)));
    image(item, grid_.instances[nearest]);
    put(item, DCM_ContourGeometricType, contour.geometric_type);
    put(item, DCM_NumberOfContourPoints, std::to_string(contour.points.size()));
    std::string data;
    for (const Vec3 p : contour.points) {
      char text[64];
      std::snprintf(text, sizeof text, "%s%.3f\\%.3f\\%.3f", data.empty() ? "" : "\\", p.x, p.y,
                    p.z);
      data += text;
    }
    put(item, DCM_ContourData, data);
  }

  ImageGrid grid_;
  std::string study_, series_, frame_;
};

}  // namespace dr::rtstruct::test
