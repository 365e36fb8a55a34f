#include "rtstruct/measure.h"

#include <algorithm>
#include <random>

#include "test/rtstruct/phantoms.h"
#include "test/rtstruct/shared_rtstruct.h"

namespace dr::rtstruct {
namespace {

using namespace test;
using std::numbers::pi;

Measures measured(const Roi& roi, const ImageGrid* grid = nullptr) {
  const Stack stack = stack_contours(roi, grid);
  MeasureOptions options;
  options.grid = grid;
  return measure(roi, stack, options);
}

void expect_within(double value, double expected, double part, const char* what) {
  EXPECT_NEAR(value, expected, part * expected) << what;
}

void expect_shape(const Roi& roi, double volume, double surface, double part = 0.01) {
  const Measures m = measured(roi);
  ASSERT_TRUE(m.volume && m.surface);
  expect_within(*m.volume, volume, 0.005, "volume");
  expect_within(*m.surface, surface, part, "surface");
  EXPECT_TRUE(m.findings.empty()) << m.findings.front().text;
}

TEST(Measure, Sphere) { expect_shape(sphere(30), 4.0 / 3 * pi * 27000, 4 * pi * 900); }

TEST(Measure, SphereInObliquePlanesFarFromTheOrigin) {
  const Roi roi = sphere(30, 1, tilted(), {500, -800, 1200});
  expect_shape(roi, 4.0 / 3 * pi * 27000, 4 * pi * 900);
  const Measures m = measured(roi);
  EXPECT_LT(norm(*m.centroid - Vec3{500, -800, 1200}), 1e-6);
  EXPECT_NEAR(*m.equivalent_diameter, 60, 0.1);
}

TEST(Measure, SphereInSagittalPlanes) {
  const Frame sagittal{{0, 1, 0}, {0, 0, 1}, {1, 0, 0}};
  expect_shape(sphere(30, 1, sagittal, {7, 8, 9}), 4.0 / 3 * pi * 27000, 4 * pi * 900);
}

TEST(Measure, Cube) {
  expect_shape(cube(40), 64000, 9600);
  const Measures m = measured(cube(40));
  EXPECT_NEAR(*m.volume, 64000, 1e-6);
  EXPECT_NEAR(*m.surface, 9600, 1e-6);
  EXPECT_EQ(m.bounding_box->low, (Vec3{-20, -20, -19.5}));
  EXPECT_EQ(*m.spacing, 1);
}

TEST(Measure, TorusAsKeyholesAndAsXor) {
  const double volume = 2 * pi * pi * 30 * 100, surface = 4 * pi * pi * 30 * 10;
  for (const bool keyhole : {true, false}) {
    const Measures m = measured(torus(30, 10, keyhole));
    expect_within(*m.volume, volume, 0.005, "volume");
    // Flat caps half a plane beyond the last outlines are what planes can know of a round end.
    expect_within(*m.surface, surface, 0.03, "surface");
    EXPECT_LT(norm(*m.centroid), 1e-6);
  }
  const Measures a = measured(torus(30, 10, true)), b = measured(torus(30, 10, false));
  EXPECT_NEAR(*a.volume, *b.volume, 1e-3);
  EXPECT_NEAR(*a.surface, *b.surface, 1e-3 * *b.surface);
}

TEST(Measure, NestedShells) {
  const auto ball = [](double r) { return 4.0 / 3 * pi * r * r * r; };
  const auto skin = [](double r) { return 4 * pi * r * r; };
  expect_shape(nested_shells({30, 20, 10}), ball(30) - ball(20) + ball(10),
               skin(30) + skin(20) + skin(10), 0.015);
}

TEST(Measure, ObliqueCylinder) {
  // The outline in each plane is a circle; the lateral area is an elliptic integral.
  double lateral = 0;
  const int n = 100000;
  for (int i = 0; i < n; ++i) {
    const double t = std::cos(2 * pi * (i + 0.5) / n);
    lateral += std::sqrt(1 + t * t) * 2 * pi * 15 / n * 40;
  }
  expect_shape(oblique_cylinder(15, 40, 1.0), pi * 225 * 40, lateral + 2 * pi * 225);
  expect_shape(oblique_cylinder(15, 40, 0.0, 1, tilted()), pi * 225 * 40,
               2 * pi * 15 * 40 + 2 * pi * 225);
}

TEST(Measure, OrderOfContoursAndDoubledOnesChangeNothing) {
  Roi roi = torus(30, 10, false);
  const double volume = *measured(roi).volume;
  std::mt19937 random(7);
  std::ranges::shuffle(roi.contours, random);
  EXPECT_NEAR(*measured(roi).volume, volume, 1e-6);
  Contour twice = roi.contours[3];
  std::ranges::rotate(twice.points, twice.points.begin() + 10);
  std::ranges::reverse(twice.points);
  roi.contours.push_back(twice);
  const Stack stack = stack_contours(roi, nullptr);
  EXPECT_TRUE(has(stack.findings, "contour_doubled"));
  EXPECT_NEAR(*measured(roi).volume, volume, 1e-6);
}

TEST(Measure, GapsAreNamedAndNotFilled) {
  Roi roi = cube(40);
  roi.contours.erase(roi.contours.begin() + 10, roi.contours.begin() + 13);
  const Measures m = measured(roi);
  EXPECT_EQ(m.gaps, 3U);
  EXPECT_NEAR(*m.volume, 64000 - 3 * 1600, 1e-6);
  EXPECT_NEAR(m.gap_volume, 3 * 1600, 1e-6);
  EXPECT_TRUE(has(m.findings, "planes_missing"));
}

TEST(Measure, ImageStepDecidesWhereContoursSkipSlices) {
  Phantom phantom;
  for (int i = 0; i < 5; ++i) phantom.add(Phantom::circle(10), 6 * i);
  ImageGrid grid;
  grid.slice_step = 3;
  grid.slices = 40;
  grid.columns = grid.rows = 64;
  const double area = measured(phantom.roi()).planes[0].area;
  EXPECT_NEAR(*measured(phantom.roi()).volume, 30 * area, 1e-6);
  const Measures m = measured(phantom.roi(), &grid);
  EXPECT_NEAR(*m.volume, 15 * area, 1e-6);
  EXPECT_EQ(m.gaps, 4U);
}

TEST(Measure, BowTieCountsBothWingsAndIsNamed) {
  Phantom phantom;
  for (int i = 0; i < 3; ++i) phantom.add({{0, 0}, {10, 10}, {10, 0}, {0, 10}}, i);
  const Measures m = measured(phantom.roi());
  EXPECT_NEAR(*m.volume, 3 * 50, 1e-9);
  EXPECT_TRUE(has(m.findings, "contour_self_intersecting"));
}

TEST(Measure, OverlappingContoursAreXored) {
  Phantom phantom;
  for (int i = 0; i < 2; ++i) {
    phantom.add({{0, 0}, {10, 0}, {10, 10}, {0, 10}}, i);
    phantom.add({{5, 5}, {15, 5}, {15, 15}, {5, 15}}, i);
  }
  const Measures m = measured(phantom.roi());
  EXPECT_NEAR(*m.volume, 2 * 150, 1e-9);
  EXPECT_TRUE(has(m.findings, "contours_cross"));
}

TEST(Measure, OtherOrientationsDegenerateAndBentContoursAreNamed) {
  Phantom phantom;
  for (int i = 0; i < 4; ++i) phantom.add(Phantom::circle(10), i);
  phantom.add({{0, 0}, {1, 1}, {2, 2}}, 1);
  phantom.add({{0, 0}, {1, 1}}, 1);
  Roi roi = phantom.roi();
  Contour sagittal = roi.contours[0];
  for (Vec3& p : sagittal.points) p = {3, p.x / 2, p.y / 2};
  roi.contours.push_back(sagittal);
  Contour bent = roi.contours[0];
  for (Vec3& p : bent.points) p.z = p.x * p.y / 20;
  roi.contours.push_back(bent);
  const Stack stack = stack_contours(roi, nullptr);
  EXPECT_EQ(stack.planes.size(), 4U);
  for (const char* code :
       {"contour_degenerate", "contour_other_orientation", "contour_not_planar"}) {
    EXPECT_TRUE(has(stack.findings, code)) << code;
  }
}

TEST(Measure, ASinglePlaneHasNoVolumeUnlessItsThicknessIsKnown) {
  Phantom phantom;
  phantom.add({{0, 0}, {10, 0}, {10, 10}, {0, 10}}, 5);
  EXPECT_FALSE(measured(phantom.roi()).volume);
  EXPECT_TRUE(has(measured(phantom.roi()).findings, "thickness_unknown"));
  phantom.roi().contours[0].slab_thickness = 2.5;
  EXPECT_NEAR(*measured(phantom.roi()).volume, 250, 1e-9);
}

TEST(Measure, HostileContoursEndAsTooComplex) {
  std::mt19937 random(3);
  std::uniform_real_distribution<double> place(-100, 100);
  Phantom phantom;
  Phantom::Outline scribble;
  for (int i = 0; i < 3000; ++i) scribble.push_back({place(random), place(random)});
  phantom.add(scribble, 0);
  phantom.add(scribble, 1);
  const Stack stack = stack_contours(phantom.roi(), nullptr);
  MeasureOptions options;
  options.steps = 1'000'000;
  const Measures m = measure(phantom.roi(), stack, options);
  EXPECT_FALSE(m.volume);
  EXPECT_TRUE(has(m.findings, "too_complex"));
}

/// By another method: points on a fine lattice, each asked by ray casting which contours hold it.
double lattice_volume(const Stack& stack, const Measures& m) {
  double volume = 0;
  for (std::size_t i = 0; i < stack.planes.size(); ++i) {
    double u0 = 1e9, u1 = -1e9, v0 = 1e9, v1 = -1e9;
    for (const FlatContour& c : stack.planes[i].contours) {
      for (const Vec2 p : c.polygon) {
        u0 = std::min(u0, p.u);
        u1 = std::max(u1, p.u);
        v0 = std::min(v0, p.v);
        v1 = std::max(v1, p.v);
      }
    }
    const int n = 60;
    const double du = (u1 - u0) / n, dv = (v1 - v0) / n;
    std::size_t inside = 0;
    for (int y = 0; y < n; ++y) {
      for (int x = 0; x < n; ++x) {
        // Shifted from row to row, so that no straight edge lies along the lattice.
        const Vec2 at{u0 + (x + std::fmod(0.618 * y, 1.0)) * du, v0 + (y + 0.5) * dv};
        bool odd = false;
        for (const FlatContour& c : stack.planes[i].contours) odd ^= contains(c.polygon, at);
        inside += odd;
      }
    }
    volume += static_cast<double>(inside) * du * dv * m.planes[i].thickness;
  }
  return volume;
}

TEST(Measure, VolumesOfEverySharedRoiAgreeWithTheFactsAndWithALattice) {
  const auto shared = dr::test::shared_data("volumes of real structure sets");
  if (!shared) return;
  std::size_t compared = 0;
  std::map<std::string, StructureSet> sets;
  std::map<std::string, std::size_t> at;
  for (const auto& fact : read_tsv(*shared / "rtstruct-facts.tsv")) {
    const std::string& file = fact.at("file");
    if (!sets.contains(file)) sets[file] = *read_file(*shared / file);
    const Roi& roi = sets[file].rois[at[file]++];
    SCOPED_TRACE(file + " ROI " + roi.name);
    const Stack stack = stack_contours(roi, nullptr);
    const Measures m = measure(roi, stack, {});
    if (!fact.at("planes").empty() && !has(stack.findings, "contour_degenerate")) {
      EXPECT_EQ(std::to_string(stack.planes.size()), fact.at("planes"));
    }
    if (fact.at("parity_volume_mm3").empty()) continue;
    ASSERT_TRUE(m.volume && m.surface);
    expect_within(*m.volume, std::stod(fact.at("parity_volume_mm3")), 0.01, "facts");
    expect_within(*m.volume, lattice_volume(stack, m), 0.01, "lattice");
    EXPECT_NEAR(*m.spacing, std::stod(fact.at("plane_spacing_median_mm")), 1e-3);
    EXPECT_NEAR(m.bounding_box->low.x, std::stod(fact.at("min_x")), 1e-3);
    EXPECT_NEAR(m.bounding_box->high.z, std::stod(fact.at("max_z")), 1e-3);
    // Isoperimetric: no body has less surface than the sphere of its volume.
    EXPECT_GE(*m.surface, 0.98 * pi * *m.equivalent_diameter * *m.equivalent_diameter);
    ++compared;
  }
  EXPECT_GT(compared, 30U);
}

}  // namespace
}  // namespace dr::rtstruct
