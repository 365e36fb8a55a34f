#pragma once

#include <filesystem>

#include "dimse/base/bytes.h"
#include "dimse/base/result.h"
#include "rtstruct/extract.h"

namespace dr::rtstruct {

/// Writes `octets` to `path`, in the place of what is there, never through a symbolic link: to a
/// file beside it that then takes the name. kIo, kNoSpace.
Result<void> write_file(const std::filesystem::path& path, ByteSpan octets);

/// Writes the surface of each ROI that has a volume to `folder`/<ROI number>.stl: of its mask, or
/// where there are no images, of one on a grid along its planes (needs
/// ExtractOptions::keep_stacks).
Result<void> write_meshes(const Extraction& extraction, const std::filesystem::path& folder);

/// Writes a data set in explicit VR little endian as a Part 10 file (PS3.10 7.1). As write_file().
Result<void> write_object(const std::filesystem::path& path, std::string_view sop_class_uid,
                          const Uid& sop_instance_uid, ByteSpan data_set);

/// Writes `folder`/segmentation.dcm and `folder`/report.dcm (results.h). kNotFound: no ROI has a
/// mask.
Result<void> write_objects(const Extraction& extraction, const std::filesystem::path& folder);

/// Writes the mask of each ROI that has one to `folder`/<ROI number>.nii.gz (no name of a ROI ever
/// becomes a file's); makes the folder. One mask at a time and thread is in memory.
Result<void> write_masks(const Extraction& extraction, const std::filesystem::path& folder,
                         unsigned threads);

}  // namespace dr::rtstruct
