#pragma once

#include <memory>

#include "router/journal/journal.h"
#include "router/journal/log_format.h"
#include "router/journal/recent.h"
#include "router/journal/segment.h"

namespace dr::journal {

/// A record as it stands in its segment.
struct StoredRecord {
  RecordHeader header;
  Bytes head;
  std::uint64_t body_offset = 0;  // in the segment
};

/// Reads header and head at `offset` and checks them: kCorrupt when they are not those of
/// `sequence`.
Result<StoredRecord> read_stored(const Segment& segment, std::uint64_t offset, Epoch epoch,
                                 Sequence sequence);
Result<LargeRef> read_large_ref(const Segment& segment, const StoredRecord& record);

/// The octets of a record that is still in memory; forget() lets go of it there.
std::unique_ptr<BodyReader> recent_body(Recent& recent, const Segment& segment,
                                        std::uint64_t offset,
                                        std::shared_ptr<const RecentRecord> record);
/// A reader of an object's octets in its segment, or in its own file.
std::unique_ptr<BodyReader> inline_body(SegmentPin segment, const StoredRecord& record);
Result<std::unique_ptr<BodyReader>> large_body(FileSystem& files, const LargeRef& ref);
/// Whichever of them the record has.
Result<std::unique_ptr<BodyReader>> body_of(FileSystem& files, SegmentPin segment,
                                            const StoredRecord& record);

}  // namespace dr::journal
