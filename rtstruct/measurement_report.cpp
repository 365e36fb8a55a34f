#include <dcmtk/dcmdata/dctk.h>
#include <dcmtk/dcmsr/cmr/init.h>
#include <dcmtk/dcmsr/cmr/tid1500.h>
#include <dcmtk/dcmsr/codes/dcm.h>
#include <dcmtk/dcmsr/codes/sct.h>
#include <dcmtk/dcmsr/codes/ucum.h>
#include <dcmtk/dcmsr/dsrdoc.h>

#include "rtstruct/data_set.h"
#include "rtstruct/results.h"

namespace dr::rtstruct {
namespace {

OFString of(const std::string& text) { return {text.c_str(), text.size()}; }
OFString of(const Uid& uid) { return of(uid.str()); }

/// DS has 16 characters.
OFString decimal(double value) {
  char text[32];
  OFStandard::ftoa(text, sizeof text, value, 0, 0, 9);
  return text;
}

class ReportWriter {
 public:
  ReportWriter(const Extraction& extraction, const ResultUids& uids,
               const std::vector<std::uint16_t>& segments)
      : extraction_(extraction),
        uids_(uids),
        segments_(segments),
        report_(CMR_CID7021::ImagingMeasurementReport) {}

  Result<Bytes> make() {
    context();
    std::size_t groups = 0;
    for (std::size_t i = 0; i < extraction_.rois.size(); ++i) {
      if (i < segments_.size() && segments_[i] != 0 && extraction_.rois[i].measures.volume) {
        add_group(i, groups++ > 0);
      }
    }
    if (groups == 0) return Error{Errc::kNotFound, "nothing measured"};
    DSRDocument document;
    // The template makes it an Enhanced SR, which fewer archives and viewers take.
    step(document.setTreeFromRootTemplate(report_, OFTrue), "tree");
    step(document.changeDocumentType(DSRTypes::DT_ComprehensiveSR), "type");
    describe(document);
    if (!failed_.empty()) return Error{Errc::kInvalid, "report: " + failed_};
    DcmDataset d;
    const OFCondition done = document.write(d);
    if (done.bad()) return Error{Errc::kInvalid, std::string("report: ") + done.text()};
    // DSRDocument makes identifiers of its own.
    d.putAndInsertOFStringArray(DCM_SOPInstanceUID, of(uids_.report));
    d.putAndInsertOFStringArray(DCM_SeriesInstanceUID, of(uids_.report_series));
    return encode(d);
  }

 private:
  void step(const OFCondition& condition, const char* what) {
    if (condition.bad() && failed_.empty()) failed_ = std::string(what) + ": " + condition.text();
  }

  void context() {
    step(report_.setLanguage(CID5000_Languages::English), "language");
    step(report_.getObservationContext().addDeviceObserver(of(uids_.report_series), "dicom-router",
                                                           "dicom-router", "RTSTRUCT"),
         "observer");
    step(report_.addProcedureReported(DSRCodedEntryValue("363679005", "SCT", "Imaging procedure")),
         "procedure");
  }

  void add_group(std::size_t i, bool further) {
    const Roi& roi = extraction_.set.rois[i];
    const RoiResult& result = extraction_.rois[i];
    if (further) step(report_.addVolumetricROIMeasurements(), "group");
    auto& group = report_.getVolumetricROIMeasurements();
    step(group.setTrackingIdentifier(
             of(roi.name.empty() ? "ROI " + std::to_string(roi.number) : roi.name)),
         "tracking");
    step(group.setTrackingUniqueIdentifier(of(new_uid())), "tracking");
    DSRImageReferenceValue segment(UID_SegmentationStorage, of(uids_.segmentation), OFFalse);
    segment.getSegmentList().addItem(segments_[i]);
    step(group.setReferencedSegment(segment), "segment");
    step(group.setSourceSeriesForSegmentation(of(result.grid->series)), "source series");
    const Measures& m = result.measures;
    using Size = CID7469_GenericIntensityAndSizeMeasurements;
    measure(group, Size::Volume, *m.volume / 1000, {"cm3", "UCUM", "Cubic centimeter"});
    if (m.surface) {
      measure(group, Size::SurfaceAreaOfMesh, *m.surface / 100,
              {"cm2", "UCUM", "Square centimeter"});
    }
    if (m.equivalent_diameter) {
      measure(group, Size::Diameter, *m.equivalent_diameter, {"mm", "UCUM", "Millimeter"});
    }
  }

  template <class Group, class What>
  void measure(Group& group, What what, double value, const DSRCodedEntryValue& unit) {
    step(group.addMeasurement(CID7469_GenericIntensityAndSizeMeasurements(what),
                              CMR_SRNumericMeasurementValue(decimal(value), unit)),
         "measurement");
  }

  void describe(DSRDocument& document) {
    const PatientStudy& p = extraction_.set.patient_study;
    step(document.setSpecificCharacterSetType(DSRTypes::CS_UTF8), "character set");
    const Uid* study = &p.study_instance_uid;
    for (const RoiResult& roi : extraction_.rois) {
      if (study->empty() && roi.grid) study = &roi.grid->study;
    }
    step(document.createNewSeriesInStudy(of(*study)), "study");
    step(document.setPatientName(of(p.patient_name), OFFalse), "patient");
    step(document.setPatientID(of(p.patient_id), OFFalse), "patient");
    step(document.setPatientBirthDate(of(p.patient_birth_date), OFFalse), "patient");
    step(document.setPatientSex(of(p.patient_sex), OFFalse), "patient");
    step(document.setStudyDate(of(p.study_date), OFFalse), "study");
    step(document.setStudyTime(of(p.study_time), OFFalse), "study");
    step(document.setStudyID(of(p.study_id), OFFalse), "study");
    step(document.setAccessionNumber(of(p.accession_number), OFFalse), "study");
    step(document.setReferringPhysicianName(of(p.referring_physician), OFFalse), "study");
    step(document.setSeriesNumber("2"), "series");
    step(document.setInstanceNumber("1"), "instance");
    step(document.setManufacturer("dicom-router"), "equipment");
    step(document.setManufacturerModelName("dicom-router"), "equipment");
    step(document.setDeviceSerialNumber("1"), "equipment");
    step(document.setSoftwareVersions("1"), "equipment");
    step(document.getCurrentRequestedProcedureEvidence().addItem(
             of(*study), of(uids_.segmentation_series), UID_SegmentationStorage,
             of(uids_.segmentation)),
         "evidence");
  }

  const Extraction& extraction_;
  const ResultUids& uids_;
  const std::vector<std::uint16_t>& segments_;
  TID1500_MeasurementReport report_;
  std::string failed_;
};

}  // namespace

Result<Bytes> make_report(const Extraction& extraction, const ResultUids& uids,
                          const std::vector<std::uint16_t>& segments) {
  return ReportWriter(extraction, uids, segments).make();
}

}  // namespace dr::rtstruct
