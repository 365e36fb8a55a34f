// The same structure sets through plastimatch and dicompyler-core (Debian packages).
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <sstream>

#include "rtstruct/extract.h"
#include "rtstruct/output.h"
#include "test/rtstruct/nifti_file.h"
#include "test/rtstruct/shared_rtstruct.h"
#include "test/support/process.h"
#include "test/support/temp_dir.h"

namespace dr::rtstruct {
namespace {

using namespace test;
using dr::test::TempDir;
namespace fs = std::filesystem;

struct Case {
  const char* structure_set;
  const char* images;  // empty: none there
};
// Of each planning system, and all that have their images.
constexpr Case kCases[] = {
    {"rtstruct/analytic-phantom/rtstruct.dcm", "rtstruct/analytic-phantom/ct"},
    {"rtstruct/rtutils-mim-phantom/rtstruct_mim.dcm", "rtstruct/rtutils-mim-phantom/ct"},
    {"rtstruct/tcia-sts001-mr-t2/rtstruct.dcm", "rtstruct/tcia-sts001-mr-t2/image"},
    {"rtstruct/ibsi-sts002/ct/rtstruct.dcm", "rtstruct/ibsi-sts002/ct/image"},
    {"rtstruct/ibsi-sts035/ct/rtstruct.dcm", "rtstruct/ibsi-sts035/ct/image"},
    {"rtstruct/dicompyler-breast/rtss.dcm", ""},
    {"rtstruct/lctsc-plastimatch/rtstruct.dcm", ""},
};

constexpr const char* kDicompyler = R"py(
import sys, logging
logging.disable(logging.CRITICAL)
from dicompylercore import dicomparser
rtss = dicomparser.DicomParser(sys.argv[1])
for number, structure in rtss.GetStructures().items():
    planes = rtss.GetStructureCoordinates(number)
    if len(planes) < 2 or structure['type'] == 'POINT': continue
    try:
        thickness = rtss.CalculatePlaneThickness(planes)
        print('%d\t%.6f' % (number, rtss.CalculateStructureVolume(planes, thickness)))
    except Exception as e:
        print('%d\t-1' % number)
)py";

std::map<int, double> dicompyler_volumes(const fs::path& file) {
  const auto run =
      dr::test::run({"/usr/bin/python3", "-W", "ignore", "-c", kDicompyler, file.string()});
  std::map<int, double> volumes;
  std::istringstream lines(run.output);
  int number = 0;
  double volume = 0;
  while (lines >> number >> volume) volumes[number] = volume;
  EXPECT_EQ(run.status, 0) << run.output;
  return volumes;
}

std::size_t count_names(const StructureSet& set, const std::string& name) {
  return static_cast<std::size_t>(
      std::ranges::count_if(set.rois, [&](const Roi& roi) { return roi.name == name; }));
}

/// Whether a contour lies inside another one of its plane.
bool nested(const Roi& roi) {
  const Stack stack = stack_contours(roi, nullptr);
  for (const Plane& plane : stack.planes) {
    for (const FlatContour& a : plane.contours) {
      for (const FlatContour& b : plane.contours) {
        if (&a != &b && contains(a.polygon, b.polygon.front())) return true;
      }
    }
  }
  return false;
}

TEST(Peers, VolumesAndMasksBesidePlastimatchAndDicompyler) {
  const auto shared = dr::test::shared_data("comparison with plastimatch and dicompyler-core");
  if (!shared) return;
  const TempDir folder;
  std::printf("%-34s %-22s %10s %10s %10s %10s %7s\n", "structure set", "ROI", "cm3", "mask cm3",
              "plastim.", "dicompyl.", "Dice");
  std::size_t masks = 0, volumes = 0;
  for (const Case& each : kCases) {
    const auto file = *shared / each.structure_set;
    const bool images = *each.images != 0;
    ReferenceSet references;
    fs::path peer;
    if (images) {
      references = *read_references(*shared / each.images);
      peer = folder / std::to_string(masks);
      const auto run =
          dr::test::run({"plastimatch", "convert", "--input", file.string(), "--referenced-ct",
                         (*shared / each.images).string(), "--output-prefix", peer.string(),
                         "--prefix-format", "nii.gz"});
      ASSERT_EQ(run.status, 0) << run.output;
    }
    ExtractOptions options;
    options.masks = true;
    const Extraction ours = extract(*read_file(file), references, {}, options);
    ASSERT_TRUE(write_masks(ours, folder / "ours", 1));
    const auto theirs = dicompyler_volumes(file);
    for (std::size_t i = 0; i < ours.rois.size(); ++i) {
      const Roi& roi = ours.set.rois[i];
      const RoiResult& result = ours.rois[i];
      const auto& volume = result.measures.volume;
      if (!volume || result.measures.planes.size() < 2) continue;
      double dice_value = -1, mask_volume = -1, plastimatch = -1, dicompyler = -1;
      const fs::path mask = peer / (roi.name + ".nii.gz");
      if (result.mask && fs::exists(mask) && count_names(ours.set, roi.name) == 1) {
        const NiftiFile a = read_nifti(folder / "ours" / (std::to_string(roi.number) + ".nii.gz"));
        const NiftiFile b = read_nifti(mask);
        dice_value = dice(a, b);
        mask_volume = a.volume();
        plastimatch = b.volume();
      }
      if (const auto at = theirs.find(roi.number); at != theirs.end()) dicompyler = at->second;
      std::printf("%-34.34s %-22.22s %10.4f %10.4f %10.4f %10.4f %7.4f\n", each.structure_set + 9,
                  roi.name.c_str(), *volume / 1000, mask_volume / 1000, plastimatch / 1000,
                  dicompyler, dice_value);
      // plastimatch fills holes that are contours of their own: it unites what XOR takes away.
      if (dice_value >= 0 && !nested(roi)) {
        EXPECT_GE(dice_value, 0.99) << each.structure_set << ' ' << roi.name;
        ++masks;
      }
      volumes += dicompyler > 0;
    }
  }
  EXPECT_GE(masks, 8U);
  EXPECT_GE(volumes, 10U);
}

}  // namespace
}  // namespace dr::rtstruct
