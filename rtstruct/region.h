#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "rtstruct/vec3.h"

namespace dr::rtstruct {

/// Bounds what hostile contours may cost: steps of some nanoseconds, taken off as they are made.
class Budget {
 public:
  explicit Budget(std::uint64_t steps) : left_(steps) {}
  /// False once it is used up.
  bool take(std::uint64_t steps) {
    left_ = steps < left_ ? left_ - steps : 0;
    return left_ > 0;
  }
  bool used_up() const { return left_ == 0; }

 private:
  std::uint64_t left_;
};

/// A closed polygon; the last point joins the first.
using Polygon = std::vector<Vec2>;

/// What the even-odd region of some polygons is like. `u`, `v`: first moments, mm³.
struct RegionMoments {
  double area = 0;        // mm²
  double u = 0, v = 0;    // integrals of u and v over the region
  double seam = 0;        // mm of boundary that lies on itself and bounds nothing (keyholes)
  double self_cross = 0;  // how far, mm, one polygon reaches over its own boundary
  double cross = 0;       // how far two polygons reach over each other's
};

/// Area and centroid of the region of all points that an odd number of the polygons' boundaries
/// separates from infinity: nested contours are holes (XOR), keyholes are closed, and where
/// contours cross nothing is counted twice. Exact up to rounding: a sweep over the bands between
/// vertices, each band cut further where edges cross (after Bentley and Ottmann, IEEE Trans.
/// Comput. C-28, 1979), with the moments of the trapezoids between (Green's theorem). nullopt:
/// `budget` is used up.
std::optional<RegionMoments> even_odd_moments(std::span<const Polygon* const> polygons,
                                              Budget& budget);

/// Shoelace formula; positive where the polygon runs from u to v.
double signed_area(const Polygon& polygon);
double perimeter(const Polygon& polygon);
/// Even-odd; on the boundary either.
bool contains(const Polygon& polygon, Vec2 point);

}  // namespace dr::rtstruct
