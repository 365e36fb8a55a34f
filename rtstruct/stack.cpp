#include "rtstruct/stack.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string>

namespace dr::rtstruct {
namespace {

constexpr double kSamePlane = 0.05;  // mm: contours this near lie in one plane
constexpr double kFlat = 0.2;        // mm: how far the points of a planar contour may lie off
constexpr double kSamePoint = 1e-4;  // mm
constexpr double kAligned = 1e-3;    // rad
constexpr std::size_t kCandidates = 16;

/// Newell's normal; its length is twice the area.
Vec3 newell(const std::vector<Vec3>& points) {
  Vec3 sum;
  const Vec3 o = points.front();
  for (std::size_t i = 1; i + 1 < points.size(); ++i) {
    sum = sum + cross(points[i] - o, points[i + 1] - o);
  }
  return sum;
}

/// How far apart along `n` the points lie.
double spread(const std::vector<Vec3>& points, Vec3 n) {
  double low = dot(points.front(), n), high = low;
  for (const Vec3 p : points) {
    const double d = dot(p, n);
    low = std::min(low, d);
    high = std::max(high, d);
  }
  return high - low;
}

struct Candidate {
  std::size_t index;
  Vec3 normal;  // length: twice the area
  double area() const { return norm(normal) / 2; }
};

/// Without direction: an axis and its opposite are one.
Vec3 snap(Vec3 n, const ImageGrid* grid) {
  std::array<Vec3, 4> axes{Vec3{0, 0, 1}, {0, 1, 0}, {1, 0, 0}, {0, 0, 1}};
  if (grid != nullptr) axes[0] = grid->normal;
  for (const Vec3 axis : axes) {
    if (norm(cross(n, axis)) < kAligned) return axis;
  }
  // The same normal for contours that run either way.
  const double largest = std::max({std::abs(n.x), std::abs(n.y), std::abs(n.z)});
  for (const double c : {n.z, n.y, n.x}) {
    if (std::abs(c) == largest) return c < 0 ? -1 * n : n;
  }
  return n;
}

/// The orientation that most of the contours' area lies in.
Vec3 find_normal(const Roi& roi, std::vector<Candidate> candidates, const ImageGrid* grid) {
  std::ranges::sort(candidates, std::greater{}, &Candidate::area);
  double total = 0;
  for (const Candidate& c : candidates) total += c.area();
  Vec3 best = grid != nullptr ? grid->normal : Vec3{0, 0, 1};
  double most = -1;
  const auto try_normal = [&](Vec3 n) {
    double held = 0;
    for (const Candidate& c : candidates) {
      if (spread(roi.contours[c.index].points, n) <= kFlat) held += c.area();
    }
    if (held > most) {
      most = held;
      best = n;
    }
    return held >= total / 2;
  };
  if (try_normal(best)) return best;
  for (std::size_t i = 0; i < std::min(candidates.size(), kCandidates); ++i) {
    if (try_normal(snap(unit(candidates[i].normal), grid))) break;
  }
  return best;
}

Frame make_frame(Vec3 n, const ImageGrid* grid) {
  if (grid != nullptr && n == grid->normal) return {grid->row, grid->column, n};
  // The axis that is least along the normal becomes u, as x does for axial planes.
  Vec3 axis{1, 0, 0};
  if (std::abs(n.x) > 0.9) axis = {0, 1, 0};
  const Vec3 u = unit(axis - dot(axis, n) * n);
  return {u, cross(n, u), n};
}

Polygon flatten(const Contour& contour, const Frame& frame) {
  Polygon polygon;
  polygon.reserve(contour.points.size());
  const auto same = [](Vec2 a, Vec2 b) {
    return std::abs(a.u - b.u) < kSamePoint && std::abs(a.v - b.v) < kSamePoint;
  };
  for (const Vec3 p : contour.points) {
    const Vec2 flat = frame.flat(p);
    if (polygon.empty() || !same(polygon.back(), flat)) polygon.push_back(flat);
  }
  while (polygon.size() > 1 && same(polygon.front(), polygon.back())) polygon.pop_back();
  return polygon;
}

double mean_position(const std::vector<Vec3>& points, Vec3 n) {
  double sum = 0;
  for (const Vec3 p : points) sum += dot(p, n);
  return sum / static_cast<double>(points.size());
}

/// The same points, whichever comes first and whichever way they run.
bool same_contour(const FlatContour& a, const FlatContour& b) {
  if (a.polygon.size() != b.polygon.size()) return false;
  if (std::abs(std::abs(a.area) - std::abs(b.area)) > 1e-3) return false;
  const auto sorted = [](Polygon points) {
    for (Vec2& p : points) {
      p = {std::round(p.u / kSamePoint / 10), std::round(p.v / kSamePoint / 10)};
    }
    std::ranges::sort(points, [](Vec2 x, Vec2 y) { return x.u != y.u ? x.u < y.u : x.v < y.v; });
    return points;
  };
  return sorted(a.polygon) == sorted(b.polygon);
}

bool on_a_line(const Polygon& polygon) {
  const Vec2 o = polygon.front();
  Vec2 far = o;
  const auto length = [&](Vec2 p) { return std::hypot(p.u - o.u, p.v - o.v); };
  for (const Vec2 p : polygon) {
    if (length(p) > length(far)) far = p;
  }
  return std::ranges::all_of(polygon, [&](Vec2 p) {
    const double twice = (far.u - o.u) * (p.v - o.v) - (p.u - o.u) * (far.v - o.v);
    return std::abs(twice) <= kSamePoint * length(far);
  });
}

void find(Stack& stack, std::size_t n, const char* code, Severity severity, const char* text) {
  if (n > 0) {
    stack.findings.push_back({code, severity, std::to_string(n) + " contour(s) " + text});
  }
}

/// Contours in the order of their positions become planes.
void group(Stack& stack, std::vector<FlatContour> contours) {
  std::ranges::stable_sort(contours, {}, &FlatContour::position);
  std::size_t doubled = 0;
  for (FlatContour& contour : contours) {
    if (stack.planes.empty() ||
        contour.position - stack.planes.back().contours.front().position > kSamePlane) {
      stack.planes.push_back({contour.position, {}});
    }
    auto& here = stack.planes.back().contours;
    const bool twice =
        std::ranges::any_of(here, [&](const FlatContour& c) { return same_contour(c, contour); });
    doubled += twice;
    if (!twice) here.push_back(std::move(contour));
  }
  find(stack, doubled, "contour_doubled", Severity::kWarning,
       "drawn twice in one plane; each counts once");
  std::vector<double> distances;
  for (std::size_t i = 1; i < stack.planes.size(); ++i) {
    distances.push_back(stack.planes[i].position - stack.planes[i - 1].position);
  }
  if (distances.empty()) return;
  std::ranges::sort(distances);
  const std::size_t half = distances.size() / 2;
  stack.spacing =
      distances.size() % 2 == 1 ? distances[half] : (distances[half - 1] + distances[half]) / 2;
}

}  // namespace

Stack stack_contours(const Roi& roi, const ImageGrid* grid) {
  Stack stack;
  std::vector<Candidate> candidates;
  std::size_t degenerate = 0, other = 0, bent = 0;
  for (std::size_t i = 0; i < roi.contours.size(); ++i) {
    const Contour& contour = roi.contours[i];
    if (!contour.closed() || contour.defect != Defect::kNone) continue;
    if (contour.points.size() < 3) {
      ++degenerate;
      continue;
    }
    candidates.push_back({i, newell(contour.points)});
  }
  if (!candidates.empty()) {
    const Vec3 normal = find_normal(roi, candidates, grid);
    stack.frame = make_frame(normal, grid);
    stack.along_grid = grid != nullptr && normal == grid->normal;
  }
  std::vector<FlatContour> contours;
  for (const Candidate& c : candidates) {
    const auto& points = roi.contours[c.index].points;
    if (spread(points, stack.frame.n) > kFlat) {
      ++(spread(points, unit(c.normal)) > kFlat ? bent : other);
      continue;
    }
    FlatContour flat;
    flat.index = c.index;
    flat.polygon = flatten(roi.contours[c.index], stack.frame);
    flat.area = signed_area(flat.polygon);
    if (flat.polygon.size() < 3 || on_a_line(flat.polygon)) {
      ++degenerate;
      continue;
    }
    flat.perimeter = perimeter(flat.polygon);
    flat.position = mean_position(points, stack.frame.n);
    contours.push_back(std::move(flat));
  }
  find(stack, degenerate, "contour_degenerate", Severity::kWarning,
       "closed around no area (fewer than three points, or all on a line); left out");
  find(stack, other, "contour_other_orientation", Severity::kWarning,
       "in planes of another orientation than the rest; left out of volume and masks");
  find(stack, bent, "contour_not_planar", Severity::kError,
       "said to be planar whose points are not; left out");
  group(stack, std::move(contours));
  return stack;
}

}  // namespace dr::rtstruct
