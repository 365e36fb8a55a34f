#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "dimse/base/bytes.h"
#include "dimse/base/result.h"
#include "rtstruct/measure.h"
#include "rtstruct/nesting.h"
#include "rtstruct/stack.h"

namespace dr::rtstruct {

/// An RT Dose grid (PS3.3 A.18.3, C.8.8.3) in plain values.
struct Dose {
  Uid sop_instance_uid, frame_of_reference, plan;
  std::string units;      // GY or RELATIVE (3004,0002)
  std::string type;       // PHYSICAL, EFFECTIVE, ERROR (3004,0004)
  std::string summation;  // PLAN, BEAM, ... (3004,000A)
  /// By what it belongs to the structure set: "structure_set" (it names it), "plan" (it names a
  /// plan that names it), "frame_of_reference".
  std::string link = "frame_of_reference";
  Vec3 origin;  // centre of the first voxel of the first plane, mm
  Vec3 row{1, 0, 0}, column{0, 1, 0}, normal{0, 0, 1};
  double row_step = 0, column_step = 0;  // mm
  std::vector<double> offsets;           // of the planes along `normal`, mm, ascending
  std::uint32_t columns = 0, rows = 0;
  std::vector<float> values;  // in `units`; columns fastest, then rows, then planes

  /// Trilinear between voxel centres; the outermost half voxels are as their centres; nullopt
  /// outside.
  std::optional<double> at(Vec3 point) const;
};

/// kUnsupported: no RT Dose, compressed or not of 16 or 32 bits; kMalformed: geometry or pixel data
/// that do not fit each other; kTooLong: above 64 million voxels.
Result<Dose> read_dose(ByteSpan data_set, const Uid& transfer_syntax,
                       const TreeLimits& limits = {});

/// A cumulative dose-volume histogram of one ROI. Doses in the units of the dose grid.
struct Dvh {
  Uid dose_sop_instance_uid;
  std::string units, type, link;  // as those of the dose
  double least = 0, mean = 0, most = 0;
  double d95 = 0, d2 = 0;  // what 95 % and 2 % of the volume receive at the least
  std::optional<double>
      v20;             // % of the volume that receives 20 Gy or more; only where units are GY
  double outside = 0;  // % of the volume outside of the dose grid, counted as without dose
  std::vector<std::pair<double, double>> curve;  // dose, % of the volume that receives it or more
};

/// Samples the dose inside the ROI's slabs (measure.h): along lines through each plane, every
/// sample with the volume that it stands for, three layers a slab, about 200 000 samples in all
/// (the direct method of Drzymala et al., Int. J. Radiat. Oncol. Biol. Phys. 21, 1991). nullopt: no
/// volume.
std::optional<Dvh> dose_volume(const Stack& stack, const Measures& measures, const Dose& dose);

}  // namespace dr::rtstruct
