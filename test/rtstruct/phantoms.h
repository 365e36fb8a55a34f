#pragma once

#include <cmath>
#include <functional>
#include <numbers>

#include "rtstruct/model.h"

namespace dr::rtstruct::test {

/// Closed contours of analytic shapes; every plane at `step` mm, every outline of `n` points.
class Phantom {
 public:
  explicit Phantom(Frame frame = {}, Vec3 centre = {}) : frame_(frame), centre_(centre) {
    roi_.number = 1;
    roi_.name = "PHANTOM";
  }

  using Outline = std::vector<Vec2>;

  static Outline circle(double r, Vec2 at = {}, int n = 720) {
    Outline outline;
    for (int i = 0; i < n; ++i) {
      const double a = 2 * std::numbers::pi * i / n;
      outline.push_back({at.u + r * std::cos(a), at.v + r * std::sin(a)});
    }
    return outline;
  }

  /// Outer outline, in along a seam, the hole the other way round, and back.
  static Outline keyhole(double outer, double inner) {
    Outline outline = circle(outer);
    outline.push_back(outline.front());
    Outline hole = circle(inner);
    outline.push_back(hole.front());
    outline.insert(outline.end(), hole.rbegin(), hole.rend());
    return outline;
  }

  void add(const Outline& outline, double position,
           GeometricType type = GeometricType::kClosedPlanar) {
    Contour& contour = roi_.contours.emplace_back();
    contour.type = type;
    contour.geometric_type =
        type == GeometricType::kClosedPlanar ? "CLOSED_PLANAR" : "CLOSEDPLANAR_XOR";
    for (const Vec2 p : outline) contour.points.push_back(centre_ + frame_.point(p, position));
  }

  Roi& roi() { return roi_; }

 private:
  Frame frame_;
  Vec3 centre_;
  Roi roi_;
};

/// Calls `each(z)` for the middle of every layer of `step` mm between `from` and `to`.
inline void for_layers(double from, double to, double step,
                       const std::function<void(double)>& each) {
  const auto layers = static_cast<int>(std::lround((to - from) / step));
  for (int i = 0; i < layers; ++i) each(from + (i + 0.5) * step);
}

/// 30° about x.
inline Frame tilted() {
  const double c = std::cos(std::numbers::pi / 6), s = std::sin(std::numbers::pi / 6);
  return {{1, 0, 0}, {0, c, s}, {0, -s, c}};
}

inline Roi sphere(double r, double step = 1, Frame frame = {}, Vec3 centre = {}) {
  Phantom phantom(frame, centre);
  for_layers(-r, r, step,
             [&](double z) { phantom.add(Phantom::circle(std::sqrt(r * r - z * z)), z); });
  return phantom.roi();
}

inline Roi cube(double a, double step = 1, Frame frame = {}) {
  Phantom phantom(frame);
  const double h = a / 2;
  for_layers(-h, h, step, [&](double z) { phantom.add({{-h, -h}, {h, -h}, {h, h}, {-h, h}}, z); });
  return phantom.roi();
}

/// A torus about z as keyholes or as nested contours: ring radius R, tube radius r.
inline Roi torus(double R, double r, bool keyhole, double step = 1) {
  Phantom phantom;
  for_layers(-r, r, step, [&](double z) {
    const double w = std::sqrt(r * r - z * z);
    if (keyhole) {
      phantom.add(Phantom::keyhole(R + w, R - w), z);
    } else {
      phantom.add(Phantom::circle(R + w), z, GeometricType::kClosedPlanarXor);
      phantom.add(Phantom::circle(R - w), z, GeometricType::kClosedPlanarXor);
    }
  });
  return phantom.roi();
}

/// A cylinder of radius r and height h whose axis leans by `lean` mm in u for each mm of height.
inline Roi oblique_cylinder(double r, double h, double lean, double step = 1, Frame frame = {}) {
  Phantom phantom(frame);
  for_layers(-h / 2, h / 2, step, [&](double z) {
    phantom.add(Phantom::circle(r, {lean * z, 0}), z);
  });
  return phantom.roi();
}

/// Shells between r1 > r2 > r3 ...: solid, hollow, solid, ..., in common planes.
inline Roi nested_shells(std::initializer_list<double> radii, double step = 1) {
  Phantom phantom;
  const double most = *radii.begin();
  for (const double r : radii) {
    for_layers(-most, most, step, [&](double z) {
      if (std::abs(z) < r) phantom.add(Phantom::circle(std::sqrt(r * r - z * z)), z);
    });
  }
  return phantom.roi();
}

}  // namespace dr::rtstruct::test
