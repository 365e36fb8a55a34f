#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "router/journal/journal.h"
#include "router/journal/ledger.h"
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

/// A large object's file and the record that it belongs to.
struct LargeFile {
  Sequence instance{};
  std::string name;  // with its folder
  std::uint64_t octets = 0;
};

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
};

/// Reads all segments, changes nothing on disk. `now` stands in for the time of a sync that no
/// later group tells. kUnsupported: a segment of a newer format. kIo: a file can not be read.
Result<Recovered> recover(FileSystem& files, UtcMicros now);

/// Head of a kMoved record: the object's head as received, and its states at the time of moving.
struct MovedHead {
  ByteSpan object;
  std::vector<OutcomeRecord> states;
};
Bytes encode_moved(ByteSpan object, const std::vector<OutcomeRecord>& states);
Result<MovedHead> decode_moved(ByteSpan head);

}  // namespace dr::journal
