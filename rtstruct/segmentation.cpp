#include <algorithm>
#include <map>
#include <memory>
#include <set>

#include <dcmtk/dcmdata/dctk.h>
#include <dcmtk/dcmfg/fgderimg.h>
#include <dcmtk/dcmfg/fgfracon.h>
#include <dcmtk/dcmfg/fgpixmsr.h>
#include <dcmtk/dcmfg/fgplanor.h>
#include <dcmtk/dcmfg/fgplanpo.h>
#include <dcmtk/dcmiod/cielabutil.h>
#include <dcmtk/dcmseg/segdoc.h>
#include <dcmtk/dcmseg/segment.h>
#include <sys/random.h>

#include "rtstruct/data_set.h"
#include "rtstruct/results.h"

namespace dr::rtstruct {
namespace {

constexpr std::size_t kLongString = 64;  // characters of LO

OFString of(const std::string& text) { return {text.c_str(), text.size()}; }
OFString of(const Uid& uid) { return of(uid.str()); }

/// DS has 16 characters.
OFString decimal(double value) {
  char text[32];
  OFStandard::ftoa(text, sizeof text, value, OFStandard::ftoa_uppercase, 0, 9);
  return std::string_view(text).size() > 16 ? OFString(text, 16) : OFString(text);
}

/// At most `most` characters of UTF-8, without what LO does not allow (PS3.5 6.2).
std::string long_string(const std::string& text, std::size_t most) {
  std::string out;
  std::size_t characters = 0;
  for (const char c : text) {
    const auto octet = static_cast<unsigned char>(c);
    const bool begins = (octet & 0xc0) != 0x80;
    if (begins && ++characters > most) break;
    out += octet < 32 || c == '\\' || octet == 127 ? ' ' : c;
  }
  return out;
}

/// Remembers the first failure of a row of DCMTK's setters.
class Steps {
 public:
  void operator()(const OFCondition& condition, const char* what) {
    if (condition.bad() && failed_.empty()) {
      failed_ = std::string(what) + ": " + condition.text();
    }
  }
  Result<void> result() const {
    return failed_.empty() ? Result<void>() : Error{Errc::kInvalid, "segmentation: " + failed_};
  }

 private:
  std::string failed_;
};

struct Code {
  const char *value, *scheme, *meaning;
  CodeSequenceMacro macro() const { return {value, scheme, meaning}; }
};
struct Property {
  Code category, type;
};

/// What kind of thing a ROI is (PS3.16 CID 7150 and below), by RT ROI Interpreted Type.
Property property_of(const std::string& interpreted) {
  if (interpreted == "GTV" || interpreted == "CTV" || interpreted == "PTV") {
    return {{"49755003", "SCT", "Morphologically Altered Structure"},
            {"108369006", "SCT", "Neoplasm"}};
  }
  if (interpreted == "EXTERNAL") {
    return {{"123037004", "SCT", "Anatomical Structure"}, {"38266002", "SCT", "Entire Body"}};
  }
  if (interpreted == "ORGAN" || interpreted == "AVOIDANCE") {
    return {{"123037004", "SCT", "Anatomical Structure"}, {"113343008", "SCT", "Organ"}};
  }
  return {{"309825002", "SCT", "Spatial and Relational Concept"},
          {"309825002", "SCT", "Spatial and Relational Concept"}};
}

class SegmentationWriter {
 public:
  SegmentationWriter(const Extraction& extraction, const ResultUids& uids,
                     std::vector<std::uint16_t>& segments)
      : extraction_(extraction), uids_(uids), segments_(segments) {}

  Result<Bytes> make() {
    if (auto chosen = choose(); !chosen) return std::move(chosen).error();
    DcmSegmentation* made = nullptr;
    const IODGeneralEquipmentModule::EquipmentInfo equipment("dicom-router", "dicom-router", "1",
                                                             "1");
    ContentIdentificationMacro content("1", "RTSTRUCT", "Regions of an RT Structure Set",
                                       "dicom-router");
    step_(DcmSegmentation::createBinarySegmentation(made, static_cast<Uint16>(grid_->rows),
                                                    static_cast<Uint16>(grid_->columns), equipment,
                                                    content),
          "create");
    seg_.reset(made);
    if (!seg_) return step_.result().error();
    describe();
    shared_groups();
    for (std::size_t i = 0; i < extraction_.rois.size(); ++i) add_roi(i);
    if (auto fine = step_.result(); !fine) return std::move(fine).error();
    return encoded();
  }

 private:
  bool chosen(std::size_t i) const {
    const RoiResult& roi = extraction_.rois[i];
    return roi.mask && !roi.mask->runs.empty() && roi.grid.get() == grid_;
  }

  /// The images with most masks.
  Result<void> choose() {
    std::map<const ImageGrid*, std::size_t> counts;
    for (const RoiResult& roi : extraction_.rois) {
      if (roi.mask && !roi.mask->runs.empty()) ++counts[roi.grid.get()];
    }
    std::size_t most = 0;
    for (const auto& [grid, count] : counts) {
      if (count > most) {
        most = count;
        grid_ = grid;
      }
    }
    if (grid_ == nullptr) return Error{Errc::kNotFound, "no mask"};
    std::uint64_t frames = 0;
    for (std::size_t i = 0; i < extraction_.rois.size(); ++i) {
      std::uint32_t last = UINT32_MAX;
      if (!chosen(i)) continue;
      for (const Run& run : extraction_.rois[i].mask->runs) {
        frames += run.k != last;
        last = run.k;
      }
    }
    const std::uint64_t octets = frames * grid_->rows * grid_->columns / 8;
    if (octets > kMostSegmentation || most > 65535) {
      return Error{Errc::kTooLong, "segmentation octets=" + std::to_string(octets) +
                                       " limit=" + std::to_string(kMostSegmentation)};
    }
    segments_.assign(extraction_.rois.size(), 0);
    return {};
  }

  void describe() {
    const PatientStudy& p = extraction_.set.patient_study;
    seg_->getSOPCommon().setSpecificCharacterSet("ISO_IR 192");
    step_(seg_->getStudy().setStudyInstanceUID(
              of(p.study_instance_uid.empty() ? grid_->study : p.study_instance_uid)),
          "study");
    IODGeneralSeriesModule& series = seg_->getSeries();
    step_(series.setSeriesInstanceUID(of(uids_.segmentation_series)), "series");
    step_(series.setSeriesNumber("1"), "series");
    step_(series.setSeriesDescription("Regions of an RT Structure Set"), "series");
    step_(seg_->getSOPCommon().setSOPInstanceUID(of(uids_.segmentation)), "instance");
    const Uid& frame = grid_->frame_of_reference;
    step_(seg_->getFrameOfReference().setFrameOfReferenceUID(frame.empty() ? of(new_uid())
                                                                           : of(frame)),
          "frame of reference");
    IODMultiframeDimensionModule& dimensions = seg_->getDimensions();
    const OFString organization = of(new_uid());
    step_(dimensions.addDimensionIndex(DCM_ReferencedSegmentNumber, organization,
                                       DCM_SegmentIdentificationSequence, "Segment"),
          "dimension");
    step_(dimensions.addDimensionIndex(DCM_ImagePositionPatient, organization,
                                       DCM_PlanePositionSequence, "Slice"),
          "dimension");
  }

  void shared_groups() {
    FGPixelMeasures measures;
    step_(measures.setPixelSpacing(decimal(grid_->column_step) + "\\" + decimal(grid_->row_step)),
          "spacing");
    step_(measures.setSliceThickness(decimal(grid_->slice_step)), "spacing");
    step_(measures.setSpacingBetweenSlices(decimal(grid_->slice_step)), "spacing");
    step_(seg_->addForAllFrames(measures), "spacing");
    FGPlaneOrientationPatient orientation;
    const Vec3 r = grid_->row, c = grid_->column;
    step_(orientation.setImageOrientationPatient(decimal(r.x), decimal(r.y), decimal(r.z),
                                                 decimal(c.x), decimal(c.y), decimal(c.z)),
          "orientation");
    step_(seg_->addForAllFrames(orientation), "orientation");
  }

  void add_roi(std::size_t i) {
    if (!chosen(i)) return;
    const Roi& roi = extraction_.set.rois[i];
    const Property property = property_of(roi.interpreted_type);
    DcmSegment* segment = nullptr;
    const bool manual = roi.generation_algorithm == "MANUAL";
    const bool automatic = roi.generation_algorithm == "AUTOMATIC";
    // DCMTK checks text as ASCII, here and when it writes: names follow in name_segments().
    const std::string plain = "ROI " + std::to_string(roi.number);
    step_(DcmSegment::create(
              segment, of(plain), property.category.macro(), property.type.macro(),
              automatic ? DcmSegTypes::SAT_AUTOMATIC
                        : (manual ? DcmSegTypes::SAT_MANUAL : DcmSegTypes::SAT_SEMIAUTOMATIC),
              manual ? "" : "unknown"),
          "segment");
    if (segment == nullptr) return;
    if (roi.color) {
      double l = 0, a = 0, b = 0;
      const auto& [red, green, blue] = *roi.color;
      IODCIELabUtil::rgb2DicomLab(l, a, b, red / 255.0, green / 255.0, blue / 255.0);
      step_(segment->setRecommendedDisplayCIELabValue(
                static_cast<Uint16>(l), static_cast<Uint16>(a), static_cast<Uint16>(b)),
            "color");
    }
    Uint16 number = 0;
    step_(seg_->addSegment(segment, number), "segment");
    segments_[i] = number;
    const std::string label = long_string(roi.name, kLongString);
    labels_.push_back(label.empty() ? plain : label);
    add_frames(*extraction_.rois[i].mask, number);
  }

  void add_frames(const Mask& mask, Uint16 number) {
    std::vector<Uint8> pixels(std::size_t{grid_->rows} * grid_->columns);
    for (auto run = mask.runs.begin(); run != mask.runs.end();) {
      const std::uint16_t k = run->k;
      std::ranges::fill(pixels, Uint8{0});
      for (; run != mask.runs.end() && run->k == k; ++run) {
        const auto row = pixels.begin() + std::ptrdiff_t{run->j} * grid_->columns;
        std::fill(row + run->begin, row + run->end, Uint8{1});
      }
      add_frame(pixels, number, k);
    }
  }

  void add_frame(std::vector<Uint8>& pixels, Uint16 number, std::uint16_t k) {
    const Vec3 at = grid_->at(0, 0, k);
    FGPlanePosPatient position;
    step_(position.setImagePositionPatient(decimal(at.x), decimal(at.y), decimal(at.z)), "place");
    FGFrameContent content;
    step_(content.setStackID("1"), "frame content");
    step_(content.setInStackPositionNumber(k + 1U), "frame content");
    step_(content.setDimensionIndexValues(number, 0), "frame content");
    step_(content.setDimensionIndexValues(k + 1U, 1), "frame content");
    OFVector<FGBase*> groups;
    groups.push_back(&position);
    groups.push_back(&content);
    std::unique_ptr<FGDerivationImage> derivation;
    if (!grid_->instances[k].empty() && !grid_->sop_class.empty()) {
      OFVector<ImageSOPInstanceReferenceMacro> images;
      ImageSOPInstanceReferenceMacro image;
      step_(image.setReferencedSOPClassUID(of(grid_->sop_class)), "source");
      step_(image.setReferencedSOPInstanceUID(of(grid_->instances[k])), "source");
      images.push_back(image);
      derivation.reset(DcmSegmentation::createDerivationImageFG(images, "RT Structure Set"));
      if (derivation) groups.push_back(derivation.get());
      sources_.insert(grid_->instances[k]);
    }
    step_(seg_->addFrame(pixels.data(), number, groups), "frame");
  }

  Result<Bytes> encoded() {
    DcmDataset d;
    const OFCondition done = seg_->writeDataset(d);
    if (done.bad()) return Error{Errc::kInvalid, std::string("segmentation: ") + done.text()};
    name_patient(d);
    name_segments(d);
    refer_to_images(d);
    return encode(d);
  }

  void name_patient(DcmDataset& d) const {
    const PatientStudy& p = extraction_.set.patient_study;
    const std::pair<DcmTagKey, const std::string*> values[] = {
        {DCM_PatientName, &p.patient_name},
        {DCM_PatientID, &p.patient_id},
        {DCM_PatientBirthDate, &p.patient_birth_date},
        {DCM_PatientSex, &p.patient_sex},
        {DCM_StudyDate, &p.study_date},
        {DCM_StudyTime, &p.study_time},
        {DCM_StudyID, &p.study_id},
        {DCM_AccessionNumber, &p.accession_number},
        {DCM_ReferringPhysicianName, &p.referring_physician}};
    for (const auto& [tag, value] : values) d.putAndInsertOFStringArray(DcmTag(tag), of(*value));
    d.putAndInsertString(DCM_SpecificCharacterSet, "ISO_IR 192");
    d.putAndInsertString(DCM_PositionReferenceIndicator, "");
  }

  /// Common Instance Reference (PS3.3 C.12.2): the slices that frames were derived from.
  void refer_to_images(DcmDataset& d) const {
    if (sources_.empty()) return;
    DcmItem* parent = &d;
    const PatientStudy& p = extraction_.set.patient_study;
    if (!p.study_instance_uid.empty() && !(p.study_instance_uid == grid_->study)) {
      d.findOrCreateSequenceItem(DCM_StudiesContainingOtherReferencedInstancesSequence, parent, -2);
      parent->putAndInsertOFStringArray(DCM_StudyInstanceUID, of(grid_->study));
    }
    DcmItem* series = nullptr;
    if (parent->findOrCreateSequenceItem(DCM_ReferencedSeriesSequence, series, -2).bad()) return;
    series->putAndInsertOFStringArray(DCM_SeriesInstanceUID, of(grid_->series));
    for (const Uid& uid : sources_) {
      DcmItem* item = nullptr;
      if (series->findOrCreateSequenceItem(DCM_ReferencedInstanceSequence, item, -2).bad()) return;
      item->putAndInsertOFStringArray(DCM_ReferencedSOPClassUID, of(grid_->sop_class));
      item->putAndInsertOFStringArray(DCM_ReferencedSOPInstanceUID, of(uid));
    }
  }

  void name_segments(DcmDataset& d) const {
    for (std::size_t i = 0; i < labels_.size(); ++i) {
      DcmItem* item = nullptr;
      if (d.findAndGetSequenceItem(DCM_SegmentSequence, item, static_cast<long>(i)).good()) {
        item->putAndInsertOFStringArray(DCM_SegmentLabel, of(labels_[i]));
      }
    }
  }

  const Extraction& extraction_;
  const ResultUids& uids_;
  std::vector<std::uint16_t>& segments_;
  const ImageGrid* grid_ = nullptr;
  std::unique_ptr<DcmSegmentation> seg_;
  std::vector<std::string> labels_;  // by segment
  std::set<Uid> sources_;            // slices with a frame
  Steps step_;
};

}  // namespace

Uid new_uid() {
  // DCMTK's own identifiers hold the address of this machine.
  __extension__ using Number = unsigned __int128;
  Number number = 0;
  while (getrandom(&number, sizeof number, 0) != sizeof number) {
  }
  std::string digits;
  for (; number != 0; number /= 10)
    digits += static_cast<char>('0' + static_cast<int>(number % 10));
  return uid_literal("2.25." + std::string(digits.rbegin(), digits.rend()));
}

ResultUids complete(ResultUids uids) {
  for (Uid* uid :
       {&uids.segmentation, &uids.segmentation_series, &uids.report, &uids.report_series}) {
    if (uid->empty()) *uid = new_uid();
  }
  return uids;
}

Result<Bytes> make_segmentation(const Extraction& extraction, const ResultUids& uids,
                                std::vector<std::uint16_t>& segments) {
  return SegmentationWriter(extraction, uids, segments).make();
}

}  // namespace dr::rtstruct
