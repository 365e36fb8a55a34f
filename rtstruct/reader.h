#pragma once

#include <string>

#include "dimse/base/bytes.h"
#include "dimse/base/result.h"
#include "dimse/base/uid.h"
#include "rtstruct/model.h"
#include "rtstruct/nesting.h"

namespace dr::rtstruct {

/// Ceilings of one structure set; far above what planning systems write.
struct ReadLimits {
  TreeLimits tree;
  std::size_t rois = 10'000;
  std::size_t contours = 1'000'000;
  std::size_t points = 20'000'000;
  std::size_t references = 1'000'000;
};

/// Reads an RT Structure Set (PS3.3 A.19.3) through DCMTK. What one contour or ROI has wrong
/// becomes a finding there and the rest is read on. kUnsupported: another SOP class; kMalformed:
/// octets that are no data set, or no SOP Instance UID; kTooLong: above a limit.
Result<StructureSet> read_structure_set(ByteSpan data_set, const Uid& transfer_syntax,
                                        const ReadLimits& limits = {});

/// A data set out of a file, and how it is encoded.
struct LoadedFile {
  Bytes data_set;
  Uid transfer_syntax;
};

/// Reads a DICOM file whole (PS3.10 7). A bare data set without file meta information is taken as
/// what its first element looks like: explicit or implicit VR little endian (PS3.5 10). kTooLong
/// above `limit` octets; else what Part10Reader says.
Result<LoadedFile> load_file(const std::string& path, std::size_t limit = 512U << 20);

}  // namespace dr::rtstruct
