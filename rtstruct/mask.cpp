#include "rtstruct/mask.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace dr::rtstruct {
namespace {

/// The integers n with from ≤ n < to, within 0 … limit.
struct Range {
  std::uint16_t begin, end;
};
Range between(double from, double to, std::uint32_t limit) {
  const auto whole = [&](double x) {
    return static_cast<std::uint16_t>(std::clamp(std::ceil(x), 0.0, static_cast<double>(limit)));
  };
  return {whole(from), whole(to)};
}

/// Planes that lie in the slices.
class SliceFill {
 public:
  SliceFill(const Stack& stack, const ImageGrid& grid, Budget& budget)
      : grid_(grid), budget_(budget), origin_(stack.frame.flat(grid.origin)) {}

  bool fill(const Plane& plane, std::uint16_t k, std::vector<Run>& runs) {
    cuts_.clear();
    for (const FlatContour& contour : plane.contours) {
      const Polygon& polygon = contour.polygon;
      for (std::size_t i = 0; i < polygon.size(); ++i) {
        const Vec2 a = index(polygon[i]);
        cut(a, index(polygon[i + 1 == polygon.size() ? 0 : i + 1]));
      }
    }
    if (!budget_.take(cuts_.size() + 1)) return false;
    std::ranges::sort(
        cuts_, [](const Cut& a, const Cut& b) { return a.j != b.j ? a.j < b.j : a.i < b.i; });
    for (std::size_t c = 0; c + 1 < cuts_.size(); c += 2) {
      const Range range = between(cuts_[c].i, cuts_[c + 1].i, grid_.columns);
      if (range.begin < range.end) runs.push_back({k, cuts_[c].j, range.begin, range.end});
    }
    return true;
  }

 private:
  struct Cut {
    std::uint16_t j;
    double i;
  };

  /// In voxels.
  Vec2 index(Vec2 p) const {
    return {(p.u - origin_.u) / grid_.row_step, (p.v - origin_.v) / grid_.column_step};
  }

  /// Every row between the ends of an edge gets one cut; each closed polygon cuts a row evenly.
  void cut(Vec2 a, Vec2 b) {
    if (a.v > b.v) std::swap(a, b);
    const Range rows = between(a.v, b.v, grid_.rows);
    for (std::uint16_t j = rows.begin; j < rows.end; ++j) {
      cuts_.push_back({j, a.u + (j - a.v) / (b.v - a.v) * (b.u - a.u)});
    }
  }

  const ImageGrid& grid_;
  Budget& budget_;
  Vec2 origin_;
  std::vector<Cut> cuts_;
};

bool fill_slices(const Stack& stack, const Measures& measures, const ImageGrid& grid,
                 Budget& budget, std::vector<Run>& runs) {
  SliceFill slice(stack, grid, budget);
  const double first = dot(grid.origin, stack.frame.n);
  std::size_t p = 0;
  for (std::uint32_t k = 0; k < grid.slices; ++k) {
    const double position = first + k * grid.slice_step;
    const auto off = [&](std::size_t i) { return std::abs(stack.planes[i].position - position); };
    while (p + 1 < stack.planes.size() && off(p + 1) < off(p)) ++p;
    const double reach = std::max(measures.planes[p].thickness, grid.slice_step) / 2;
    // A plane half-way between two slices belongs to the upper one only.
    const double above = position - stack.planes[p].position;
    if (off(p) > reach || above == -reach) continue;
    if (!slice.fill(stack.planes[p], static_cast<std::uint16_t>(k), runs)) return false;
  }
  return true;
}

/// Planes of any orientation: each row of voxels is a line through them.
class RowCuts {
 public:
  RowCuts(const Stack& stack, const Measures& measures, const ImageGrid& grid, Budget& budget)
      : stack_(stack), measures_(measures), grid_(grid), budget_(budget) {
    const Vec3 along = grid.row_step * grid.row;
    step_ = stack.frame.flat(along);
    rise_ = dot(along, stack.frame.n);
  }

  bool run(std::vector<Run>& runs) {
    const auto [low, high] = index_box();
    const Range ks = between(low.z, high.z + 1, grid_.slices);
    const Range js = between(low.y, high.y + 1, grid_.rows);
    for (std::uint16_t k = ks.begin; k < ks.end; ++k) {
      for (std::uint16_t j = js.begin; j < js.end; ++j) {
        if (!row(k, j, runs)) return false;
      }
    }
    return true;
  }

 private:
  /// Of all points and half a slab beyond, in voxels.
  std::pair<Vec3, Vec3> index_box() const {
    constexpr double kFar = std::numeric_limits<double>::max();
    Vec3 low{kFar, kFar, kFar}, high{-kFar, -kFar, -kFar};
    for (std::size_t p = 0; p < stack_.planes.size(); ++p) {
      for (const FlatContour& contour : stack_.planes[p].contours) {
        for (const Vec2 q : contour.polygon) {
          for (const double side : {-0.5, 0.5}) {
            const Vec3 at = stack_.frame.point(
                q, stack_.planes[p].position + side * measures_.planes[p].thickness);
            const Vec3 off = at - grid_.origin;
            const Vec3 index{dot(off, grid_.row) / grid_.row_step,
                             dot(off, grid_.column) / grid_.column_step,
                             dot(off, grid_.normal) / grid_.slice_step};
            low = {std::min(low.x, index.x), std::min(low.y, index.y), std::min(low.z, index.z)};
            high = {std::max(high.x, index.x), std::max(high.y, index.y),
                    std::max(high.z, index.z)};
          }
        }
      }
    }
    return {low, high};
  }

  bool row(std::uint16_t k, std::uint16_t j, std::vector<Run>& runs) {
    const Vec3 start = grid_.at(0, j, k);
    const Vec2 from = stack_.frame.flat(start);
    const double height = dot(start, stack_.frame.n);
    for (std::size_t p = 0; p < stack_.planes.size(); ++p) {
      const double half = measures_.planes[p].thickness / 2;
      const double below = stack_.planes[p].position - half - height;
      const double above = stack_.planes[p].position + half - height;
      double first = 0, last = grid_.columns;
      if (std::abs(rise_) < 1e-9) {
        if (!(below <= 0 && 0 < above)) continue;
      } else {
        first = std::max(first, std::min(below / rise_, above / rise_));
        last = std::min(last, std::max(below / rise_, above / rise_));
        if (first >= last) continue;
      }
      if (!cut_plane(stack_.planes[p], from, first, last)) return false;
      for (std::size_t c = 0; c + 1 < cuts_.size(); c += 2) {
        const Range range =
            between(std::max(first, cuts_[c]), std::min(last, cuts_[c + 1]), grid_.columns);
        if (range.begin < range.end) runs.push_back({k, j, range.begin, range.end});
      }
    }
    return true;
  }

  /// Where the row enters and leaves the region, in voxels.
  bool cut_plane(const Plane& plane, Vec2 from, double first, double last) {
    cuts_.clear();
    const bool upright = std::hypot(step_.u, step_.v) < 1e-9;
    bool inside = false;
    for (const FlatContour& contour : plane.contours) {
      const Polygon& polygon = contour.polygon;
      if (!budget_.take(polygon.size())) return false;
      if (upright) {
        inside ^= contains(polygon, from);
        continue;
      }
      const auto side = [&](Vec2 q) { return step_.u * (q.v - from.v) - step_.v * (q.u - from.u); };
      double before = side(polygon.back());
      for (std::size_t i = 0; i < polygon.size(); ++i) {
        const double here = side(polygon[i]);
        if ((before > 0) != (here > 0)) {
          const Vec2 a = polygon[i == 0 ? polygon.size() - 1 : i - 1], b = polygon[i];
          const double t = before / (before - here);
          const Vec2 at{a.u + t * (b.u - a.u), a.v + t * (b.v - a.v)};
          cuts_.push_back(((at.u - from.u) * step_.u + (at.v - from.v) * step_.v) /
                          (step_.u * step_.u + step_.v * step_.v));
        }
        before = here;
      }
    }
    if (inside) cuts_ = {first, last};
    std::ranges::sort(cuts_);
    return true;
  }

  const Stack& stack_;
  const Measures& measures_;
  const ImageGrid& grid_;
  Budget& budget_;
  Vec2 step_;
  double rise_ = 0;
  std::vector<double> cuts_;
};

void merge(std::vector<Run>& runs) {
  std::ranges::sort(runs);
  std::size_t kept = 0;
  for (const Run& run : runs) {
    Run* last = kept > 0 ? &runs[kept - 1] : nullptr;
    if (last != nullptr && last->k == run.k && last->j == run.j && run.begin <= last->end) {
      last->end = std::max(last->end, run.end);
    } else {
      runs[kept++] = run;
    }
  }
  runs.resize(kept);
}

}  // namespace

std::optional<Mask> rasterize(const Stack& stack, const Measures& measures, const ImageGrid& grid,
                              Budget& budget) {
  Mask mask;
  if (stack.planes.empty() || !measures.thickness) return mask;
  const bool done = stack.along_grid ? fill_slices(stack, measures, grid, budget, mask.runs)
                                     : RowCuts(stack, measures, grid, budget).run(mask.runs);
  if (!done) return std::nullopt;
  merge(mask.runs);
  return mask;
}

}  // namespace dr::rtstruct
