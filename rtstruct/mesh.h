#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "dimse/base/bytes.h"
#include "dimse/base/result.h"
#include "rtstruct/mask.h"

namespace dr::rtstruct {

/// A closed surface: triangles that run counter-clockwise seen from outside.
struct Mesh {
  std::vector<Vec3> points;  // mm, patient coordinates
  std::vector<std::array<std::uint32_t, 3>> triangles;

  double volume() const;  // mm³, divergence theorem
  double area() const;    // mm²
};

/// The surface of a mask by surface nets (Gibson, MICCAI 1998): a point in every cell of eight
/// voxel centres that the surface crosses, at the middle of its crossings of the cell's edges in
/// the occupancy smoothed over 3 × 3 × 3 voxels; one quadrilateral for each crossed edge.
/// Watertight. kNotFound: an empty mask; kTooLong: a bounding box above 256 million voxels.
Result<Mesh> make_mesh(const Mask& mask, const ImageGrid& grid);

/// A grid of its own for a ROI without images: along its planes, one slice each, voxels in the
/// plane as fine as a hundredth of the ROI but no finer than 0.2 mm.
ImageGrid grid_for(const Stack& stack, const Measures& measures);

/// Binary STL: 80 octets without a name, number of triangles, then normal and corners of each.
Bytes stl(const Mesh& mesh);

}  // namespace dr::rtstruct
