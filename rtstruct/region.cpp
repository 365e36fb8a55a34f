#include "rtstruct/region.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace dr::rtstruct {
namespace {

constexpr double kTouch = 1e-7;  // mm; edges that are this near touch, they do not cross

struct Edge {
  Vec2 low, high;  // low.v < high.v
  std::uint32_t polygon;

  double at(double v) const {
    if (v <= low.v) return low.u;
    if (v >= high.v) return high.u;
    return low.u + (v - low.v) / (high.v - low.v) * (high.u - low.u);
  }
};

/// An edge in the present band: where it enters and leaves it.
struct Active {
  const Edge* edge;
  double u0, u1;
};

class Sweep {
 public:
  Sweep(std::span<const Polygon* const> polygons, Budget& budget) : budget_(budget) {
    std::size_t points = 0;
    for (const Polygon* polygon : polygons) points += polygon->size();
    edges_.reserve(points);
    for (std::uint32_t i = 0; i < polygons.size(); ++i) add(*polygons[i], i);
    std::ranges::sort(edges_, {}, [](const Edge& e) { return e.low.v; });
    stops_.reserve(points);
    for (const Polygon* polygon : polygons) {
      for (const Vec2 p : *polygon) stops_.push_back(p.v);
    }
    std::ranges::sort(stops_);
    stops_.erase(std::unique(stops_.begin(), stops_.end()), stops_.end());
  }

  std::optional<RegionMoments> run() {
    add_flat_seams();
    std::size_t next = 0;
    for (std::size_t i = 0; i + 1 < stops_.size(); ++i) {
      const double v0 = stops_[i], v1 = stops_[i + 1];
      std::erase_if(active_, [&](const Active& a) { return a.edge->high.v <= v0; });
      for (Active& a : active_) {
        a.u0 = a.u1;
        a.u1 = a.edge->at(v1);
      }
      for (; next < edges_.size() && edges_[next].low.v <= v0; ++next) {
        active_.push_back({&edges_[next], edges_[next].low.u, edges_[next].at(v1)});
      }
      if (!budget_.take(active_.size() + 1)) return std::nullopt;
      if (!sort_by_middle(active_)) return std::nullopt;
      if (!crossing(active_)) {
        add_band(active_, v0, v1);
      } else if (!cut_band(v0, v1)) {
        return std::nullopt;
      }
    }
    return moments_;
  }

 private:
  void add(const Polygon& polygon, std::uint32_t index) {
    for (std::size_t i = 0; i < polygon.size(); ++i) {
      const Vec2 a = polygon[i], b = polygon[i + 1 == polygon.size() ? 0 : i + 1];
      if (a.v < b.v) {
        edges_.push_back({a, b, index});
      } else if (b.v < a.v) {
        edges_.push_back({b, a, index});
      } else if (a.u != b.u) {
        flat_.push_back({a.v, std::min(a.u, b.u), std::max(a.u, b.u)});
      }
    }
  }

  /// Edges along u that another one covers: the bands never see them.
  void add_flat_seams() {
    std::ranges::sort(flat_);
    for (std::size_t i = 0; i + 1 < flat_.size(); ++i) {
      const auto& [v, from, to] = flat_[i];
      const auto& [next_v, next_from, next_to] = flat_[i + 1];
      if (v == next_v) moments_.seam += std::max(0.0, std::min(to, next_to) - next_from);
    }
  }

  /// Insertion sort: the order hardly changes from band to band. False: out of budget.
  bool sort_by_middle(std::vector<Active>& active) {
    std::uint64_t moved = 0;
    for (std::size_t i = 1; i < active.size(); ++i) {
      const Active a = active[i];
      const double middle = a.u0 + a.u1;
      std::size_t j = i;
      for (; j > 0 && active[j - 1].u0 + active[j - 1].u1 > middle; --j) active[j] = active[j - 1];
      active[j] = a;
      moved += i - j;
    }
    return moved == 0 || budget_.take(moved);
  }

  bool crossing(const std::vector<Active>& active) {
    bool any = false;
    for (std::size_t i = 0; i + 1 < active.size(); ++i) {
      const Active &a = active[i], &b = active[i + 1];
      const double over = std::max(a.u0 - b.u0, a.u1 - b.u1);
      if (over <= kTouch) continue;
      double& deepest = a.edge->polygon == b.edge->polygon ? moments_.self_cross : moments_.cross;
      deepest = std::max(deepest, over);
      any = true;
    }
    return any;
  }

  /// Edges cross inside the band: between any two crossings they do not.
  bool cut_band(double v0, double v1) {
    const std::size_t n = active_.size();
    if (!budget_.take(n * n)) return false;
    cuts_.assign({0, 1});
    for (std::size_t i = 0; i < n; ++i) {
      for (std::size_t j = i + 1; j < n; ++j) {
        const double d0 = active_[i].u0 - active_[j].u0, d1 = active_[i].u1 - active_[j].u1;
        if ((d0 < 0 && d1 > 0) || (d0 > 0 && d1 < 0)) cuts_.push_back(d0 / (d0 - d1));
      }
    }
    std::ranges::sort(cuts_);
    if (!budget_.take(cuts_.size() * n)) return false;
    for (std::size_t c = 0; c + 1 < cuts_.size(); ++c) {
      const double t0 = cuts_[c], t1 = cuts_[c + 1];
      if (t1 <= t0) continue;
      piece_.clear();
      for (const Active& a : active_) {
        piece_.push_back({a.edge, a.u0 + t0 * (a.u1 - a.u0), a.u0 + t1 * (a.u1 - a.u0)});
      }
      if (!sort_by_middle(piece_)) return false;
      add_band(piece_, v0 + t0 * (v1 - v0), v0 + t1 * (v1 - v0));
    }
    return true;
  }

  /// The trapezoids between the first and second edge, the third and fourth, ...
  void add_band(const std::vector<Active>& active, double v0, double v1) {
    const double h = v1 - v0;
    for (std::size_t i = 0; i + 1 < active.size(); ++i) {
      const Active &l = active[i], &r = active[i + 1];
      const double w0 = r.u0 - l.u0, w1 = r.u1 - l.u1;
      if (std::abs(w0) <= kTouch && std::abs(w1) <= kTouch) {
        moments_.seam += std::hypot(h, r.u1 - r.u0);
      }
      if (i % 2 == 1) continue;
      moments_.area += h * (w0 + w1) / 2;
      moments_.u +=
          h / 6 *
          ((r.u0 * r.u0 + r.u0 * r.u1 + r.u1 * r.u1) - (l.u0 * l.u0 + l.u0 * l.u1 + l.u1 * l.u1));
      moments_.v += h * (v0 * (w0 + w1) / 2 + h * (w0 / 6 + w1 / 3));
    }
  }

  struct Flat {
    double v, from, to;
    friend auto operator<=>(const Flat&, const Flat&) = default;
  };

  Budget& budget_;
  std::vector<Edge> edges_;
  std::vector<Flat> flat_;
  std::vector<double> stops_;
  std::vector<Active> active_, piece_;
  std::vector<double> cuts_;
  RegionMoments moments_;
};

}  // namespace

std::optional<RegionMoments> even_odd_moments(std::span<const Polygon* const> polygons,
                                              Budget& budget) {
  return Sweep(polygons, budget).run();
}

double signed_area(const Polygon& polygon) {
  if (polygon.empty()) return 0;
  // From the first point, so that a contour far from the origin loses no digits.
  const Vec2 o = polygon.front();
  double twice = 0;
  for (std::size_t i = 1; i + 1 < polygon.size(); ++i) {
    const Vec2 a = polygon[i], b = polygon[i + 1];
    twice += (a.u - o.u) * (b.v - o.v) - (b.u - o.u) * (a.v - o.v);
  }
  return twice / 2;
}

double perimeter(const Polygon& polygon) {
  double sum = 0;
  for (std::size_t i = 0; i < polygon.size(); ++i) {
    const Vec2 a = polygon[i], b = polygon[i + 1 == polygon.size() ? 0 : i + 1];
    sum += std::hypot(b.u - a.u, b.v - a.v);
  }
  return sum;
}

bool contains(const Polygon& polygon, Vec2 point) {
  bool inside = false;
  for (std::size_t i = 0; i < polygon.size(); ++i) {
    const Vec2 a = polygon[i], b = polygon[i + 1 == polygon.size() ? 0 : i + 1];
    if ((a.v > point.v) == (b.v > point.v)) continue;
    if (a.u + (point.v - a.v) / (b.v - a.v) * (b.u - a.u) > point.u) inside = !inside;
  }
  return inside;
}

}  // namespace dr::rtstruct
