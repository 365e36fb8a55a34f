#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "dimse/base/file_system.h"
#include "router/journal/large_files.h"
#include "router/journal/ledger.h"

namespace dr::journal {

/// What the segments said up to one group, all of it durable: a start that has this reads only what
/// stands behind it. Nothing is lost with it while the segments are there: without one, a start
/// reads them all. FORMAT.md has the octets.
struct Checkpoint {
  std::uint64_t group = 0;           // everything up to this one
  Sequence watermark{};              // the last record of it
  std::uint64_t oldest_segment = 1;  // those below are given up
  std::uint64_t tail_offset = 0;     // where the next group begins in segments.newest()
  SegmentList segments;              // in use, oldest first; decoded ones have no file yet
  Ledger ledger;
  std::vector<LargeFile> large;
};

/// The same, where it stands in the running journal.
struct CheckpointView {
  std::uint64_t group;
  Sequence watermark;
  std::uint64_t oldest_segment;
  std::uint64_t tail_offset;
  const SegmentList& segments;
  const Ledger& ledger;
  const std::vector<LargeFile>& large;
};

Bytes encode(const CheckpointView& view);
/// kCorrupt for what encode() can not have written.
Result<Checkpoint> decode_checkpoint(ByteSpan octets);

/// The two newest, in `checkpoints/`: should one be damaged, the other serves, and only more is
/// read. Each is written aside and synced, and has its name once all that it knows is durable.
class CheckpointFiles {
 public:
  explicit CheckpointFiles(FileSystem& files) : files_(files) {}

  Result<void> write_aside(std::uint64_t group, ByteSpan octets);
  /// From now on it counts; older ones than the last two go.
  Result<void> commit(std::uint64_t group);
  /// The newest that is whole, with a finding for each that is not.
  Result<std::optional<Checkpoint>> newest(std::vector<std::string>& findings);

 private:
  Result<std::vector<std::string>> names() const;

  FileSystem& files_;
};

constexpr const char* kCheckpointDir = "checkpoints";

}  // namespace dr::journal
