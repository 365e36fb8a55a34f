#include "test/support/dicom_objects.h"

#include <fstream>
#include <set>
#include <stdexcept>

#include <gtest/gtest.h>

#include "test/support/process.h"
#include "test/support/temp_dir.h"

namespace dr::test {
namespace {

// DCMTK's dcmdump is the judge of what is a valid file: it says so on a line that starts with E or
// W.
void expect_readable(const ObjectSpec& spec) {
  const TempDir folder;
  const auto file = write_part10(spec, folder / "a/b.dcm");
  const auto dump = run({"dcmdump", "-q", "+L", "+P", "0008,0018", "+P", "0002,0010", file});
  EXPECT_EQ(dump.status, 0) << dump.output;
  EXPECT_NE(dump.output.find("[" + spec.sop_instance_uid + "]"), std::string::npos) << dump.output;
  const auto warnings = run({"dcmdump", file});
  EXPECT_EQ(warnings.output.find("\nW: "), std::string::npos) << warnings.output;
  EXPECT_EQ(warnings.output.find("\nE: "), std::string::npos) << warnings.output;
}

TEST(DicomObjects, AreReadByDcmtkInBothUncompressedSyntaxes) {
  expect_readable({});
  expect_readable({.transfer_syntax = std::string(kImplicitLe)});
  expect_readable({.sop_class_uid = std::string(kRtStructureSetStorage),
                   .modality = "RTSTRUCT",
                   .pixel_octets = 0,
                   .extra = {{0x3006, 0x0002, "SH", "odd"}}});
}

TEST(DicomObjects, HaveTheirDataSetAfterTheMetaInformation) {
  const TempDir folder;
  const ObjectSpec spec;
  EXPECT_EQ(data_set_of(write_part10(spec, folder / "x.dcm")), make_data_set(spec));
}

TEST(DicomObjects, HaveTheSizeOfTheirPixelsAndAHeader) {
  EXPECT_NEAR(static_cast<double>(make_data_set({.pixel_octets = 524288}).size()), 524288.0 + 600.0,
              300.0);
}

TEST(DicomObjects, DifferInPixelsWhenTheirUidsDiffer) {
  ObjectSpec one;
  ObjectSpec other = one;
  other.sop_instance_uid.back() = one.sop_instance_uid.back() == '1' ? '2' : '1';
  const Bytes a = make_data_set(one);
  const Bytes b = make_data_set(other);
  ASSERT_EQ(a.size(), b.size());
  EXPECT_NE(Bytes(a.end() - 64, a.end()), Bytes(b.end() - 64, b.end()));
}

TEST(DicomObjects, UidsAreDifferentAndShortEnough) {
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    const auto uid = new_uid();
    EXPECT_LE(uid.size(), 64U);
    EXPECT_TRUE(seen.insert(uid).second);
  }
}

TEST(DicomObjects, RefuseAFileWithoutMetaInformation) {
  const TempDir folder;
  std::ofstream(folder / "short") << "DICM";
  EXPECT_THROW(data_set_of(folder / "short"), std::runtime_error);
  std::ofstream(folder / "text") << std::string(400, 'a');
  EXPECT_THROW(data_set_of(folder / "text"), std::runtime_error);
}

TEST(SharedData, IsAFolderOrOneLineThatSaysWhatIsLeftOut) {
  testing::internal::CaptureStdout();
  const auto folder = shared_data("the objects of real modalities");
  const auto printed = testing::internal::GetCapturedStdout();
  if (folder) {
    EXPECT_TRUE(std::filesystem::exists(*folder / "objects"));
    EXPECT_EQ(printed, "");
  } else {
    EXPECT_EQ(printed,
              "left out, since ../shared/data is not there: the objects of real modalities\n");
  }
}

}  // namespace
}  // namespace dr::test
