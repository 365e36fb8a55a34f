#pragma once

#include <filesystem>

#include "dimse/base/result.h"
#include "dimse/base/uid.h"
#include "rtstruct/extract.h"

namespace dr::rtstruct {

/// Identifiers of the objects made from one structure set. Who stores them decides: the same ones
/// for the same structure set make a repeated extraction replace, not add. Empty: new ones (2.25…
/// or DCMTK's root).
struct ResultUids {
  Uid segmentation, segmentation_series;
  Uid report, report_series;
};
/// Fills in what is empty.
ResultUids complete(ResultUids uids);

/// Frames of a segmentation, octets at one bit a voxel: above it none is written.
inline constexpr std::uint64_t kMostSegmentation = 256U << 20;

/// Writes the masks of one image series as DICOM Segmentation (PS3.3 A.51, binary): a segment for
/// each ROI with a mask, a frame for each slice of it, in the study and frame of reference of the
/// images, patient and study as in the structure set. Of several series that with most masks.
/// kNotFound: no mask; kTooLong: kMostSegmentation, or more than 65535 segments; kIo. `segments`
/// gives the segment number of each ROI, 0 for none.
Result<void> write_segmentation(const Extraction& extraction, const ResultUids& uids,
                                const std::filesystem::path& path,
                                std::vector<std::uint16_t>& segments);

/// Writes volume, surface and diameter of each segmented ROI as a measurement report
/// (PS3.16 TID 1500, with TID 1411) in a Comprehensive SR (PS3.3 A.35.3) that refers to the
/// segmentation. `segments`: as write_segmentation() gave them. kNotFound: nothing measured; kIo.
Result<void> write_report(const Extraction& extraction, const ResultUids& uids,
                          const std::vector<std::uint16_t>& segments,
                          const std::filesystem::path& path);

}  // namespace dr::rtstruct
