#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "dimse/base/file_system.h"
#include "router/journal/checkpoint.h"
#include "router/journal/scanner.h"
#include "router/journal/segment.h"

namespace dr::journal {

constexpr const char* kJournalDir = "journal";
constexpr const char* kLargeDir = "large";

/// A file that holds nothing which is still needed.
struct FreeFile {
  std::string name;
  std::unique_ptr<File> file;
  std::uint64_t capacity = 0;
};

/// One file of the journal folder, and what was found in it.
struct LoadedSegment {
  std::shared_ptr<Segment> segment;
  std::optional<SegmentHeader> header;  // nullopt: damaged, its groups tell the number
  std::vector<FoundGroup> groups;
};

struct SegmentFiles {
  std::vector<LoadedSegment> segments;
  std::vector<FreeFile> free;  // no header was ever written there
  std::vector<std::string> findings;
};

/// Opens every segment and finds its groups: with a checkpoint those behind it, while the segments
/// that it knows get their files, and those that it knows no more are free. kUnsupported: one of a
/// newer format. kIo: one can not be read.
Result<SegmentFiles> load_segments(FileSystem& files, const Checkpoint* checkpoint);

/// A line of RecoveryReport::findings.
std::string finding(const std::string& file, std::uint64_t offset, const std::string& what);

}  // namespace dr::journal
