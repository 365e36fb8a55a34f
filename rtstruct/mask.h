#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "rtstruct/image_grid.h"
#include "rtstruct/measure.h"
#include "rtstruct/stack.h"

namespace dr::rtstruct {

/// Voxels begin ≤ i < end of row j of slice k.
struct Run {
  std::uint16_t k = 0, j = 0, begin = 0, end = 0;
  friend auto operator<=>(const Run&, const Run&) = default;
};

/// The voxels of one ROI as runs: ascending, none touches the next.
struct Mask {
  std::vector<Run> runs;

  std::uint64_t voxels() const {
    std::uint64_t sum = 0;
    for (const Run& run : runs) sum += std::uint64_t{run.end} - run.begin;
    return sum;
  }
};

/// The voxels whose centre lies in the ROI: inside the even-odd region of the nearest contour
/// plane, and inside the slab that this plane stands for (measure.h). Planes along the slices are
/// filled by scan lines (Foley, van Dam, Feiner, Hughes, Computer Graphics, 1990, 3.6), exactly,
/// without drawing any outline; each row of voxels through planes of another orientation is cut
/// with their outlines. A centre on a boundary belongs to the side that begins there, so that
/// neighbours share no voxel. nullopt: `budget` is used up.
std::optional<Mask> rasterize(const Stack& stack, const Measures& measures, const ImageGrid& grid,
                              Budget& budget);

}  // namespace dr::rtstruct
