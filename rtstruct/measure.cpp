#include "rtstruct/measure.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>

namespace dr::rtstruct {
namespace {

constexpr double kGap = 1.5;        // nominal distances: beyond it a plane is missing
constexpr double kArea = 0.01;      // mm²
constexpr double kCrossing = 0.01;  // mm that a boundary reaches over another before it is told

void grow(std::optional<Box>& box, Vec3 p) {
  if (!box) box = Box{p, p};
  box->low = {std::min(box->low.x, p.x), std::min(box->low.y, p.y), std::min(box->low.z, p.z)};
  box->high = {std::max(box->high.x, p.x), std::max(box->high.y, p.y), std::max(box->high.z, p.z)};
}

std::string mm(double value) {
  const double rounded = std::round(value * 100) / 100;
  std::string text = std::to_string(rounded);
  return text.substr(0, text.size() - 4);
}

/// Inside an odd number of the others.
bool is_hole(const Plane& plane, std::size_t which) {
  const FlatContour& contour = plane.contours[which];
  bool hole = false;
  for (std::size_t i = 0; i < plane.contours.size(); ++i) {
    const bool inside = i != which && contains(plane.contours[i].polygon, contour.polygon.front());
    if (inside) hole = !hole;
  }
  return hole;
}

/// The plane's area if no contour crossed another or itself.
double nested_area(const Plane& plane) {
  double area = 0;
  for (std::size_t i = 0; i < plane.contours.size(); ++i) {
    area += (is_hole(plane, i) ? -1 : 1) * std::abs(plane.contours[i].area);
  }
  return area;
}

class Measuring {
 public:
  Measuring(const Stack& stack, const MeasureOptions& options, Measures& out)
      : stack_(stack), options_(options), out_(out), budget_(options.steps) {}

  /// False: too complex.
  bool run() {
    if (!measure_planes()) return false;
    set_thickness();
    if (!out_.thickness) return true;
    add_volume();
    return add_surface();
  }

  double self_cross = 0, cross = 0;         // mm
  double lost_alone = 0, lost_between = 0;  // mm² that nested contours of these areas would have

 private:
  bool measure_planes() {
    for (const Plane& plane : stack_.planes) {
      const auto moments = even_odd_moments(plane.polygons(), budget_);
      if (!moments) return false;
      self_cross = std::max(self_cross, moments->self_cross);
      cross = std::max(cross, moments->cross);
      const double lost = std::abs(nested_area(plane) - moments->area);
      (plane.contours.size() > 1 ? lost_between : lost_alone) += lost > kArea ? lost : 0;
      PlaneMeasure m;
      m.position = plane.position;
      m.area = moments->area;
      if (m.area > 0) m.centroid = {moments->u / m.area, moments->v / m.area};
      m.contours = plane.contours.size();
      for (const FlatContour& c : plane.contours) {
        m.perimeter += c.perimeter;
        out_.contours.push_back({c.index, plane.position, std::abs(c.area), c.perimeter});
      }
      // A seam is walked twice.
      m.perimeter = std::max(0.0, m.perimeter - 2 * moments->seam);
      out_.planes.push_back(m);
    }
    return true;
  }

  std::optional<double> nominal() const {
    if (options_.grid != nullptr && stack_.along_grid) return options_.grid->slice_step;
    if (stack_.spacing > 0) return stack_.spacing;
    return options_.usual_spacing;
  }

  double distance(std::size_t i) const {
    return out_.planes[i + 1].position - out_.planes[i].position;
  }
  bool gap_after(std::size_t i) const { return distance(i) > kGap * *out_.thickness; }
  double side(double d) const { return (d > kGap * *out_.thickness ? *out_.thickness : d) / 2; }

  void set_thickness() {
    out_.thickness = nominal();
    if (!out_.thickness || out_.planes.empty()) return;
    const std::size_t last = out_.planes.size() - 1;
    for (std::size_t i = 0; i <= last; ++i) {
      // At an end the slab is as thick as towards the only neighbour.
      const double before = i > 0 ? side(distance(i - 1)) : 0;
      const double after = i < last ? side(distance(i)) : 0;
      double& thickness = out_.planes[i].thickness;
      if (last == 0) {
        thickness = *out_.thickness;
      } else if (i == 0) {
        thickness = 2 * after;
      } else {
        thickness = i == last ? 2 * before : before + after;
      }
    }
  }

  void add_volume() {
    double volume = 0;
    Vec3 moment;
    for (const PlaneMeasure& p : out_.planes) {
      const double v = p.area * p.thickness;
      volume += v;
      moment = moment + v * stack_.frame.point(p.centroid, p.position);
    }
    for (std::size_t i = 0; i + 1 < out_.planes.size(); ++i) {
      if (!gap_after(i)) continue;
      const double d = distance(i);
      out_.gaps += static_cast<std::size_t>(std::lround(d / *out_.thickness)) - 1;
      out_.gap_volume +=
          (d - *out_.thickness) * (out_.planes[i].area + out_.planes[i + 1].area) / 2;
    }
    out_.volume = volume;
    if (volume > 0) out_.centroid = (1 / volume) * moment;
    out_.equivalent_diameter = std::cbrt(6 * volume / std::numbers::pi);
  }

  /// ∮ √(d² + t²) ds and ∮ |t| ds over the outline of plane `i`.
  struct Lateral {
    double area = 0, steps = 0;
  };
  Lateral lateral(std::size_t i, double d, Vec2 shift, double growth) const {
    Lateral sum;
    const Plane& plane = stack_.planes[i];
    double walked = 0;
    for (std::size_t c = 0; c < plane.contours.size(); ++c) {
      const Polygon& polygon = plane.contours[c].polygon;
      // +1: the inside of the region lies left of the edges.
      const double sign = (plane.contours[c].area > 0) != is_hole(plane, c) ? 1 : -1;
      for (std::size_t e = 0; e < polygon.size(); ++e) {
        const Vec2 a = polygon[e], b = polygon[e + 1 == polygon.size() ? 0 : e + 1];
        const double du = b.u - a.u, dv = b.v - a.v;
        const double length = std::sqrt(du * du + dv * dv);
        if (length == 0) continue;
        const double t = sign * (dv * shift.u - du * shift.v) / length + growth;
        sum.area += length * std::sqrt(d * d + t * t);
        sum.steps += length * std::abs(t);
      }
      walked += plane.contours[c].perimeter;
    }
    const double outline = walked > 0 ? out_.planes[i].perimeter / walked : 0;
    return {sum.area * outline, sum.steps * outline};
  }

  bool add_surface() {
    double surface = 0;
    const std::size_t n = out_.planes.size();
    for (std::size_t i = 0; i < n; ++i) {
      const PlaneMeasure& p = out_.planes[i];
      const bool starts = i == 0 || gap_after(i - 1), ends = i + 1 == n || gap_after(i);
      double half = *out_.thickness / 2;
      if (starts && !ends) half = distance(i) / 2;
      if (ends && !starts) half = distance(i - 1) / 2;
      surface += (starts + ends) * (p.area + p.perimeter * half);
      if (ends) continue;
      const auto between = surface_between(i);
      if (!between) return false;
      surface += *between;
    }
    out_.surface = surface;
    return true;
  }

  std::optional<double> surface_between(std::size_t i) {
    const PlaneMeasure &a = out_.planes[i], &b = out_.planes[i + 1];
    const double d = distance(i);
    const Vec2 shift{b.centroid.u - a.centroid.u, b.centroid.v - a.centroid.v};
    const double outline = (a.perimeter + b.perimeter) / 2;
    const double growth = outline > 0 ? (b.area - a.area) / outline : 0;
    const Lateral below = lateral(i, d, shift, growth), above = lateral(i + 1, d, shift, growth);
    const double smooth = (below.area + above.area) / 2, steps = (below.steps + above.steps) / 2;
    auto polygons = stack_.planes[i].polygons();
    const auto more = stack_.planes[i + 1].polygons();
    polygons.insert(polygons.end(), more.begin(), more.end());
    const auto difference = even_odd_moments(polygons, budget_);
    if (!difference) return std::nullopt;
    const double beyond = difference->area * difference->area - steps * steps;
    return std::sqrt(smooth * smooth + std::max(0.0, beyond));
  }

  const Stack& stack_;
  const MeasureOptions& options_;
  Measures& out_;
  Budget budget_;
};

void find(Measures& out, const char* code, Severity severity, std::string text) {
  out.findings.push_back({code, severity, std::move(text)});
}

void judge(Measures& out, const Measuring& measuring) {
  if (measuring.self_cross > kCrossing || measuring.lost_alone > 0) {
    find(out, "contour_self_intersecting", Severity::kWarning,
         "a contour crosses itself by up to " + mm(measuring.self_cross) +
             " mm; what it encloses twice does not count");
  }
  if (measuring.cross > kCrossing || measuring.lost_between > 0) {
    find(out, "contours_cross", Severity::kWarning,
         "contours of one plane cross: " + mm(measuring.lost_between) +
             " mm2 lie in two of them and do not count (XOR)");
  }
  if (out.gaps > 0) {
    find(out, "planes_missing", Severity::kWarning,
         std::to_string(out.gaps) + " plane(s) missing between the first and the last; filling " +
             "them would add " + mm(out.gap_volume / 1000) + " cm3");
  }
  if (!out.thickness) {
    find(out, "thickness_unknown", Severity::kWarning,
         "a single plane, and nothing says how thick it is: no volume");
  }
}

}  // namespace

Measures measure(const Roi& roi, const Stack& stack, const MeasureOptions& options) {
  Measures out;
  out.normal = stack.frame.n;
  for (const Contour& contour : roi.contours) {
    for (const Vec3 p : contour.points) {
      grow(out.points_box, p);
      if (contour.closed()) grow(out.bounding_box, p);
    }
  }
  if (stack.planes.empty()) return out;
  if (stack.spacing > 0) out.spacing = stack.spacing;
  MeasureOptions here = options;
  for (const Contour& contour : roi.contours) {
    const double thickness = contour.slab_thickness.value_or(0);
    if (contour.closed() && thickness > 0 && thickness < 1000) here.usual_spacing = thickness;
  }
  Measuring measuring(stack, here, out);
  if (!measuring.run()) {
    out.volume = out.surface = out.equivalent_diameter = std::nullopt;
    out.centroid = std::nullopt;
    find(out, "too_complex", Severity::kError,
         "contours that cross too often to be measured in reasonable time");
    return out;
  }
  judge(out, measuring);
  return out;
}

}  // namespace dr::rtstruct
