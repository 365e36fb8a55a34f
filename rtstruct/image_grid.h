#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "dimse/base/result.h"
#include "dimse/base/uid.h"
#include "rtstruct/vec3.h"

namespace dr::rtstruct {

/// What the header of one image slice says about its place (PS3.3 C.7.6.2).
struct ImageSlice {
  Uid sop_instance_uid, sop_class_uid;
  Uid series, study, frame_of_reference;
  Vec3 position;           // centre of the first voxel, mm
  Vec3 row, column;        // directions in which column and row index grow; length 1
  double row_step = 0;     // mm between voxels along a row (second value of Pixel Spacing)
  double column_step = 0;  // mm between rows (first value)
  std::uint32_t columns = 0, rows = 0;
};

/// Voxels of one series: index (i, j, k) lies at origin + i·row_step·row + j·column_step·column +
/// k·slice_step·normal. k grows along row × column, whatever the order of the slices' numbers.
struct ImageGrid {
  Vec3 origin;
  Vec3 row{1, 0, 0}, column{0, 1, 0}, normal{0, 0, 1};
  double row_step = 1, column_step = 1, slice_step = 1;  // mm
  std::uint32_t columns = 0, rows = 0, slices = 0;
  Uid frame_of_reference, series, study;
  /// By k; empty Uids where a slice is not there.
  std::vector<Uid> instances;
  Uid sop_class;
  std::uint32_t missing = 0;  // of `slices`

  std::uint64_t voxels() const { return std::uint64_t{columns} * rows * slices; }
  double voxel_volume() const { return row_step * column_step * slice_step; }  // mm³
  Vec3 at(double i, double j, double k) const {
    return origin + i * row_step * row + j * column_step * column + k * slice_step * normal;
  }
};

/// Above it no grid is made.
inline constexpr std::uint64_t kMostVoxels = 1ULL << 31;

/// Lays the slices of one series on a grid; in any order, duplicates of a position counting once.
/// kInvalid, with the reason: fewer than two places, different orientations, sizes or spacings, or
/// distances that are no multiples of one step (then there is no affine). kTooLong: kMostVoxels.
Result<ImageGrid> make_grid(std::span<const ImageSlice> slices);

}  // namespace dr::rtstruct
