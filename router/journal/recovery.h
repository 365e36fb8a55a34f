#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "router/journal/journal.h"
#include "router/journal/ledger.h"
#include "router/journal/segment_files.h"

namespace dr::journal {

/// Everything that a start learns from the segments.
struct Recovered {
  SegmentList segments;
  Ledger ledger;
  std::vector<FreeFile> free;
  std::vector<LargeFile> large;
  RecoveryReport report;

  // Where the next epoch goes on. Numbers are above every one that was ever seen, kept or cut.
  std::uint64_t last_group = 0;  // kept
  std::uint64_t next_group = 1;
  std::uint64_t next_segment = 1;
  std::uint64_t oldest_segment = 1;
  Sequence next_sequence{1};
  std::uint64_t tail_offset = 0;  // free space in segments.newest()
  std::uint64_t checkpoint = 0;   // group of the checkpoint that was read; 0: none
  /// Segments below this one were durable before it.
  std::uint64_t first_unsynced_segment = 0;
};

/// Reads all segments, changes nothing on disk. `now` stands in for the time of a sync that no
/// later group tells. kUnsupported: a segment of a newer format. kIo: a file can not be read.
Result<Recovered> recover(FileSystem& files, UtcMicros now);

}  // namespace dr::journal
