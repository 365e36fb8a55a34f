#include "router/extraction/expectations.h"

#include <fstream>

#include <gtest/gtest.h>

#include "test/support/temp_dir.h"

namespace dr::extraction {
namespace {

class ExpectationsFile : public testing::Test {
 protected:
  LoadedExpectations load(const std::string& text) {
    std::ofstream(folder_ / "names.toml") << text;
    return load_expectations(folder_ / "names.toml");
  }
  std::string first(const std::string& text) {
    const auto loaded = load(text);
    EXPECT_FALSE(loaded.good());
    return loaded.diagnostics.empty() ? "" : loaded.diagnostics[0].message;
  }
  dr::test::TempDir folder_;
};

TEST_F(ExpectationsFile, ReadsNamesVolumesAndGroups) {
  const auto loaded = load(R"(
overlap = 0.5
[names]
"Lunge li" = "Lung_L"
Herz = "Heart"
[[volume]]
name = "Heart"
least = 200
most = 1500.5
[[exclusive]]
rois = ["Lung_L", "Heart"]
)");
  ASSERT_TRUE(loaded.good()) << loaded.diagnostics[0].to_string();
  EXPECT_EQ(loaded.expectations.names.at("Lunge li"), "Lung_L");
  EXPECT_EQ(loaded.expectations.volumes.at("Heart").least, 200);
  EXPECT_EQ(loaded.expectations.volumes.at("Heart").most, 1500.5);
  EXPECT_EQ(loaded.expectations.exclusive.at(0).size(), 2U);
  EXPECT_EQ(loaded.expectations.overlap, 0.5);
  EXPECT_EQ(rtstruct::standard_name(loaded.expectations, "LUNGE_LI"), "Lung_L");
  EXPECT_EQ(rtstruct::standard_name(loaded.expectations, "lung_l"), "Lung_L");
  EXPECT_EQ(rtstruct::standard_name(loaded.expectations, "Leber"), "");
}

TEST_F(ExpectationsFile, TellsEveryError) {
  EXPECT_NE(first("[names]\nHerz = \"much too long a name\"").find("no standard name"),
            std::string::npos);
  EXPECT_NE(first("[names]\nHerz = 3").find("text"), std::string::npos);
  EXPECT_NE(first("nmaes = 1").find("nmaes"), std::string::npos);
  EXPECT_NE(first("[[volume]]\nname = \"A\"\nleast = 3\nmost = 2").find("above"),
            std::string::npos);
  EXPECT_NE(first("[[exclusive]]\nrois = [\"A\"]").find("two"), std::string::npos);
  EXPECT_FALSE(load_expectations(folder_ / "absent.toml").good());
}

}  // namespace
}  // namespace dr::extraction
