#include "rtstruct/results.h"

#include <dcmtk/dcmseg/segdoc.h>
#include <dcmtk/dcmseg/segment.h>
#include <dcmtk/dcmsr/dsrdoc.h>
#include <nlohmann/json.hpp>

#include "rtstruct/output.h"
#include "test/rtstruct/dicom_writer.h"
#include "test/rtstruct/phantoms.h"
#include "test/rtstruct/shared_rtstruct.h"
#include "test/support/orthanc.h"
#include "test/support/process.h"
#include "test/support/temp_dir.h"

namespace dr::rtstruct {
namespace {

using namespace test;
using dr::test::TempDir;

/// dciodvfy (dicom3tools) prints "Error - ..." lines; warnings are no errors.
std::string errors_of(const std::filesystem::path& file) {
  const auto run = dr::test::run({"dciodvfy", file.string()});
  std::istringstream lines(run.output);
  std::string line, errors;
  while (std::getline(lines, line)) {
    if (line.starts_with("Error")) errors += line + "\n";
  }
  EXPECT_FALSE(run.output.empty());
  return errors;
}

class Results : public testing::Test {
 protected:
  void SetUp() override {
    ImageGrid grid;
    grid.columns = 70;  // rows of bits that end inside an octet
    grid.rows = 64;
    grid.slices = 21;
    grid.slice_step = 2;
    grid.origin = {-35, -32, -20};
    writer_ = std::make_unique<DicomWriter>(grid);
    writer_->write_ct(folder_ / "ct");
    Roi a = oblique_cylinder(10, 22, 0.2, 2), b = torus(12, 5, true, 2);
    a.name = "Blase \"ä/b\" 肺";
    b.number = 2;
    b.name = "RING";
    Roi point;
    point.number = 3;
    point.contours.push_back(
        {GeometricType::kPoint, "POINT", {{1, 2, 3}}, 1, {}, {}, Defect::kNone});
    writer_->write_structure_set({a, point, b}, folder_ / "rs.dcm");
    ExtractOptions options;
    options.masks = true;
    extraction_ =
        extract(*read_file(folder_ / "rs.dcm"), *read_references(folder_ / "ct"), {}, options);
    uids_ = complete({});
    const auto seg = make_segmentation(extraction_, uids_, segments_);
    ASSERT_TRUE(seg) << seg.error().to_string();
    const auto report = make_report(extraction_, uids_, segments_);
    ASSERT_TRUE(report) << report.error().to_string();
    ASSERT_TRUE(
        write_object(folder_ / "seg.dcm", UID_SegmentationStorage, uids_.segmentation, *seg));
    ASSERT_TRUE(
        write_object(folder_ / "sr.dcm", UID_ComprehensiveSRStorage, uids_.report, *report));
  }

  TempDir folder_;
  std::unique_ptr<DicomWriter> writer_;
  Extraction extraction_;
  ResultUids uids_;
  std::vector<std::uint16_t> segments_;
};

TEST_F(Results, PassDciodvfyWithoutErrors) {
  EXPECT_EQ(errors_of(folder_ / "seg.dcm"), "");
  EXPECT_EQ(errors_of(folder_ / "sr.dcm"), "");
}

TEST_F(Results, DcmtkReadsTheSegmentsBackVoxelForVoxel) {
  EXPECT_EQ(segments_, (std::vector<std::uint16_t>{1, 0, 2}));
  DcmSegmentation* read = nullptr;
  ASSERT_TRUE(DcmSegmentation::loadFile((folder_ / "seg.dcm").c_str(), read).good());
  const std::unique_ptr<DcmSegmentation> seg(read);
  ASSERT_EQ(seg->getNumberOfSegments(), 2U);
  OFString label;
  ASSERT_TRUE(seg->getSegment(1)->getSegmentLabel(label).good());
  EXPECT_EQ(label, "Blase \"ä/b\" 肺");
  for (const std::size_t i : {0U, 2U}) {
    OFVector<size_t> frames;
    seg->getFramesForSegment(segments_[i], frames);
    std::uint64_t voxels = 0;
    for (const size_t f : frames) {
      const DcmIODTypes::Frame* frame = seg->getFrame(f);
      for (std::size_t bit = 0; bit < 70U * 64U; ++bit) {
        voxels += frame->pixData[bit / 8] >> bit % 8 & 1U;
      }
    }
    EXPECT_EQ(voxels, extraction_.rois[i].mask->voxels());
  }
}

TEST_F(Results, DcmtkReadsTheReportBack) {
  DcmFileFormat file;
  ASSERT_TRUE(file.loadFile((folder_ / "sr.dcm").c_str()).good());
  DSRDocument document;
  ASSERT_TRUE(document.read(*file.getDataset()).good());
  EXPECT_TRUE(document.isValid());
  std::ostringstream text;
  document.renderHTML(text, 0);
  EXPECT_NE(text.str().find("RING"), std::string::npos);
  std::ostringstream xml;
  document.writeXML(xml, 0);
  char volume[32];
  std::snprintf(volume, sizeof volume, "%.5g", *extraction_.rois[2].measures.volume / 1000);
  EXPECT_NE(xml.str().find(std::string(volume).substr(0, 5)), std::string::npos) << volume;
  EXPECT_NE(xml.str().find(uids_.segmentation.str()), std::string::npos);
}

TEST_F(Results, OrthancTakesThemAndGivesThemBack) {
  dr::test::Orthanc orthanc;
  const auto stored = dr::test::run(
      {"storescu", "-R", "-aec", "ORTHANC", "127.0.0.1", std::to_string(orthanc.dicom_port()),
       (folder_ / "seg.dcm").string(), (folder_ / "sr.dcm").string()});
  ASSERT_EQ(stored.status, 0) << stored.output;
  for (const Uid& uid : {uids_.segmentation, uids_.report}) {
    const auto id = orthanc.find(uid.view());
    ASSERT_TRUE(id) << uid.view();
    const auto tags = orthanc.get("/instances/" + *id + "/simplified-tags");
    ASSERT_TRUE(tags);
    const auto json = nlohmann::json::parse(*tags);
    EXPECT_EQ(json["PatientID"], "PHANTOM");
    EXPECT_EQ(json["PatientName"], "Phäntom^Analytic");
    EXPECT_EQ(json["StudyInstanceUID"], extraction_.set.patient_study.study_instance_uid.str());
  }
}

TEST_F(Results, SaysThatThereIsNoMask) {
  for (RoiResult& roi : extraction_.rois) roi.mask.reset();
  const auto none = make_segmentation(extraction_, uids_, segments_);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, Errc::kNotFound);
}

}  // namespace
}  // namespace dr::rtstruct
