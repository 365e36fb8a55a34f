#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "rtstruct/checks.h"
#include "rtstruct/dvh.h"
#include "rtstruct/mask.h"
#include "rtstruct/reader.h"
#include "rtstruct/reference.h"

namespace dr::rtstruct {

/// All that was found out about one ROI.
struct RoiResult {
  std::string standard_name;
  Stack stack;
  Measures measures;
  std::shared_ptr<const ImageGrid> grid;  // none: from the contours alone
  std::optional<Mask> mask;               // where asked for and a grid is there
  std::vector<Finding> findings;          // of reading, stacking, measuring and checking
  std::vector<Dvh> dvhs;                  // one for each dose
};

/// All that was found out about one structure set; `rois` in the order of `set.rois`.
struct Extraction {
  StructureSet set;
  ReferenceVerdict reference;
  std::vector<RoiResult> rois;
};

struct ExtractOptions {
  bool masks = false;
  /// Polygons are dropped once a ROI is measured, unless meshes are wanted later.
  bool keep_stacks = false;
  Expectations expectations;
  unsigned threads = 1;
};

/// Measures, checks and rasterizes every ROI. `doses`: of the same frame of reference, or they are
/// passed over. Errors are findings; memory is that of the points and of one mask's runs a ROI.
Extraction extract(StructureSet set, const ReferenceSet& references, const std::vector<Dose>& doses,
                   const ExtractOptions& options);

/// The JSON of interfaces.md (one document, UTF-8, indented by two).
std::string to_json(const Extraction& extraction);

}  // namespace dr::rtstruct
