#include "rtstruct/reference.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

#include "dimse/encoding/header_scanner.h"
#include "dimse/file/part10_reader.h"
#include "rtstruct/decimal.h"

namespace dr::rtstruct {
namespace {

using encoding::Tag;

constexpr std::string_view kRtDoseStorage = "1.2.840.10008.5.1.4.1.1.481.2";
constexpr std::size_t kHead = 64U << 10;
constexpr std::size_t kMostHead = 4U << 20;
constexpr Tag kFrameOfReference{0x0020, 0x0052}, kPosition{0x0020, 0x0032},
    kOrientation{0x0020, 0x0037}, kFrames{0x0028, 0x0008}, kRows{0x0028, 0x0010},
    kColumns{0x0028, 0x0011}, kPixelSpacing{0x0028, 0x0030};

const encoding::ScanPlan& plan() {
  static const encoding::ScanPlan kPlan(
      {encoding::tags::kSopClassUid, encoding::tags::kSopInstanceUid,
       encoding::tags::kStudyInstanceUid, encoding::tags::kSeriesInstanceUid, kFrameOfReference,
       kPosition, kOrientation, kFrames, kRows, kColumns, kPixelSpacing});
  return kPlan;
}

Uid uid(const encoding::HeaderScanner& scan, Tag tag) {
  const auto* element = scan.find(tag);
  auto parsed = element ? Uid::parse(trim_padding(as_text(element->value)))
                        : Result<Uid>(Error{Errc::kNotFound, ""});
  return parsed ? *parsed : Uid();
}

std::vector<double> decimals(const encoding::HeaderScanner& scan, Tag tag, std::size_t count) {
  const auto* element = scan.find(tag);
  if (element == nullptr) return {};
  auto values = parse_decimals(as_text(element->value));
  return values && values->size() == count ? *values : std::vector<double>();
}

std::uint32_t u16(const encoding::HeaderScanner& scan, Tag tag) {
  const auto* element = scan.find(tag);
  if (element == nullptr || element->value.size() != 2) return 0;
  return element->big_endian ? load_be<std::uint16_t>(element->value.data())
                             : load_le<std::uint16_t>(element->value.data());
}

/// PS3.3 C.7.6.2: nullopt for what has no place or no regular voxels.
std::optional<ImageSlice> slice_of(const encoding::HeaderScanner& scan) {
  const auto position = decimals(scan, kPosition, 3), orientation = decimals(scan, kOrientation, 6),
             spacing = decimals(scan, kPixelSpacing, 2);
  ImageSlice slice;
  slice.columns = u16(scan, kColumns);
  slice.rows = u16(scan, kRows);
  if (position.empty() || orientation.empty() || spacing.empty() || slice.columns == 0 ||
      slice.rows == 0) {
    return std::nullopt;
  }
  slice.position = {position[0], position[1], position[2]};
  slice.row = {orientation[0], orientation[1], orientation[2]};
  slice.column = {orientation[3], orientation[4], orientation[5]};
  slice.row_step = spacing[1];
  slice.column_step = spacing[0];
  const auto near = [](double x, double y) { return std::abs(x - y) < 1e-2; };
  const bool sound = near(norm(slice.row), 1) && near(norm(slice.column), 1) &&
                     near(dot(slice.row, slice.column), 0) && slice.row_step > 1e-3 &&
                     slice.column_step > 1e-3 && slice.row_step < 1e3 && slice.column_step < 1e3 &&
                     norm(slice.position) < 2 * kFurthest;
  if (!sound) return std::nullopt;
  slice.row = unit(slice.row);
  slice.column = unit(slice.column - dot(slice.column, slice.row) * slice.row);
  slice.sop_class_uid = uid(scan, encoding::tags::kSopClassUid);
  slice.sop_instance_uid = uid(scan, encoding::tags::kSopInstanceUid);
  slice.series = uid(scan, encoding::tags::kSeriesInstanceUid);
  slice.study = uid(scan, encoding::tags::kStudyInstanceUid);
  slice.frame_of_reference = uid(scan, kFrameOfReference);
  return slice;
}

void add_scanned(ReferenceSet& set, const encoding::HeaderScanner& scan) {
  const Uid instance = uid(scan, encoding::tags::kSopInstanceUid);
  if (instance.empty() || !set.instances.insert(instance).second) return;
  const auto* frames = scan.find(kFrames);
  if (frames != nullptr && parse_decimal(as_text(frames->value)).value_or(1) != 1) return;
  if (auto slice = slice_of(scan)) set.slices.push_back(*slice);
}

void add_file(ReferenceSet& set, const std::filesystem::path& path) {
  auto file = file::Part10Reader::open(path.string());
  if (!file) return;
  encoding::HeaderScanner scan(plan(), file->header().transfer_syntax_uid);
  Bytes piece(kHead);
  std::uint64_t at = 0;
  while (scan.state() == encoding::HeaderScanner::State::kMore && at < kMostHead) {
    const auto n = file->read(at, piece);
    if (!n || *n == 0) break;
    scan.feed(ByteSpan(piece).first(*n));
    at += *n;
  }
  scan.finish();
  if (file->header().sop_class_uid == kRtDoseStorage) {
    set.instances.insert(file->header().sop_instance_uid);
    set.doses.push_back(path);
    return;
  }
  add_scanned(set, scan);
}

std::set<Uid> referenced_in(const StructureSet& set, const Uid& frame) {
  std::set<Uid> all;
  for (const ReferencedSeries& series : set.series) {
    if (series.frame_of_reference == frame) {
      all.insert(series.instances.begin(), series.instances.end());
    }
  }
  for (const Roi& roi : set.rois) {
    if (!(roi.frame_of_reference == frame)) continue;
    for (const Contour& contour : roi.contours) {
      if (!contour.image.empty()) all.insert(contour.image);
    }
  }
  return all;
}

struct Series {
  std::vector<ImageSlice> slices;
  std::size_t referenced = 0;
};

const Series* best(const std::map<Uid, Series>& all, auto score) {
  const Series* chosen = nullptr;
  std::size_t most = 0;
  for (const auto& [uid, series] : all) {
    const std::size_t value = score(series);
    if (value > most) {
      most = value;
      chosen = &series;
    }
  }
  return chosen;
}

}  // namespace

void add_reference(ReferenceSet& set, ByteSpan head, const Uid& transfer_syntax) {
  encoding::HeaderScanner scan(plan(), transfer_syntax);
  scan.feed(head);
  scan.finish();
  add_scanned(set, scan);
}

Result<ReferenceSet> read_references(const std::filesystem::path& folder, std::size_t limit) {
  std::error_code failed;
  if (!std::filesystem::is_directory(folder, failed)) {
    return Error{Errc::kNotFound, "no such folder"};
  }
  ReferenceSet set;
  std::size_t files = 0;
  std::filesystem::recursive_directory_iterator at(folder, failed), end;
  for (; !failed && at != end; at.increment(failed)) {
    std::error_code unreadable;
    if (!at->is_regular_file(unreadable)) continue;
    if (++files > limit) return Error{Errc::kTooLong, "files limit=" + std::to_string(limit)};
    add_file(set, at->path());
  }
  if (failed) return Error{Errc::kIo, failed.message()};
  std::ranges::sort(set.doses);
  return set;
}

std::string_view name(Verdict verdict) {
  switch (verdict) {
    case Verdict::kComplete:
      return "complete";
    case Verdict::kPartial:
      return "partial";
    case Verdict::kMissing:
      return "missing";
    case Verdict::kUnresolvable:
      return "unresolvable";
  }
  return "unresolvable";
}

ReferenceVerdict judge_references(const StructureSet& set, const ReferenceSet& references) {
  std::set<Uid> all(set.contour_images.begin(), set.contour_images.end());
  for (const ReferencedSeries& series : set.series) {
    all.insert(series.instances.begin(), series.instances.end());
  }
  ReferenceVerdict verdict;
  verdict.referenced = all.size();
  for (const Uid& uid : all) verdict.present += references.instances.contains(uid);
  if (all.empty()) {
    verdict.reason = "the structure set refers to no image";
  } else if (verdict.present == all.size()) {
    verdict.verdict = Verdict::kComplete;
  } else {
    verdict.verdict = verdict.present == 0 ? Verdict::kMissing : Verdict::kPartial;
    verdict.reason = std::to_string(all.size() - verdict.present) + " of " +
                     std::to_string(all.size()) + " instances referred to are not there";
  }
  return verdict;
}

GridChoice choose_grid(const StructureSet& set, const Uid& frame_of_reference,
                       const ReferenceSet& references) {
  GridChoice choice;
  const auto tell = [&](const char* code, Severity severity, std::string text) {
    choice.findings.push_back({code, severity, std::move(text)});
  };
  const std::set<Uid> referenced = referenced_in(set, frame_of_reference);
  std::map<Uid, Series> all;
  for (const ImageSlice& slice : references.slices) {
    Series& series = all[slice.series];
    series.slices.push_back(slice);
    series.referenced += referenced.contains(slice.sop_instance_uid);
  }
  const Series* chosen = best(all, [](const Series& s) { return s.referenced; });
  if (chosen != nullptr && !(chosen->slices.front().frame_of_reference == frame_of_reference)) {
    tell("frame_of_reference_mismatch", Severity::kWarning,
         "the images referred to have another frame of reference than the ROI; the references "
         "count");
  }
  if (chosen == nullptr && !frame_of_reference.empty()) {
    chosen = best(all, [&](const Series& s) {
      return s.slices.front().frame_of_reference == frame_of_reference ? s.slices.size() : 0;
    });
    if (chosen != nullptr) {
      tell("images_by_frame_of_reference", Severity::kInfo,
           "none of the images referred to is there; others of the same frame of reference are "
           "used");
    }
  }
  if (chosen == nullptr && frame_of_reference.empty() && referenced.empty() && all.size() == 1 &&
      (all.begin()->second.slices.front().study == set.patient_study.study_instance_uid ||
       all.begin()->second.slices.front().frame_of_reference.empty())) {
    chosen = &all.begin()->second;
    tell("frame_of_reference_assumed", Severity::kWarning,
         "no frame of reference and no image named; the only series that is there is used");
  }
  if (chosen == nullptr) return choice;
  auto grid = make_grid(chosen->slices);
  if (grid) {
    choice.grid = std::move(*grid);
    if (choice.grid->missing > 0) {
      tell("images_missing", Severity::kWarning,
           std::to_string(choice.grid->missing) + " slice(s) missing within the image series");
    }
  } else {
    tell("image_grid_unusable", Severity::kWarning, "no voxel grid: " + grid.error().detail);
  }
  return choice;
}

}  // namespace dr::rtstruct
