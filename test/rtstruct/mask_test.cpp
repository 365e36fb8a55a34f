#include "rtstruct/mask.h"

#include <fstream>

#include "rtstruct/extract.h"
#include "rtstruct/nifti.h"
#include "rtstruct/output.h"
#include "test/rtstruct/nifti_file.h"
#include "test/rtstruct/phantoms.h"
#include "test/rtstruct/shared_rtstruct.h"
#include "test/support/temp_dir.h"

namespace dr::rtstruct {
namespace {

using namespace test;
using dr::test::TempDir;

/// n³ voxels around the origin, in any orientation.
ImageGrid grid_of(std::uint32_t n, double step, const Frame& frame = {}) {
  ImageGrid grid;
  grid.row = frame.u;
  grid.column = frame.v;
  grid.normal = frame.n;
  grid.row_step = grid.column_step = grid.slice_step = step;
  grid.columns = grid.rows = grid.slices = n;
  grid.instances.resize(n);
  const double half = (n - 1) * step / 2;
  grid.origin = frame.point({-half, -half}, -half);
  return grid;
}

struct Filled {
  Stack stack;
  Measures measures;
  Mask mask;
};

Filled fill(const Roi& roi, const ImageGrid& grid) {
  Filled filled;
  filled.stack = stack_contours(roi, &grid);
  MeasureOptions options;
  options.grid = &grid;
  filled.measures = measure(roi, filled.stack, options);
  Budget budget(options.steps);
  auto mask = rasterize(filled.stack, filled.measures, grid, budget);
  EXPECT_TRUE(mask);
  if (mask) filled.mask = std::move(*mask);
  return filled;
}

NiftiFile written(const Mask& mask, const ImageGrid& grid, bool qform = false) {
  const TempDir folder;
  const auto octets = nifti_gz(mask, grid);
  EXPECT_TRUE(octets);
  EXPECT_TRUE(write_file(folder / "m.nii.gz", *octets));
  return read_nifti(folder / "m.nii.gz", qform);
}

/// Every voxel centre asked one by one: the nearest plane, and ray casting in it.
std::size_t differences(const Filled& filled, const ImageGrid& grid) {
  std::vector<bool> inside(grid.voxels());
  for (const rtstruct::Run& run : filled.mask.runs) {
    for (std::size_t i = run.begin; i < run.end; ++i) {
      inside[(std::size_t{run.k} * grid.rows + run.j) * grid.columns + i] = true;
    }
  }
  std::size_t different = 0;
  for (std::uint32_t k = 0; k < grid.slices; ++k) {
    for (std::uint32_t j = 0; j < grid.rows; ++j) {
      for (std::uint32_t i = 0; i < grid.columns; ++i) {
        const Vec3 p = grid.at(i, j, k);
        const double height = dot(p, filled.stack.frame.n);
        bool expected = false;
        for (std::size_t n = 0; n < filled.stack.planes.size(); ++n) {
          const double off = height - filled.stack.planes[n].position;
          if (std::abs(off) >= filled.measures.planes[n].thickness / 2) continue;
          bool odd = false;
          for (const FlatContour& c : filled.stack.planes[n].contours) {
            odd ^= contains(c.polygon, filled.stack.frame.flat(p));
          }
          expected |= odd;
        }
        different += expected != inside[(std::size_t{k} * grid.rows + j) * grid.columns + i];
      }
    }
  }
  return different;
}

TEST(Rasterize, EqualsRayCastingVoxelByVoxel) {
  const ImageGrid grid = grid_of(83, 1);
  // Off the voxels' centres, where either answer is right.
  for (const Roi& roi : {sphere(30.3, 1, {}, {0.13, 0.21, 0.07}), torus(25.2, 8.6, true),
                         nested_shells({30.1, 20.2, 10.3}), oblique_cylinder(15.2, 41, 0.37)}) {
    const Filled filled = fill(roi, grid);
    EXPECT_TRUE(filled.stack.along_grid);
    EXPECT_GT(filled.mask.voxels(), 10000U);
    EXPECT_EQ(differences(filled, grid), 0U);
  }
}

TEST(Rasterize, PlanesOfAnotherOrientationEqualRayCastingToo) {
  const ImageGrid grid = grid_of(75, 1);
  const Frame sagittal{{0, 1, 0}, {0, 0, 1}, {1, 0, 0}};
  for (const Frame& frame : {tilted(), sagittal}) {
    const Filled filled = fill(sphere(25.3, 1, frame, {0.13, 0.21, 0.07}), grid);
    EXPECT_FALSE(filled.stack.along_grid);
    EXPECT_GT(filled.mask.voxels(), 10000U);
    EXPECT_EQ(differences(filled, grid), 0U);
  }
}

TEST(Rasterize, ObliqueImagesAndVolumeWithinHalfAPercent) {
  const ImageGrid grid = grid_of(91, 1, tilted());
  const Filled filled = fill(sphere(30, 1, tilted()), grid);
  EXPECT_TRUE(filled.stack.along_grid);
  const double volume = 4.0 / 3 * std::numbers::pi * 27000;
  EXPECT_NEAR(static_cast<double>(filled.mask.voxels()), volume, 0.005 * volume);
}

TEST(Rasterize, NeighboursShareNoVoxelAndLeaveNone) {
  const ImageGrid grid = grid_of(21, 1);
  Phantom left, right;
  for (int z = -5; z <= 5; ++z) {
    left.add({{-5, -5}, {0, -5}, {0, 5}, {-5, 5}}, z);
    right.add({{0, -5}, {5, -5}, {5, 5}, {0, 5}}, z);
  }
  EXPECT_EQ(fill(left.roi(), grid).mask.voxels(), 11U * 50);
  EXPECT_EQ(fill(right.roi(), grid).mask.voxels(), 11U * 50);
}

TEST(Rasterize, ContoursBeyondTheImagesAreCut) {
  const ImageGrid grid = grid_of(21, 1);
  Phantom phantom;
  for (int z = -50; z <= 50; ++z)
    phantom.add({{-1e5, -1e5}, {1e5, -1e5}, {1e5, 1e5}, {-1e5, 1e5}}, z);
  EXPECT_EQ(fill(phantom.roi(), grid).mask.voxels(), 21U * 21 * 21);
}

TEST(Nifti, ReadsBackWithTheSameVoxelsInTheSamePlaces) {
  for (const Frame& frame :
       {Frame{}, tilted(), Frame{{0, 1, 0}, {0, 0, -1}, {-1, 0, 0}},
        Frame{{-1, 0, 0}, {0, -1, 0}, {0, 0, 1}}, Frame{{1, 0, 0}, {0, -1, 0}, {0, 0, -1}}}) {
    ImageGrid grid = grid_of(120, 1, frame);
    grid.columns = 130;
    grid.row_step = 0.9;
    const Filled filled = fill(sphere(20.3, 1, frame), grid);
    for (const bool qform : {false, true}) {
      const NiftiFile file = written(filled.mask, grid, qform);
      EXPECT_EQ(file.dim, (std::array<std::size_t, 3>{130, 120, 120}));
      EXPECT_LT(norm(file.origin - grid.origin), 1e-4);
      // The qform leaves out a quaternion's real part: near half turns a float keeps 3 digits of
      // it.
      const double exact = qform ? 1e-3 : 1e-5;
      EXPECT_LT(norm(file.step[0] - 0.9 * grid.row), exact);
      EXPECT_LT(norm(file.step[1] - grid.column), exact);
      EXPECT_LT(norm(file.step[2] - grid.normal), exact);
      EXPECT_EQ(file.voxels(), filled.mask.voxels());
      for (const rtstruct::Run& run : filled.mask.runs)
        EXPECT_TRUE(file.at(run.begin, run.j, run.k));
    }
  }
}

TEST(Nifti, LongRunsOfZerosKeepTheChecksum) {
  ImageGrid grid = grid_of(400, 1);
  Mask mask;
  mask.runs = {{0, 0, 0, 1}, {199, 7, 100, 300}, {399, 399, 399, 400}};
  const auto octets = nifti_gz(mask, grid);
  ASSERT_TRUE(octets);
  EXPECT_LT(octets->size(), 200'000U);
  const NiftiFile file = written(mask, grid);  // gzread compares CRC and length
  EXPECT_EQ(file.voxels(), 202U);
  EXPECT_TRUE(file.at(399, 399, 399));
  EXPECT_TRUE(file.at(299, 7, 199));
}

TEST(Masks, EqualThirdPartyMasksOfTheSameContours) {
  const auto shared = dr::test::shared_data("third-party masks");
  if (!shared) return;
  for (const auto& row : read_tsv(*shared / "expected-masks.tsv")) {
    SCOPED_TRACE(row.at("mask"));
    const auto file = *shared / row.at("rtstruct");
    auto set = read_file(file);
    const auto references = read_references(file.parent_path());
    ASSERT_TRUE(set && references);
    ExtractOptions options;
    options.masks = true;
    const Extraction result = extract(std::move(*set), *references, {}, options);
    ASSERT_TRUE(result.rois[0].mask);
    EXPECT_EQ(std::to_string(result.rois[0].mask->voxels()), row.at("voxels"));
    const NiftiFile ours = written(*result.rois[0].mask, *result.rois[0].grid);
    EXPECT_GT(dice(ours, read_nifti(*shared / row.at("mask"))), 0.999);
  }
}

}  // namespace
}  // namespace dr::rtstruct
