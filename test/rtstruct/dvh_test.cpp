#include "rtstruct/dvh.h"

#include "rtstruct/extract.h"
#include "test/rtstruct/dicom_writer.h"
#include "test/rtstruct/phantoms.h"
#include "test/rtstruct/shared_rtstruct.h"
#include "test/support/process.h"
#include "test/support/temp_dir.h"

namespace dr::rtstruct {
namespace {

using namespace test;
using dr::test::TempDir;
using std::numbers::pi;

ImageGrid dose_grid(const Frame& frame = {}) {
  ImageGrid grid;
  grid.row = frame.u;
  grid.column = frame.v;
  grid.normal = frame.n;
  grid.row_step = grid.column_step = 2.5;
  grid.slice_step = 3;
  grid.columns = 40;
  grid.rows = 41;
  grid.slices = 33;
  grid.origin = frame.point({-48.75, -50}, -48);
  return grid;
}

template <class Gray>
Dose dose_of(Gray gray, const ImageGrid& grid) {
  const TempDir folder;
  const DicomWriter writer(grid);
  writer.write_dose(gray, folder / "dose.dcm");
  const auto file = load_file((folder / "dose.dcm").string());
  auto dose = read_dose(file->data_set, file->transfer_syntax);
  EXPECT_TRUE(dose) << dose.error().to_string();
  return *dose;
}

Dvh dvh_of(const Roi& roi, const Dose& dose) {
  const Stack stack = stack_contours(roi, nullptr);
  const auto dvh = dose_volume(stack, measure(roi, stack, {}), dose);
  EXPECT_TRUE(dvh);
  return *dvh;
}

/// Part of a ball of radius 1 that lies above the height h.
double cap(double h) { return (2 - 3 * h + h * h * h) / 4; }

/// The height above which this part of the ball lies.
double height(double part) {
  double low = -1, high = 1;
  for (int i = 0; i < 100; ++i) {
    const double middle = (low + high) / 2;
    (cap(middle) > part ? low : high) = middle;
  }
  return low;
}

void expect_linear_field(const Dvh& dvh) {
  // A ball of radius 30 in the dose 40 + x / 2.
  EXPECT_NEAR(dvh.mean, 40, 0.01 * 40);
  EXPECT_NEAR(dvh.least, 25, 0.01 * 25);
  EXPECT_NEAR(dvh.most, 55, 0.01 * 55);
  EXPECT_NEAR(dvh.d95, 40 + 15 * height(0.95), 0.01 * 30);
  EXPECT_NEAR(dvh.d2, 40 + 15 * height(0.02), 0.01 * 50);
  for (const auto& [dose, volume] : dvh.curve) {
    const double h = std::clamp((dose - 40) / 15, -1.0, 1.0);
    EXPECT_NEAR(volume, 100 * cap(h), 1) << dose;
  }
  EXPECT_GT(dvh.curve.size(), 100U);
}

TEST(Dvh, BallInALinearField) {
  const Dose dose = dose_of([](Vec3 p) { return 40 + p.x / 2; }, dose_grid());
  expect_linear_field(dvh_of(sphere(30), dose));
  EXPECT_EQ(*dvh_of(sphere(30), dose).v20, 100);
}

TEST(Dvh, ObliqueContoursAndObliqueDose) {
  const Dose dose = dose_of([](Vec3 p) { return 40 + p.x / 2; }, dose_grid(tilted()));
  expect_linear_field(dvh_of(sphere(30, 1, tilted()), dose));
  expect_linear_field(dvh_of(sphere(30), dose));
}

TEST(Dvh, V20IsThePartAboveTwentyGray) {
  const Dose dose = dose_of([](Vec3 p) { return 25 + p.x / 2; }, dose_grid());
  EXPECT_NEAR(*dvh_of(sphere(30), dose).v20, 100 * cap(-1.0 / 3), 1);
}

TEST(Dvh, TubeInARadialField) {
  // 10 < r < 20 around z, dose 50 − r: the mean of r over the ring is 2/3 (20³ − 10³) / (20² −
  // 10²).
  Phantom phantom;
  for_layers(-20, 20, 1, [&](double z) { phantom.add(Phantom::keyhole(20, 10), z); });
  const Dose dose = dose_of([](Vec3 p) { return 50 - std::hypot(p.x, p.y); }, dose_grid());
  const Dvh dvh = dvh_of(phantom.roi(), dose);
  EXPECT_NEAR(dvh.mean, 50 - 2.0 / 3 * 7000 / 300, 0.01 * 34);
  // 2 % of the ring: r² up to 100 + 0.02 · 300.
  EXPECT_NEAR(dvh.d2, 50 - std::sqrt(106), 0.01 * 40);
  EXPECT_NEAR(dvh.d95, 50 - std::sqrt(385), 0.01 * 30);
}

TEST(Dvh, TellsWhatLiesOutsideOfTheDoseGrid) {
  const Dose dose = dose_of([](Vec3) { return 10.0; }, dose_grid());
  Phantom phantom;
  for_layers(-10, 10, 1, [&](double z) { phantom.add({{40, -5}, {60, -5}, {60, 5}, {40, 5}}, z); });
  const Dvh dvh = dvh_of(phantom.roi(), dose);
  EXPECT_NEAR(dvh.outside, 50, 1);  // the last voxel ends at 50
  EXPECT_EQ(dvh.least, 0);
  EXPECT_NEAR(dvh.most, 10, 1e-5);
}

TEST(ReadDose, RefusesWhatDoesNotFit) {
  const TempDir folder;
  ImageGrid grid = dose_grid();
  const DicomWriter writer(grid);
  writer.write_dose([](Vec3) { return 1.0; }, folder / "dose.dcm");
  DcmFileFormat file;
  ASSERT_TRUE(file.loadFile((folder / "dose.dcm").c_str()).good());
  const auto refused = [&](auto change) {
    DcmFileFormat other(file);
    change(*other.getDataset());
    EXPECT_TRUE(other.saveFile((folder / "other.dcm").c_str(), EXS_LittleEndianExplicit).good());
    const auto loaded = load_file((folder / "other.dcm").string());
    const auto dose = read_dose(loaded->data_set, loaded->transfer_syntax);
    return dose ? Errc{} : dose.error().code;
  };
  EXPECT_EQ(refused([](DcmDataset& d) { d.putAndInsertUint16(DCM_Rows, 4000); }), Errc::kMalformed);
  EXPECT_EQ(refused([](DcmDataset& d) { d.putAndInsertUint16(DCM_Columns, 65535); }),
            Errc::kTooLong);
  EXPECT_EQ(refused([](DcmDataset& d) { d.putAndInsertString(DCM_NumberOfFrames, "2"); }),
            Errc::kMalformed);
  EXPECT_EQ(refused([](DcmDataset& d) { d.putAndInsertUint16(DCM_BitsAllocated, 8); }),
            Errc::kUnsupported);
  EXPECT_EQ(refused([](DcmDataset& d) { d.findAndDeleteElement(DCM_PixelData); }),
            Errc::kMalformed);
  EXPECT_EQ(refused([](DcmDataset& d) { d.putAndInsertString(DCM_DoseGridScaling, "x"); }),
            Errc::kMalformed);
}

TEST(Dvh, MeanDosesOfARealPlanAgreeWithDicompyler) {
  const auto shared = dr::test::shared_data("a real plan's dose");
  if (!shared) return;
  const auto folder = *shared / "rtstruct/dicompyler-breast";
  const auto references = read_references(folder);
  ASSERT_TRUE(references);
  ASSERT_EQ(references->doses.size(), 1U);
  const auto file = load_file(references->doses[0].string());
  std::vector<Dose> doses;
  doses.push_back(*read_dose(file->data_set, file->transfer_syntax));
  const Extraction ours = extract(*read_file(folder / "rtss.dcm"), *references, doses, {});
  const auto run = dr::test::run(
      {"/usr/bin/python3", "-W", "ignore", "-c",
       "import sys\n"
       "from dicompylercore import dvhcalc\n"
       "for n in (4, 5, 6, 9, 10):\n"
       "  d = dvhcalc.get_dvh(sys.argv[1], sys.argv[2], n)\n"
       "  print(n, d.mean, d.max, d.statistic('D95').value, d.statistic('D2').value)\n",
       (folder / "rtss.dcm").string(), (folder / "rtdose.dcm").string()});
  ASSERT_EQ(run.status, 0) << run.output;
  std::istringstream lines(run.output);
  int number = 0;
  double mean = 0, most = 0, d95 = 0, d2 = 0;
  std::size_t compared = 0;
  while (lines >> number >> mean >> most >> d95 >> d2) {
    const Roi& roi = ours.set.rois[static_cast<std::size_t>(number - 1)];
    ASSERT_EQ(roi.number, number);
    const Dvh& dvh = ours.rois[static_cast<std::size_t>(number - 1)].dvhs.at(0);
    // It asks the 2.5 mm dose voxels whose centres lie inside; we ask between them too.
    EXPECT_NEAR(dvh.mean, mean, 0.03 * mean + 0.02) << roi.name;
    EXPECT_NEAR(dvh.d2, d2, 0.03 * d2 + 0.05) << roi.name;
    EXPECT_GE(dvh.most, 0.99 * most) << roi.name;
    ++compared;
  }
  EXPECT_EQ(compared, 5U);
}

}  // namespace
}  // namespace dr::rtstruct
