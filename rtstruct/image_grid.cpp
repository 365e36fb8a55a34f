#include "rtstruct/image_grid.h"

#include <algorithm>
#include <cmath>

namespace dr::rtstruct {
namespace {

constexpr double kSamePlace = 0.01;      // mm
constexpr double kSameDirection = 1e-3;  // of a unit vector
constexpr double kStepTolerance = 0.05;  // of a step, from where a slice should lie

bool same_shape(const ImageSlice& a, const ImageSlice& b) {
  return a.columns == b.columns && a.rows == b.rows && norm(a.row - b.row) < kSameDirection &&
         norm(a.column - b.column) < kSameDirection &&
         std::abs(a.row_step - b.row_step) < 1e-4 * a.row_step &&
         std::abs(a.column_step - b.column_step) < 1e-4 * a.column_step;
}

struct Placed {
  double position;
  const ImageSlice* slice;
};

std::vector<Placed> place(std::span<const ImageSlice> slices, Vec3 normal) {
  std::vector<Placed> placed;
  for (const ImageSlice& slice : slices) placed.push_back({dot(slice.position, normal), &slice});
  std::ranges::sort(placed, {}, &Placed::position);
  const auto twice = std::unique(
      placed.begin(), placed.end(),
      [](const Placed& a, const Placed& b) { return b.position - a.position < kSamePlace; });
  placed.erase(twice, placed.end());
  return placed;
}

}  // namespace

Result<ImageGrid> make_grid(std::span<const ImageSlice> slices) {
  if (slices.empty()) return Error{Errc::kInvalid, "no slices"};
  const ImageSlice& first = slices.front();
  for (const ImageSlice& slice : slices) {
    if (!same_shape(first, slice)) {
      return Error{Errc::kInvalid, "slices of different orientation, size or spacing"};
    }
  }
  ImageGrid grid;
  grid.row = first.row;
  grid.column = first.column;
  grid.normal = unit(cross(first.row, first.column));
  const std::vector<Placed> placed = place(slices, grid.normal);
  if (placed.size() < 2) return Error{Errc::kInvalid, "fewer than two slices"};
  std::vector<double> steps;
  for (std::size_t i = 1; i < placed.size(); ++i) {
    steps.push_back(placed[i].position - placed[i - 1].position);
  }
  std::ranges::nth_element(steps, steps.begin() + static_cast<std::ptrdiff_t>(steps.size() / 2));
  double step = steps[steps.size() / 2];
  const double length = placed.back().position - placed.front().position;
  const double count = std::round(length / step);
  if (!(count >= 1 && count < 65535)) return Error{Errc::kInvalid, "slices at odd distances"};
  step = length / count;
  grid.origin = placed.front().slice->position;
  grid.row_step = first.row_step;
  grid.column_step = first.column_step;
  grid.slice_step = step;
  grid.columns = first.columns;
  grid.rows = first.rows;
  grid.slices = static_cast<std::uint32_t>(count) + 1;
  grid.frame_of_reference = first.frame_of_reference;
  grid.series = first.series;
  grid.study = first.study;
  grid.sop_class = first.sop_class_uid;
  if (grid.voxels() > kMostVoxels || grid.columns > 65535 || grid.rows > 65535) {
    return Error{Errc::kTooLong, "voxels=" + std::to_string(grid.voxels()) +
                                     " limit=" + std::to_string(kMostVoxels)};
  }
  grid.instances.resize(grid.slices);
  for (const Placed& each : placed) {
    const double k = (each.position - placed.front().position) / step;
    const Vec3 off = each.slice->position - grid.origin;
    const Vec3 aside = off - dot(off, grid.normal) * grid.normal;
    if (std::abs(k - std::round(k)) > kStepTolerance) {
      return Error{Errc::kInvalid, "slices at odd distances"};
    }
    if (norm(aside) > 0.1 * std::min(grid.row_step, grid.column_step)) {
      return Error{Errc::kInvalid, "slices shifted in their planes (tilted gantry)"};
    }
    grid.instances[static_cast<std::size_t>(std::lround(k))] = each.slice->sop_instance_uid;
  }
  grid.missing = grid.slices - static_cast<std::uint32_t>(placed.size());
  return grid;
}

}  // namespace dr::rtstruct
