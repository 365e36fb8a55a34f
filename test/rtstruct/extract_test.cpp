#include "rtstruct/extract.h"

#include <nlohmann/json.hpp>

#include "test/rtstruct/dicom_writer.h"
#include "test/rtstruct/phantoms.h"
#include "test/rtstruct/shared_rtstruct.h"
#include "test/support/temp_dir.h"

namespace dr::rtstruct {
namespace {

using namespace test;
using dr::test::TempDir;
using Json = nlohmann::json;

ImageGrid small_grid() {
  ImageGrid grid;
  grid.columns = grid.rows = 64;
  grid.slices = 21;
  grid.slice_step = 2;
  grid.origin = {-32, -32, -20};
  return grid;
}

Roi disc(int number, std::string name, double r, Vec2 at, double from = -10, double to = 10) {
  Phantom phantom;
  for_layers(from - 1, to + 1, 2, [&](double z) { phantom.add(Phantom::circle(r, at), z); });
  Roi roi = phantom.roi();
  roi.number = number;
  roi.name = std::move(name);
  return roi;
}

class Extracting : public testing::Test {
 protected:
  Extraction run(const std::vector<Roi>& rois, const ExtractOptions& options = {}) {
    writer_.write_structure_set(rois, folder_ / "rs.dcm");
    auto set = read_file(folder_ / "rs.dcm");
    EXPECT_TRUE(set) << set.error().to_string();
    return extract(std::move(*set), references_, {}, options);
  }
  void with_images() {
    writer_.write_ct(folder_ / "ct");
    references_ = *read_references(folder_ / "ct");
  }

  TempDir folder_;
  DicomWriter writer_{small_grid()};
  ReferenceSet references_;
};

TEST_F(Extracting, VerdictFollowsWhatIsThere) {
  const std::vector<Roi> rois{disc(1, "A", 10, {})};
  EXPECT_EQ(run(rois).reference.verdict, Verdict::kMissing);
  with_images();
  const auto complete = run(rois).reference;
  EXPECT_EQ(complete.verdict, Verdict::kComplete);
  EXPECT_EQ(complete.referenced, 21U);
  EXPECT_EQ(complete.present, 21U);
  references_.instances.erase(references_.instances.begin());
  const auto partial = run(rois).reference;
  EXPECT_EQ(partial.verdict, Verdict::kPartial);
  EXPECT_EQ(partial.present, 20U);
  StructureSet none;
  EXPECT_EQ(judge_references(none, references_).verdict, Verdict::kUnresolvable);
}

TEST_F(Extracting, AMissingSliceIsToldAndTheGridKeepsItsStep) {
  with_images();
  std::erase_if(references_.slices, [](const ImageSlice& s) { return s.position.z == 4; });
  ExtractOptions options;
  options.masks = true;
  const Extraction out = run({disc(1, "A", 10, {})}, options);
  EXPECT_TRUE(has(out.set.findings, "images_missing"));
  ASSERT_TRUE(out.rois[0].grid);
  EXPECT_EQ(out.rois[0].grid->slice_step, 2);
  EXPECT_EQ(out.rois[0].grid->slices, 21U);
  EXPECT_TRUE(out.rois[0].mask);
}

TEST_F(Extracting, ChecksNamesVolumesAndOverlap) {
  ExtractOptions options;
  options.expectations.names = {{"Lunge li", "Lung_L"}, {"Lunge re", "Lung_R"}};
  options.expectations.volumes["Lung_L"] = {5000.0, std::nullopt};
  options.expectations.volumes["Herz"] = {std::nullopt, 1.0};
  options.expectations.exclusive = {{"Lung_L", "Lung_R"}};
  const Extraction out = run({disc(1, "lunge_LI", 10, {-5, 0}), disc(2, "Lunge re", 10, {5, 0}),
                              disc(3, "Herz", 10, {}), disc(4, "Herz", 10, {})},
                             options);
  EXPECT_EQ(out.rois[0].standard_name, "Lung_L");
  EXPECT_TRUE(has(out.rois[0].findings, "name_not_standard"));
  EXPECT_TRUE(has(out.rois[0].findings, "volume_below_limit"));
  EXPECT_TRUE(has(out.rois[0].findings, "overlap"));
  EXPECT_TRUE(has(out.rois[1].findings, "overlap"));
  EXPECT_FALSE(has(out.rois[1].findings, "volume_below_limit"));
  EXPECT_TRUE(has(out.rois[2].findings, "name_unknown"));
  EXPECT_TRUE(has(out.rois[2].findings, "volume_above_limit"));
  EXPECT_TRUE(has(out.rois[2].findings, "name_twice"));
  EXPECT_FALSE(has(out.rois[2].findings, "overlap"));
}

TEST_F(Extracting, SharedVolumeIsThatOfTheLens) {
  const Roi a = disc(1, "A", 10, {-5, 0}), b = disc(2, "B", 10, {5, 0});
  const Stack of_a = stack_contours(a, nullptr), of_b = stack_contours(b, nullptr);
  const auto shared = shared_volume(of_a, measure(a, of_a, {}), of_b);
  ASSERT_TRUE(shared);
  // Two circles of radius 10 at distance 10, 11 slabs of 2 mm.
  const double lens = 2 * 100 * std::acos(0.5) - 5 * std::sqrt(400 - 100);
  EXPECT_NEAR(*shared, 22 * lens, 0.001 * 22 * lens);
}

TEST_F(Extracting, ContoursOffAndOutsideTheSlicesAreTold) {
  with_images();
  Phantom phantom;
  for (int i = 0; i < 5; ++i) phantom.add(Phantom::circle(10), -4.6 + 2 * i);
  phantom.add(Phantom::circle(10), 60);
  const Extraction out = run({phantom.roi()});
  EXPECT_TRUE(has(out.rois[0].findings, "contours_off_slices"));
  EXPECT_TRUE(has(out.rois[0].findings, "contours_outside_images"));
  Phantom oblique(tilted());
  for (int i = 0; i < 5; ++i) oblique.add(Phantom::circle(10), 2 * i);
  EXPECT_TRUE(has(run({oblique.roi()}).rois[0].findings, "contours_not_on_slices"));
}

TEST_F(Extracting, JsonHasTheKeysThatScriptsRelyOn) {
  with_images();
  ExtractOptions options;
  options.masks = true;
  Roi point;
  point.number = 2;
  point.name = "ISO";
  point.contours.push_back({GeometricType::kPoint, "POINT", {{1, 2, 3}}, 1, {}, {}, Defect::kNone});
  const Json json = Json::parse(to_json(run({disc(1, "A \"ä\"", 10, {}), point}, options)));
  for (const char* key : {"sop_instance_uid", "label", "reference", "rois", "findings"}) {
    EXPECT_TRUE(json.contains(key)) << key;
  }
  EXPECT_EQ(json["reference"]["verdict"], "complete");
  EXPECT_EQ(json["reference"]["instances_referenced"], 21);
  EXPECT_EQ(json["reference"]["instances_present"], 21);
  const Json& roi = json["rois"][0];
  EXPECT_EQ(roi["number"], 1);
  EXPECT_EQ(roi["interpreted_type"], "ORGAN");
  EXPECT_EQ(roi["color"], Json({255, 128, 0}));
  EXPECT_EQ(roi["contours"], 11);
  EXPECT_EQ(roi["points"], 11 * 720);
  EXPECT_EQ(roi["geometric_types"]["CLOSED_PLANAR"], 11);
  EXPECT_NEAR(roi["volume_cm3"], std::numbers::pi * 100 * 22 / 1000, 0.01);
  EXPECT_NEAR(roi["surface_cm2"],
              (2 * std::numbers::pi * 10 * 22 + 2 * std::numbers::pi * 100) / 100, 0.05);
  EXPECT_EQ(roi["plane_spacing_mm"], 2);
  EXPECT_EQ(roi["bounding_box_mm"], Json({{-10, -10, -10}, {10, 10, 10}}));
  EXPECT_NEAR(roi["centroid_mm"][0], 0, 1e-6);
  EXPECT_TRUE(roi["findings"].is_array());
  for (const char* key :
       {"volume_cm3", "surface_cm2", "centroid_mm", "bounding_box_mm", "plane_spacing_mm"}) {
    EXPECT_TRUE(json["rois"][1].at(key).is_null()) << key;
  }
}

TEST_F(Extracting, ThreadsChangeNothing) {
  with_images();
  std::vector<Roi> rois;
  for (int i = 1; i < 9; ++i) rois.push_back(disc(i, "R" + std::to_string(i), 3 + i, {i * 1.0, 0}));
  ExtractOptions options;
  options.masks = true;
  const std::string one = to_json(run(rois, options));
  options.threads = 4;
  // Another file has another UID.
  EXPECT_EQ(Json::parse(one)["rois"], Json::parse(to_json(run(rois, options)))["rois"]);
}

TEST(ExtractShared, GridsOfEverySetWithImages) {
  const auto shared = dr::test::shared_data("structure sets with their images");
  if (!shared) return;
  const auto extracted = [&](const char* file, const char* folder) {
    return extract(*read_file(*shared / "rtstruct" / file),
                   *read_references(*shared / "rtstruct" / folder), {}, {});
  };
  const auto rtutils =
      extracted("rtutils-mim-phantom/rtstruct_rtutils.dcm", "rtutils-mim-phantom/ct");
  EXPECT_TRUE(has(rtutils.set.findings, "frame_of_reference_mismatch"));
  EXPECT_TRUE(rtutils.rois[0].grid);
  const auto bare =
      extracted("rtutils-mim-phantom/rtstruct_no_series_references.dcm", "rtutils-mim-phantom/ct");
  EXPECT_EQ(bare.reference.verdict, Verdict::kComplete);
  EXPECT_EQ(bare.reference.referenced, 3U);
  const auto ibsi = extracted("ibsi-sts002/ct/rtstruct.dcm", "ibsi-sts002/ct");
  EXPECT_EQ(ibsi.reference.verdict, Verdict::kMissing);
  EXPECT_TRUE(has(ibsi.set.findings, "images_by_frame_of_reference"));
  const auto opentps = extracted("opentps-phantom/rtstruct.dcm", "opentps-phantom");
  EXPECT_EQ(opentps.reference.verdict, Verdict::kUnresolvable);
  EXPECT_TRUE(has(opentps.set.findings, "frame_of_reference_assumed"));
  const auto mr = extracted("tcia-sts001-mr-t2/rtstruct.dcm", "tcia-sts001-mr-t2");
  EXPECT_EQ(mr.reference.verdict, Verdict::kComplete);
  EXPECT_EQ(mr.reference.present, 40U);
  const auto breast = extracted("dicompyler-breast/rtss.dcm", "dicompyler-breast");
  EXPECT_EQ(breast.reference.verdict, Verdict::kPartial);
  EXPECT_EQ(breast.reference.present, 1U);
}

TEST(ExtractShared, StackVolumesOfTheAnalyticPhantomOnItsImages) {
  const auto shared = dr::test::shared_data("the analytic phantom");
  if (!shared) return;
  const auto folder = *shared / "rtstruct/analytic-phantom";
  const Extraction out =
      extract(*read_file(folder / "rtstruct.dcm"), *read_references(folder), {}, {});
  for (const auto& row : read_tsv(folder / "truth.tsv")) {
    const auto i = static_cast<std::size_t>(std::stoi(row.at("roi_number"))) - 1;
    SCOPED_TRACE(row.at("roi_name"));
    const Measures& m = out.rois[i].measures;
    if (row.at("stack_volume_mm3").empty()) {
      EXPECT_FALSE(m.volume);
      continue;
    }
    const double volume = std::stod(row.at("stack_volume_mm3"));
    EXPECT_NEAR(*m.volume, volume, 1e-4 * volume);
    if (row.at("stack_centroid_x").empty()) continue;
    EXPECT_NEAR(m.centroid->x, std::stod(row.at("stack_centroid_x")), 0.01);
    EXPECT_NEAR(m.centroid->y, std::stod(row.at("stack_centroid_y")), 0.01);
    EXPECT_NEAR(m.centroid->z, std::stod(row.at("stack_centroid_z")), 0.01);
  }
}

TEST(ExtractShared, EverythingBadEndsWithFindingsAndValidJson) {
  const auto shared = dr::test::shared_data("malformed structure sets");
  if (!shared) return;
  std::size_t seen = 0;
  for (const auto& entry : std::filesystem::directory_iterator(*shared / "bad/derived")) {
    auto set = read_file(entry.path());
    if (!set) continue;
    ++seen;
    const Json json = Json::parse(to_json(extract(std::move(*set), {}, {}, {})));
    std::size_t findings = json["findings"].size();
    for (const Json& roi : json["rois"]) findings += roi["findings"].size();
    EXPECT_GT(findings, 0U) << entry.path();
  }
  EXPECT_GE(seen, 9U);
}

}  // namespace
}  // namespace dr::rtstruct
