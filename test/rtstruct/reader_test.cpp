#include "rtstruct/reader.h"

#include <set>

#include "rtstruct/decimal.h"
#include "test/rtstruct/shared_rtstruct.h"

namespace dr::rtstruct {
namespace {

using namespace test;
namespace fs = std::filesystem;

std::string types_of(const Roi& roi) {
  std::map<std::string, int> counts;
  for (const Contour& contour : roi.contours) ++counts[contour.geometric_type];
  std::string text;
  for (const auto& [type, count] : counts) {
    if (!text.empty()) text += ",";
    text += type + ":" + std::to_string(count);
  }
  return text;
}

TEST(StructureSetReader, ReproducesTheFactsOfEverySharedFile) {
  const auto shared = dr::test::shared_data("facts of real structure sets");
  if (!shared) return;
  const auto facts = read_tsv(*shared / "rtstruct-facts.tsv");
  ASSERT_GT(facts.size(), 40U);
  std::map<std::string, StructureSet> sets;
  std::map<std::string, std::size_t> at;
  for (const auto& fact : facts) {
    const std::string& file = fact.at("file");
    SCOPED_TRACE(file + " ROI " + fact.at("roi_number"));
    if (!sets.contains(file)) {
      auto set = read_file(*shared / file);
      ASSERT_TRUE(set) << set.error().to_string();
      sets[file] = std::move(*set);
    }
    const StructureSet& set = sets[file];
    ASSERT_LT(at[file], set.rois.size());
    const Roi& roi = set.rois[at[file]++];
    EXPECT_EQ(std::to_string(roi.number), fact.at("roi_number"));
    EXPECT_EQ(roi.name, fact.at("roi_name"));
    EXPECT_EQ(roi.interpreted_type, fact.at("interpreted_type"));
    EXPECT_EQ(std::to_string(roi.contours.size()), fact.at("contours"));
    EXPECT_EQ(std::to_string(roi.points()), fact.at("points"));
    EXPECT_EQ(types_of(roi), fact.at("geometric_types"));
    EXPECT_EQ(roi.frame_of_reference.str(), fact.at("frame_of_reference"));
  }
  for (const auto& [file, count] : at) EXPECT_EQ(sets[file].rois.size(), count) << file;
}

TEST(StructureSetReader, ReproducesTheTotalsOfEverySharedFile) {
  const auto shared = dr::test::shared_data("totals of real structure sets");
  if (!shared) return;
  for (const auto& fact : read_tsv(*shared / "rtstruct-files.tsv")) {
    SCOPED_TRACE(fact.at("file"));
    const auto set = read_file(*shared / fact.at("file"));
    ASSERT_TRUE(set) << set.error().to_string();
    std::size_t contours = 0, points = 0, series_images = 0;
    for (const Roi& roi : set->rois) {
      contours += roi.contours.size();
      points += roi.points();
    }
    std::set<Uid> images;
    for (const ReferencedSeries& series : set->series) {
      images.insert(series.instances.begin(), series.instances.end());
    }
    series_images = images.size();
    EXPECT_EQ(std::to_string(set->rois.size()), fact.at("rois"));
    EXPECT_EQ(std::to_string(contours), fact.at("contours"));
    EXPECT_EQ(std::to_string(points), fact.at("points"));
    EXPECT_EQ(std::to_string(set->contour_images.size()), fact.at("contour_image_refs"));
    EXPECT_EQ(std::to_string(series_images), fact.at("series_image_refs"));
  }
}

TEST(StructureSetReader, EverythingBadEndsAsANamedFailureOrAFinding) {
  const auto shared = dr::test::shared_data("malformed files");
  if (!shared) return;
  std::size_t failed = 0, found = 0;
  for (const auto& entry : fs::recursive_directory_iterator(*shared / "bad")) {
    if (!entry.is_regular_file()) continue;
    const auto set = read_file(entry.path());
    if (!set) {
      EXPECT_FALSE(set.error().detail.empty()) << entry.path();
      ++failed;
      continue;
    }
    bool any = !set->findings.empty();
    for (const Roi& roi : set->rois) any |= !roi.findings.empty();
    EXPECT_TRUE(any || entry.path().filename() == "rtstruct_roi_name_hostile.dcm" ||
                entry.path().filename() == "rtstruct_one_and_two_point_contours.dcm")
        << entry.path() << " is read as if it were good";
    ++found;
  }
  EXPECT_GT(failed, 40U);
  EXPECT_GE(found, 8U);
}

TEST(StructureSetReader, NamesWhatIsWrongWithAContour) {
  const auto shared = dr::test::shared_data("malformed contours");
  if (!shared) return;
  const std::map<std::string, std::string> expected = {
      {"rtstruct_huge_coordinates.dcm", "contour_out_of_range"},
      {"rtstruct_nan_inf.dcm", "contour_out_of_range"},
      {"rtstruct_nonnumeric_contour.dcm", "contour_not_numeric"},
      {"rtstruct_odd_coordinate_count.dcm", "contour_not_triplets"},
      {"rtstruct_point_count_mismatch.dcm", "point_count_wrong"},
      {"rtstruct_one_and_two_point_contours.dcm", "point_count_wrong"},
  };
  for (const auto& [file, code] : expected) {
    const auto set = read_file(*shared / "bad/derived" / file);
    ASSERT_TRUE(set) << file << set.error().to_string();
    ASSERT_FALSE(set->rois.empty());
    EXPECT_TRUE(has(set->rois[0].findings, code)) << file;
  }
  const auto dangling = read_file(*shared / "bad/derived/rtstruct_dangling_roi_numbers.dcm");
  ASSERT_TRUE(dangling);
  EXPECT_TRUE(has(dangling->findings, "roi_unknown"));
  const auto none = read_file(*shared / "bad/derived/rtstruct_no_sequences.dcm");
  ASSERT_TRUE(none);
  EXPECT_TRUE(has(none->findings, "no_rois"));
  const auto cut = read_file(*shared / "bad/derived/rtstruct_truncated_mid_contour.dcm");
  ASSERT_FALSE(cut);
  EXPECT_EQ(cut.error().code, Errc::kMalformed);
}

TEST(ParsePoints, TakesDecimalStringsAsTheyAreWritten) {
  std::vector<Vec3> points;
  EXPECT_EQ(parse_points("1\\ -2.5 \\+3e1\\.5\\0\\-0 ", points), Defect::kNone);
  ASSERT_EQ(points.size(), 2U);
  EXPECT_EQ(points[0], (Vec3{1, -2.5, 30}));
  EXPECT_EQ(points[1], (Vec3{0.5, 0, 0}));
  EXPECT_EQ(parse_points("", points), Defect::kNone);
  EXPECT_TRUE(points.empty());
}

TEST(ParsePoints, NamesEachDefectAndKeepsNothing) {
  std::vector<Vec3> points;
  EXPECT_EQ(parse_points("1\\2\\x", points), Defect::kNotNumeric);
  EXPECT_EQ(parse_points("1\\\\3", points), Defect::kNotNumeric);
  EXPECT_EQ(parse_points("1\\2\\+-3", points), Defect::kNotNumeric);
  EXPECT_EQ(parse_points("1\\2\\0x10", points), Defect::kNotNumeric);
  EXPECT_EQ(parse_points("1\\2\\nan", points), Defect::kNotFinite);
  EXPECT_EQ(parse_points("1\\2\\-inf", points), Defect::kNotFinite);
  EXPECT_EQ(parse_points("1\\2\\1e999", points), Defect::kNotFinite);
  EXPECT_EQ(parse_points("1\\2\\1000001", points), Defect::kNotFinite);
  EXPECT_EQ(parse_points("1\\2\\3\\4", points), Defect::kNotTriplets);
  EXPECT_TRUE(points.empty());
}

}  // namespace
}  // namespace dr::rtstruct
