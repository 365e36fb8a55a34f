#pragma once

#include "dimse/base/bytes.h"
#include "dimse/base/result.h"
#include "dimse/base/uid.h"
#include "rtstruct/extract.h"

namespace dr::rtstruct {

/// Identifiers of the objects made from one structure set. Who stores them decides: the same ones
/// for the same structure set make a repeated extraction replace, not add. Empty: new ones.
struct ResultUids {
  Uid segmentation, segmentation_series;
  Uid report, report_series;
};
/// Fills in what is empty, with new_uid().
ResultUids complete(ResultUids uids);

/// Frames of a segmentation, octets at one bit a voxel: above it none is written.
inline constexpr std::uint64_t kMostSegmentation = 256U << 20;

/// A random identifier below 2.25 (PS3.5 B.2).
Uid new_uid();

/// The masks of one image series as a DICOM Segmentation (PS3.3 A.51, binary): a segment for
/// each ROI with a mask, a frame for each slice of it, in the study and frame of reference of the
/// images, patient and study as in the structure set. Of several series that with most masks. A
/// data set in explicit VR little endian. kNotFound: no mask; kTooLong: kMostSegmentation, or more
/// than 65535 segments. `segments` gives the segment number of each ROI, 0 for none.
Result<Bytes> make_segmentation(const Extraction& extraction, const ResultUids& uids,
                                std::vector<std::uint16_t>& segments);

/// Volume, surface and diameter of each segmented ROI as a measurement report
/// (PS3.16 TID 1500, with TID 1411) in a Comprehensive SR (PS3.3 A.35.3) that refers to the
/// segmentation; a data set likewise. `segments`: as make_segmentation() gave them. kNotFound:
/// nothing measured.
Result<Bytes> make_report(const Extraction& extraction, const ResultUids& uids,
                          const std::vector<std::uint16_t>& segments);

}  // namespace dr::rtstruct
