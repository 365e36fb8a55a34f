#include "router/extraction/job.h"

#include <dcmtk/dcmdata/dcistrmb.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sys/mman.h>

#include "router/extraction/octets.h"
#include "router/journal/records.h"
#include "rtstruct/extract.h"
#include "test/rtstruct/dicom_writer.h"
#include "test/rtstruct/phantoms.h"
#include "test/support/temp_dir.h"

namespace dr::extraction {
namespace {

using rtstruct::test::DicomWriter;
using test::TempDir;

rtstruct::ImageGrid small_grid() {
  rtstruct::ImageGrid grid;
  grid.columns = grid.rows = 48;
  grid.slices = 30;
  grid.origin = {-24, -24, -15};
  return grid;
}

class Job : public testing::Test {
 protected:
  void SetUp() override {
    writer_.write_ct(folder_ / "ct");
    rtstruct::Roi sphere = rtstruct::test::sphere(10), cube = rtstruct::test::cube(12);
    sphere.number = 7;
    cube.number = 8;
    cube.name = "CUBE";
    writer_.write_structure_set({sphere, cube}, folder_ / "rs.dcm");
    loaded_ = *rtstruct::load_file((folder_ / "rs.dcm").string());
    request_.transfer_syntax_uid = loaded_.transfer_syntax;
    site_.references = *rtstruct::read_references(folder_ / "ct");
  }

  static worker::Descriptor file(ByteSpan octets) {
    worker::Descriptor made(memfd_create("test", MFD_CLOEXEC));
    EXPECT_TRUE(write_all(made.get(), octets));
    return made;
  }
  Result<Bytes> run(ByteSpan structure_set, std::size_t outputs = 0) {
    inputs_.clear();
    outputs_.clear();
    inputs_.push_back(file(structure_set));
    if (request_.task != Task::kReferences) inputs_.push_back(file(encode(site_)));
    for (const Bytes& dose : doses_) inputs_.push_back(file(dose));
    for (std::size_t i = 0; i < outputs; ++i) outputs_.push_back(file({}));
    std::vector<int> in, out;
    for (const auto& each : inputs_) in.push_back(each.get());
    for (const auto& each : outputs_) out.push_back(each.get());
    return run_job(encode(request_), in, out);
  }
  Bytes output(Output which) { return *read_all(outputs_.at(std::size_t(which)).get(), 1U << 30); }

  TempDir folder_;
  DicomWriter writer_{small_grid()};
  rtstruct::LoadedFile loaded_;
  Request request_;
  Site site_;
  std::vector<Bytes> doses_;
  std::vector<worker::Descriptor> inputs_, outputs_;
};

TEST_F(Job, TellsWhatAStructureSetRefersTo) {
  const auto answer = run(loaded_.data_set);
  ASSERT_TRUE(answer) << answer.error().to_string();
  const auto references = decode_references(*answer);
  ASSERT_TRUE(references);
  EXPECT_EQ(references->instances.size(), 30U);
  EXPECT_EQ(references->series, std::vector{writer_.grid().series});
  EXPECT_EQ(references->frames, std::vector{writer_.grid().frame_of_reference});
}

TEST_F(Job, ExtractsAsTheCommandDoes) {
  request_.task = Task::kExtract;
  const auto done = run(loaded_.data_set, 4);
  ASSERT_TRUE(done) << done.error().to_string();
  const auto same =
      rtstruct::extract(*rtstruct::read_structure_set(loaded_.data_set, loaded_.transfer_syntax),
                        site_.references, {}, {});
  EXPECT_EQ(as_text(output(Output::kJson)), rtstruct::to_json(same));
  EXPECT_TRUE(output(Output::kSegmentation).empty());
  EXPECT_TRUE(output(Output::kReport).empty());
}

TEST_F(Job, RecordsHoldEveryRoiContourFindingAndDvh) {
  request_.task = Task::kExtract;
  writer_.write_dose([](rtstruct::Vec3 p) { return 20 + p.x; }, folder_ / "dose.dcm");
  const auto dose = *rtstruct::load_file((folder_ / "dose.dcm").string());
  doses_ = {dose.data_set};
  request_.doses = {{dose.transfer_syntax, "plan"}};
  const auto done = run(loaded_.data_set, 4);
  ASSERT_TRUE(done) << done.error().to_string();
  const auto heads = split_records(output(Output::kRecords));
  ASSERT_TRUE(heads);
  ASSERT_EQ(heads->size(), 1U);
  const auto record = journal::decode_extraction(heads->front());
  ASSERT_TRUE(record);
  EXPECT_TRUE(record->last);
  EXPECT_EQ(record->outcome, "done");
  EXPECT_EQ(record->reference_verdict, "complete");
  EXPECT_EQ(record->instances_present, 30U);
  ASSERT_EQ(record->rois.size(), 2U);
  EXPECT_EQ(record->rois[0].number, 7);
  EXPECT_NEAR(*record->rois[1].volume_cm3, 1.728, 1e-6);
  EXPECT_EQ(record->contours.size(), record->contour_count);
  EXPECT_EQ(record->contours.size(), 32U);
  EXPECT_NEAR(*record->contours.back().area, 144, 1e-9);
  ASSERT_EQ(record->dvhs.size(), 2U);
  EXPECT_EQ(record->dvhs[0].dose_link, "plan");
  EXPECT_NEAR(record->dvhs[0].mean, 20, 0.2);
  EXPECT_TRUE(nlohmann::json::parse(record->dvhs[0].curve).is_array());
}

TEST_F(Job, ALongResultComesInParts) {
  std::vector<rtstruct::Roi> rois;
  for (int i = 0; i < 500; ++i) {
    rois.push_back(rtstruct::test::cube(12));
    rois.back().number = i;
  }
  writer_.write_structure_set(rois, folder_ / "many.dcm");
  const auto many = *rtstruct::load_file((folder_ / "many.dcm").string());
  request_.task = Task::kExtract;
  ASSERT_TRUE(run(many.data_set, 4));
  const auto heads = split_records(output(Output::kRecords));
  ASSERT_TRUE(heads);
  ASSERT_GT(heads->size(), 1U);
  std::size_t contours = 0;
  for (std::size_t i = 0; i < heads->size(); ++i) {
    const auto part = journal::decode_extraction((*heads)[i]);
    ASSERT_TRUE(part);
    EXPECT_EQ(part->part, i);
    EXPECT_EQ(part->last, i + 1 == heads->size());
    contours += part->contours.size();
    EXPECT_EQ(part->contour_count, 6000U);
  }
  EXPECT_EQ(contours, 6000U);
}

TEST_F(Job, MakesObjectsWithTheIdentifiersThatWereAskedFor) {
  request_.task = Task::kExtract;
  request_.segmentation = request_.report = true;
  request_.uids = rtstruct::complete({});
  ASSERT_TRUE(run(loaded_.data_set, 4));
  for (const auto& [which, uid] : {std::pair(Output::kSegmentation, request_.uids.segmentation),
                                   {Output::kReport, request_.uids.report}}) {
    const Bytes octets = output(which);
    DcmDataset data;
    DcmInputBufferStream stream;
    stream.setBuffer(octets.data(), static_cast<offile_off_t>(octets.size()));
    stream.setEos();
    ASSERT_TRUE(data.read(stream, EXS_LittleEndianExplicit).good());
    OFString text;
    ASSERT_TRUE(data.findAndGetOFString(DCM_SOPInstanceUID, text).good());
    EXPECT_EQ(text.c_str(), uid.str());
  }
}

TEST_F(Job, MakesOneMask) {
  request_.task = Task::kMask;
  request_.roi_number = 8;
  const auto done = run(loaded_.data_set, 1);
  ASSERT_TRUE(done) << done.error().to_string();
  const auto octets = read_all(outputs_.front().get(), 1U << 20);
  ASSERT_TRUE(octets);
  ASSERT_GT(octets->size(), 2U);
  EXPECT_EQ((*octets)[0], std::byte{0x1f});
  request_.roi_number = 9;
  const auto none = run(loaded_.data_set, 1);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, Errc::kNotFound);
}

TEST_F(Job, EveryPrefixOfAStructureSetIsANamedFailureOrAResult) {
  for (std::size_t n = 0; n < loaded_.data_set.size(); n += loaded_.data_set.size() / 60) {
    const auto answer = run(ByteSpan(loaded_.data_set).first(n));
    if (answer) continue;
    EXPECT_FALSE(answer.error().detail.empty()) << n;
  }
}

TEST_F(Job, WhatIsNoRequestIsRefused) {
  const std::vector<int> none;
  EXPECT_EQ(run_job(as_bytes("{"), none, none).error().code, Errc::kMalformed);
  EXPECT_EQ(run_job(encode(request_), none, none).error().code, Errc::kMalformed);
}

TEST(SplitRecords, RefusesWhatIsCutOff) {
  Bytes octets;
  append_record(octets, as_bytes("head"));
  EXPECT_EQ(split_records(octets)->size(), 1U);
  octets.pop_back();
  EXPECT_FALSE(split_records(octets));
}

}  // namespace
}  // namespace dr::extraction
