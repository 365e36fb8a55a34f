#include "rtstruct/mesh.h"

#include <algorithm>
#include <cmath>

namespace dr::rtstruct {
namespace {

constexpr std::size_t kMargin = 2;  // empty voxels around the mask, so that every surface closes
constexpr std::uint64_t kMostField = 256'000'000;
constexpr float kInside = 0.5F;

/// The mask's bounding box with a margin, as occupancy 0 … 1.
class Field {
 public:
  explicit Field(const Mask& mask) {
    const Run first = mask.runs.front();
    low_ = {first.begin, first.j, first.k};
    std::array<std::size_t, 3> high = low_;
    for (const Run& run : mask.runs) {
      low_ = {std::min<std::size_t>(low_[0], run.begin), std::min<std::size_t>(low_[1], run.j),
              std::min<std::size_t>(low_[2], run.k)};
      high = {std::max<std::size_t>(high[0], run.end - 1U), std::max<std::size_t>(high[1], run.j),
              std::max<std::size_t>(high[2], run.k)};
    }
    for (std::size_t a = 0; a < 3; ++a) size_[a] = high[a] - low_[a] + 1 + 2 * kMargin;
  }

  std::uint64_t voxels() const { return std::uint64_t{size_[0]} * size_[1] * size_[2]; }
  std::size_t size(std::size_t axis) const { return size_[axis]; }
  std::size_t at(std::size_t i, std::size_t j, std::size_t k) const {
    return (k * size_[1] + j) * size_[0] + i;
  }
  float operator[](std::size_t voxel) const { return values_[voxel]; }
  /// Index in the whole grid of a place in the box.
  double whole(double place, std::size_t axis) const {
    return place + static_cast<double>(low_[axis]) - static_cast<double>(kMargin);
  }

  void fill(const Mask& mask) {
    values_.assign(voxels(), 0);
    for (const Run& run : mask.runs) {
      const std::size_t row =
          at(run.begin - low_[0] + kMargin, run.j - low_[1] + kMargin, run.k - low_[2] + kMargin);
      std::fill_n(values_.begin() + static_cast<std::ptrdiff_t>(row), run.end - run.begin, 1.0F);
    }
    std::vector<float> next(values_.size());
    const std::array<std::size_t, 3> strides{1, size_[0], size_[0] * size_[1]};
    for (const std::size_t stride : strides) {
      // The margin is empty: what wraps from row to row reads and writes zeros.
      for (std::size_t v = stride; v + stride < values_.size(); ++v) {
        next[v] = (values_[v - stride] + values_[v] + values_[v + stride]) / 3;
      }
      values_.swap(next);
    }
  }

 private:
  std::array<std::size_t, 3> low_{}, size_{};
  std::vector<float> values_;
};

class Nets {
 public:
  Nets(const Field& field, const ImageGrid& grid, Mesh& mesh)
      : field_(field), grid_(grid), mesh_(mesh), of_cell_(field.voxels(), kNone) {}

  void run() {
    each([&](std::size_t i, std::size_t j, std::size_t k) { point(i, j, k); });
    each([&](std::size_t i, std::size_t j, std::size_t k) { quads(i, j, k); });
  }

 private:
  static constexpr std::uint32_t kNone = UINT32_MAX;

  template <class Each>
  void each(Each cell) {
    for (std::size_t k = 0; k + 1 < field_.size(2); ++k) {
      for (std::size_t j = 0; j + 1 < field_.size(1); ++j) {
        for (std::size_t i = 0; i + 1 < field_.size(0); ++i) cell(i, j, k);
      }
    }
  }

  bool inside(std::size_t voxel) const { return field_[voxel] >= kInside; }

  /// The middle of the crossings of the twelve edges of a cell.
  void point(std::size_t i, std::size_t j, std::size_t k) {
    Vec3 sum;
    double crossings = 0;
    for (std::size_t axis = 0; axis < 3; ++axis) {
      for (std::size_t other = 0; other < 4; ++other) {
        std::array<std::size_t, 3> a{i, j, k};
        a[(axis + 1) % 3] += other & 1;
        a[(axis + 2) % 3] += other >> 1;
        std::array<std::size_t, 3> b = a;
        ++b[axis];
        const float x = field_[field_.at(a[0], a[1], a[2])],
                    y = field_[field_.at(b[0], b[1], b[2])];
        if ((x >= kInside) == (y >= kInside)) continue;
        std::array<double, 3> p{static_cast<double>(a[0]), static_cast<double>(a[1]),
                                static_cast<double>(a[2])};
        p[axis] += static_cast<double>((kInside - x) / (y - x));
        sum = sum + Vec3{p[0], p[1], p[2]};
        ++crossings;
      }
    }
    if (crossings == 0) return;
    const Vec3 p = (1 / crossings) * sum;
    of_cell_[field_.at(i, j, k)] = static_cast<std::uint32_t>(mesh_.points.size());
    mesh_.points.push_back(
        grid_.at(field_.whole(p.x, 0), field_.whole(p.y, 1), field_.whole(p.z, 2)));
  }

  /// An edge that is crossed has four cells around it.
  void quads(std::size_t i, std::size_t j, std::size_t k) {
    const std::array<std::size_t, 3> at{i, j, k};
    const bool here = inside(field_.at(i, j, k));
    for (std::size_t axis = 0; axis < 3; ++axis) {
      const std::size_t u = (axis + 1) % 3, v = (axis + 2) % 3;
      std::array<std::size_t, 3> next = at;
      ++next[axis];
      if (at[u] == 0 || at[v] == 0 || inside(field_.at(next[0], next[1], next[2])) == here)
        continue;
      const auto cell = [&](std::size_t du, std::size_t dv) {
        std::array<std::size_t, 3> c = at;
        c[u] -= du;
        c[v] -= dv;
        return of_cell_[field_.at(c[0], c[1], c[2])];
      };
      std::array<std::uint32_t, 4> ring{cell(1, 1), cell(0, 1), cell(0, 0), cell(1, 0)};
      if (!here) std::ranges::reverse(ring);
      mesh_.triangles.push_back({ring[0], ring[1], ring[2]});
      mesh_.triangles.push_back({ring[0], ring[2], ring[3]});
    }
  }

  const Field& field_;
  const ImageGrid& grid_;
  Mesh& mesh_;
  std::vector<std::uint32_t> of_cell_;
};

}  // namespace

double Mesh::volume() const {
  double sum = 0;
  for (const auto& [a, b, c] : triangles) sum += dot(points[a], cross(points[b], points[c]));
  return sum / 6;
}

double Mesh::area() const {
  double sum = 0;
  for (const auto& [a, b, c] : triangles) {
    sum += norm(cross(points[b] - points[a], points[c] - points[a]));
  }
  return sum / 2;
}

Result<Mesh> make_mesh(const Mask& mask, const ImageGrid& grid) {
  if (mask.runs.empty()) return Error{Errc::kNotFound, "no voxel"};
  Field field(mask);
  if (field.voxels() > kMostField) {
    return Error{Errc::kTooLong, "mesh voxels=" + std::to_string(field.voxels()) +
                                     " limit=" + std::to_string(kMostField)};
  }
  field.fill(mask);
  Mesh mesh;
  Nets(field, grid, mesh).run();
  return mesh;
}

ImageGrid grid_for(const Stack& stack, const Measures& measures) {
  ImageGrid grid;
  grid.row = stack.frame.u;
  grid.column = stack.frame.v;
  grid.normal = stack.frame.n;
  if (stack.planes.empty() || !measures.thickness) return grid;
  const Vec2 first = stack.planes.front().contours.front().polygon.front();
  Vec2 low = first, high = first;
  for (const Plane& plane : stack.planes) {
    for (const FlatContour& contour : plane.contours) {
      for (const Vec2 p : contour.polygon) {
        low = {std::min(low.u, p.u), std::min(low.v, p.v)};
        high = {std::max(high.u, p.u), std::max(high.v, p.v)};
      }
    }
  }
  const double step = std::max(0.2, std::max(high.u - low.u, high.v - low.v) / 100);
  const auto count = [](double length, double of) {
    return static_cast<std::uint32_t>(std::min(65535.0, std::ceil(length / of) + 1));
  };
  grid.row_step = grid.column_step = step;
  grid.slice_step = *measures.thickness;
  grid.columns = count(high.u - low.u, step);
  grid.rows = count(high.v - low.v, step);
  const double bottom = stack.planes.front().position, top = stack.planes.back().position;
  grid.slices = count(top - bottom, grid.slice_step);
  grid.origin = stack.frame.point(low, bottom);
  return grid;
}

Bytes stl(const Mesh& mesh) {
  Bytes out;
  out.reserve(84 + 50 * mesh.triangles.size());
  ByteWriter writer(out);
  writer.zeros(80);
  writer.le(static_cast<std::uint32_t>(mesh.triangles.size()));
  const auto put = [&](Vec3 p) {
    for (const double x : {p.x, p.y, p.z}) {
      writer.le(std::bit_cast<std::uint32_t>(static_cast<float>(x)));
    }
  };
  for (const auto& [a, b, c] : mesh.triangles) {
    const Vec3 p = mesh.points[a], q = mesh.points[b], r = mesh.points[c];
    put(unit(cross(q - p, r - p)));
    put(p);
    put(q);
    put(r);
    writer.le(std::uint16_t{0});
  }
  return out;
}

}  // namespace dr::rtstruct
