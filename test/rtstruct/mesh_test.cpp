#include "rtstruct/mesh.h"

#include <map>

#include <gtest/gtest.h>

#include "test/rtstruct/phantoms.h"

namespace dr::rtstruct {
namespace {

using namespace test;
using std::numbers::pi;

Mesh mesh_of(const Roi& roi) {
  Stack stack = stack_contours(roi, nullptr);
  const Measures measures = measure(roi, stack, {});
  const ImageGrid grid = grid_for(stack, measures);
  stack.along_grid = true;
  Budget budget(1'000'000'000);
  const auto mask = rasterize(stack, measures, grid, budget);
  auto mesh = make_mesh(*mask, grid);
  EXPECT_TRUE(mesh);
  return *mesh;
}

void expect_watertight(const Mesh& mesh) {
  std::map<std::pair<std::uint32_t, std::uint32_t>, int> edges;
  for (const auto& t : mesh.triangles) {
    for (std::size_t e = 0; e < 3; ++e) {
      const std::uint32_t a = t[e], b = t[(e + 1) % 3];
      ASSERT_LT(a, mesh.points.size());
      edges[{std::min(a, b), std::max(a, b)}] += a < b ? 1 : -1;
    }
  }
  for (const auto& [edge, balance] : edges) EXPECT_EQ(balance, 0);
}

TEST(Mesh, SphereIsClosedAndHasItsVolumeAndSurface) {
  const Mesh mesh = mesh_of(sphere(30, 1, tilted(), {100, 50, -20}));
  expect_watertight(mesh);
  EXPECT_NEAR(mesh.volume(), 4.0 / 3 * pi * 27000, 0.02 * 4.0 / 3 * pi * 27000);
  EXPECT_NEAR(mesh.area(), 4 * pi * 900, 0.03 * 4 * pi * 900);
  for (const Vec3 p : mesh.points) EXPECT_NEAR(norm(p - Vec3{100, 50, -20}), 30, 1);
}

TEST(Mesh, TorusAndShellsKeepTheirHoles) {
  const Mesh ring = mesh_of(torus(30, 10, true));
  expect_watertight(ring);
  EXPECT_NEAR(ring.volume(), 2 * pi * pi * 30 * 100, 0.03 * 2 * pi * pi * 30 * 100);
  // Euler's characteristic of a torus is 0.
  EXPECT_EQ(ring.points.size() + ring.triangles.size(), ring.triangles.size() * 3 / 2);
  const Mesh shells = mesh_of(nested_shells({30, 20}));
  expect_watertight(shells);
  EXPECT_NEAR(shells.volume(), 4.0 / 3 * pi * 19000, 0.02 * 4.0 / 3 * pi * 27000);
}

TEST(Mesh, StlHasFiftyOctetsATriangle) {
  const Mesh mesh = mesh_of(cube(10));
  const Bytes octets = stl(mesh);
  ASSERT_EQ(octets.size(), 84 + 50 * mesh.triangles.size());
  EXPECT_EQ(load_le<std::uint32_t>(octets.data() + 80), mesh.triangles.size());
}

TEST(Mesh, AnEmptyMaskHasNone) { EXPECT_FALSE(make_mesh({}, ImageGrid{})); }

}  // namespace
}  // namespace dr::rtstruct
