// `dicom-router extract`, as it is typed.
#include <fstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "test/support/dicom_objects.h"
#include "test/support/paths.h"
#include "test/support/process.h"
#include "test/support/temp_dir.h"

namespace dr::test {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

struct Answer {
  int status;
  std::string out, errors;
};

Answer extract(std::vector<std::string> arguments) {
  const TempDir folder;
  std::vector<std::string> argv{(test::binary_dir() / "dicom-router").string(), "extract"};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  Process process({.argv = argv, .output = folder / "out", .errors = folder / "errors"});
  const auto status = process.wait(std::chrono::minutes(2));
  return {status.value_or(-1), read_text(folder / "out"), read_text(folder / "errors")};
}

TEST(Extract, WritesJsonMasksMeshesAndObjects) {
  const auto shared = shared_data("extraction of the analytic phantom");
  if (!shared) return;
  const TempDir folder;
  const fs::path set = *shared / "rtstruct/analytic-phantom/rtstruct.dcm";
  const auto answer =
      extract({"--reference", set.parent_path().string(), "--output", folder.path().string(),
               "--masks", "--mesh", "--dicom", set.string()});
  ASSERT_EQ(answer.status, 0) << answer.errors;
  const Json json = Json::parse(answer.out);
  EXPECT_EQ(json["reference"]["verdict"], "complete");
  EXPECT_EQ(json["rois"].size(), 16U);
  EXPECT_NEAR(json["rois"][1]["volume_cm3"], 67.2, 1e-6);
  for (const char* name : {"1.nii.gz", "16.nii.gz", "1.stl", "segmentation.dcm", "report.dcm"}) {
    EXPECT_TRUE(fs::exists(folder / name)) << name;
  }
  EXPECT_FALSE(fs::exists(folder / "8.nii.gz")) << "an empty ROI";
}

TEST(Extract, OneDocumentAFileAndFoldersForTheirMasks) {
  const auto shared = shared_data("extraction of several structure sets");
  if (!shared) return;
  const TempDir folder;
  const fs::path phantom = *shared / "rtstruct/rtutils-mim-phantom";
  const auto answer = extract(
      {"--reference", (phantom / "ct").string(), "--output", folder.path().string(), "--masks",
       (phantom / "rtstruct_mim.dcm").string(), (phantom / "rtstruct_rtutils.dcm").string()});
  ASSERT_EQ(answer.status, 0) << answer.errors;
  std::istringstream out(answer.out);
  Json first, second;
  out >> first >> second;
  EXPECT_EQ(first["rois"].size(), 4U);
  EXPECT_EQ(second["rois"].size(), 1U);
  EXPECT_TRUE(fs::exists(folder / "1/4.nii.gz"));
  EXPECT_TRUE(fs::exists(folder / "2/1.nii.gz"));
}

TEST(Extract, NamesEveryFailureAndGoesOn) {
  const auto shared = shared_data("malformed structure sets on the command line");
  if (!shared) return;
  const fs::path bad = *shared / "bad/derived";
  const auto answer = extract({(bad / "rtstruct_truncated_mid_contour.dcm").string(),
                               (bad / "plain_text.dcm").string(), "/no/such/file",
                               (bad / "rtstruct_nan_inf.dcm").string()});
  EXPECT_EQ(answer.status, 1);
  EXPECT_NE(answer.errors.find("mid_contour.dcm: malformed: length="), std::string::npos)
      << answer.errors;
  EXPECT_NE(answer.errors.find("/no/such/file: not found"), std::string::npos) << answer.errors;
  const Json json = Json::parse(answer.out);
  EXPECT_EQ(json["rois"][0]["findings"][0]["code"], "contour_out_of_range");
}

TEST(Extract, HostileRoiNamesBecomeNoFileNames) {
  const auto shared = shared_data("hostile ROI names");
  if (!shared) return;
  const TempDir folder;
  const auto answer = extract({"--reference", (*shared / "rtstruct/analytic-phantom").string(),
                               "--output", (folder / "out").string(), "--masks", "--mesh",
                               (*shared / "bad/derived/rtstruct_roi_name_hostile.dcm").string()});
  EXPECT_EQ(answer.status, 0) << answer.errors;
  for (const auto& entry : fs::recursive_directory_iterator(folder.path())) {
    const std::string name = entry.path().filename().string();
    EXPECT_EQ(name.find_first_not_of("0123456789.niigzstlout"), std::string::npos) << name;
  }
}

TEST(Extract, WrongUseAndMissingFoldersHaveTheirExitCodes) {
  EXPECT_EQ(extract({}).status, 2);
  EXPECT_EQ(extract({"--reference", "/no/such/folder", "/no/such/file"}).status, 3);
  const TempDir folder;
  std::ofstream(folder / "names.toml") << "[names]\nHerz = 3\n";
  const auto answer = extract({"--names", (folder / "names.toml").string(), "/no/such/file"});
  EXPECT_EQ(answer.status, 1);
  EXPECT_NE(answer.errors.find("names.toml:2:"), std::string::npos) << answer.errors;
}

}  // namespace
}  // namespace dr::test
