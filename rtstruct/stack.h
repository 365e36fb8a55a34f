#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "rtstruct/image_grid.h"
#include "rtstruct/model.h"
#include "rtstruct/region.h"

namespace dr::rtstruct {

/// One closed contour, laid into its plane.
struct FlatContour {
  std::size_t index = 0;  // in Roi::contours
  Polygon polygon;        // without repeated points
  double area = 0;        // mm², as the polygon runs: positive or negative
  double perimeter = 0;   // mm
  double position = 0;    // along the normal, mm
};

/// All closed contours of a ROI in one plane.
struct Plane {
  double position = 0;  // along the normal, mm from the patient's origin
  std::vector<FlatContour> contours;

  std::vector<const Polygon*> polygons() const {
    std::vector<const Polygon*> all;
    for (const FlatContour& contour : contours) all.push_back(&contour.polygon);
    return all;
  }
};

/// The closed contours of one ROI as parallel planes, ascending, however they were ordered in the
/// file and whichever way they are turned.
struct Stack {
  Frame frame;
  bool along_grid = false;  // the planes are parallel to the image slices
  std::vector<Plane> planes;
  double spacing = 0;  // median distance of neighbouring planes, mm; 0 for fewer than two
  std::vector<Finding> findings;
};

/// Finds the one orientation in which most of the contours (by area) lie: that of the images where
/// they lie in it, else a coordinate axis where it is one within 0.06°, else the normal of the
/// largest contours (Newell's method; Sutherland, Sproull, Schumacker, ACM Comput. Surv. 6, 1974).
/// Contours of other orientations, degenerate and doubled ones are left out and named in findings.
Stack stack_contours(const Roi& roi, const ImageGrid* grid);

}  // namespace dr::rtstruct
