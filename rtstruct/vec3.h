#pragma once

#include <array>
#include <cmath>

namespace dr::rtstruct {

/// A point or direction in the patient coordinate system (PS3.3 C.7.6.2.1.1), mm.
struct Vec3 {
  double x = 0, y = 0, z = 0;

  friend Vec3 operator+(Vec3 a, Vec3 b) { return {a.x + b.x, a.y + b.y, a.z + b.z}; }
  friend Vec3 operator-(Vec3 a, Vec3 b) { return {a.x - b.x, a.y - b.y, a.z - b.z}; }
  friend Vec3 operator*(double s, Vec3 a) { return {s * a.x, s * a.y, s * a.z}; }
  friend bool operator==(Vec3 a, Vec3 b) = default;
};

inline double dot(Vec3 a, Vec3 b) { return a.x * b.x + a.y * b.y + a.z * b.z; }
inline Vec3 cross(Vec3 a, Vec3 b) {
  return {a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x};
}
inline double norm(Vec3 a) { return std::sqrt(dot(a, a)); }
/// Of length 1; the zero vector stays as it is.
inline Vec3 unit(Vec3 a) {
  const double length = norm(a);
  return length > 0 ? (1 / length) * a : a;
}

/// A point in a contour plane, mm along its two axes.
struct Vec2 {
  double u = 0, v = 0;
  friend bool operator==(Vec2 a, Vec2 b) = default;
};

/// Three axes at right angles: `n` is the normal of contour planes, `u` and `v` lie in them.
struct Frame {
  Vec3 u{1, 0, 0}, v{0, 1, 0}, n{0, 0, 1};

  Vec2 flat(Vec3 p) const { return {dot(u, p), dot(v, p)}; }
  Vec3 point(Vec2 p, double position) const { return p.u * u + p.v * v + position * n; }
};

}  // namespace dr::rtstruct
