#pragma once

#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "dimse/base/bytes.h"
#include "dimse/base/result.h"
#include "rtstruct/image_grid.h"
#include "rtstruct/model.h"

namespace dr::rtstruct {

/// What is there for a structure set to refer to.
struct ReferenceSet {
  std::set<Uid> instances;         // every object that could be read
  std::vector<ImageSlice> slices;  // those that are single-frame images with a place in the patient
  std::vector<std::filesystem::path> doses;  // RT Dose files
};

/// Adds one object by its header: `head` is the start of its data set, some hundred KiB at most.
void add_reference(ReferenceSet& set, ByteSpan head, const Uid& transfer_syntax);

/// Reads the headers of all DICOM files below `folder`; other files are passed over. kIo,
/// kNotFound; kTooLong above `limit` files.
Result<ReferenceSet> read_references(const std::filesystem::path& folder,
                                     std::size_t limit = 200'000);

enum class Verdict { kComplete, kPartial, kMissing, kUnresolvable };
std::string_view name(Verdict verdict);

/// Whether the images that a structure set refers to are there.
struct ReferenceVerdict {
  Verdict verdict = Verdict::kUnresolvable;
  std::size_t referenced = 0;  // instances, each once
  std::size_t present = 0;
  std::string reason;
};

/// kUnresolvable: it refers to no image at all. Everything that contours or Referenced Frame of
/// Reference Sequence name counts.
ReferenceVerdict judge_references(const StructureSet& set, const ReferenceSet& references);

/// The grid on which a ROI is to be measured, and how it was found.
struct GridChoice {
  std::optional<ImageGrid> grid;
  std::vector<Finding> findings;
};

/// The series that holds most of the instances that the structure set refers to in this frame of
/// reference; else the one with most slices in that frame; else, where the structure set names no
/// frame at all, the only series, if it is of its study or names no frame either.
GridChoice choose_grid(const StructureSet& set, const Uid& frame_of_reference,
                       const ReferenceSet& references);

}  // namespace dr::rtstruct
