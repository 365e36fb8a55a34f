#pragma once

#include "dimse/base/bytes.h"
#include "dimse/base/result.h"
#include "rtstruct/mask.h"

namespace dr::rtstruct {

/// The mask as a gzipped NIfTI-1 file (one octet a voxel, 1 inside; nifti1.h of the NIfTI Data
/// Format Working Group, 2007): the whole grid, in the order of ImageGrid, with sform and qform in
/// NIfTI's axes (x to the right, y to the front: DICOM's x and y negated). Holds no name and no
/// identifier. kTooLong: more than 32767 voxels along an axis.
Result<Bytes> nifti_gz(const Mask& mask, const ImageGrid& grid);

}  // namespace dr::rtstruct
