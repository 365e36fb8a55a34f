#pragma once

#include <array>
#include <optional>
#include <vector>

#include "rtstruct/stack.h"

namespace dr::rtstruct {

struct Box {
  Vec3 low, high;  // mm
};

struct ContourMeasure {
  std::size_t index = 0;  // in Roi::contours
  double position = 0;    // of its plane along the normal, mm
  double area = 0;        // mm², of the polygon alone
  double perimeter = 0;   // mm
};

struct PlaneMeasure {
  double position = 0;   // along the normal, mm
  double thickness = 0;  // of the slab that the plane stands for, mm
  double area = 0;       // mm², even-odd
  double perimeter = 0;  // mm, without the seams of keyholes
  Vec2 centroid;
  std::size_t contours = 0;
};

/// What one ROI's closed contours enclose; empty where there is none.
struct Measures {
  std::optional<double> volume;   // mm³
  std::optional<double> surface;  // mm²
  std::optional<Vec3> centroid;
  std::optional<Box> bounding_box;  // of the closed contours' points
  std::optional<Box> points_box;    // of all points, POINT and open contours too
  std::optional<double> spacing;    // median distance of planes, mm
  std::optional<double> thickness;  // nominal thickness of a slab, mm
  std::size_t gaps = 0;             // planes that are missing between the first and the last
  double gap_volume = 0;            // mm³ that linear interpolation over the gaps would add
  std::optional<double> equivalent_diameter;  // of the sphere of equal volume, mm
  Vec3 normal{0, 0, 1};
  std::vector<PlaneMeasure> planes;
  std::vector<ContourMeasure> contours;
  std::vector<Finding> findings;
};

struct MeasureOptions {
  const ImageGrid* grid = nullptr;
  /// For a ROI with a single plane, where neither images nor Contour Slab Thickness say more.
  std::optional<double> usual_spacing;
  std::uint64_t steps = 2'000'000'000;  // some seconds, for one ROI
};

/// Measures one ROI.
///
/// Volume: Cavalieri's principle (Gundersen and Jensen, J. Microsc. 147, 1987): each plane stands
/// for a slab from half-way to the plane before to half-way to the next; nobody drew anything in
/// planes that are missing, so a distance above 1.5 nominal ones ends the slabs after half a
/// nominal one. Nominal is the step of the image slices where they are known and parallel, else the
/// median distance of the planes. Areas are even-odd (region.h), exact.
///
/// Surface: between two planes the frusta through both outlines: ∮ √(d² + t²) ds with the step t of
/// the outline by the shift of its centroid and by its growth, exact for (oblique) cylinders and
/// cones, and at least what the area that belongs to one plane only (their symmetric difference)
/// demands; flat caps at both ends and at gaps.
Measures measure(const Roi& roi, const Stack& stack, const MeasureOptions& options);

}  // namespace dr::rtstruct
