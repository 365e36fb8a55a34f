// Writes what rtstruct.sh measures with: a CT of 512 x 512 x 200 voxels, and a structure set of 100
// ROIs with 100 contours of 100 points each.
//
//   rtstruct_phantom FOLDER
#include <cstdio>
#include <numbers>

#include "test/rtstruct/dicom_writer.h"
#include "test/rtstruct/phantoms.h"

int main(int argc, char** argv) {
  using namespace dr::rtstruct;
  if (argc != 2) return 2;
  ImageGrid grid;
  grid.columns = grid.rows = 512;
  grid.slices = 200;
  grid.row_step = grid.column_step = 1;
  grid.slice_step = 2;
  grid.origin = {-255.5, -255.5, -200};
  const test::DicomWriter writer(grid);
  std::vector<Roi> rois;
  for (int n = 0; n < 100; ++n) {
    // Lobed outlines of 10 to 60 mm around places all over the images.
    test::Phantom phantom;
    const double radius = 10 + n / 2, x = -180 + 40 * (n % 10), y = -180 + 40 * (n / 10);
    for (int k = 0; k < 100; ++k) {
      test::Phantom::Outline outline;
      for (int i = 0; i < 100; ++i) {
        const double a = 2 * std::numbers::pi * i / 100;
        const double r = radius * (1 + 0.2 * std::sin(5 * a + 0.05 * k));
        outline.push_back({x + r * std::cos(a), y + r * std::sin(a)});
      }
      phantom.add(outline, -100 + 2 * k);
    }
    Roi roi = phantom.roi();
    roi.number = n + 1;
    roi.name = "ROI_" + std::to_string(n + 1);
    rois.push_back(std::move(roi));
  }
  const std::filesystem::path folder = argv[1];
  writer.write_ct(folder / "ct");
  writer.write_structure_set(rois, folder / "rtstruct.dcm");
  return 0;
}
