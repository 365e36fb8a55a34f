#include "router/journal/verify.h"

#include <limits>

#include "router/journal/body_reader.h"
#include "router/journal/recovery.h"
#include "router/journal/spool.h"

namespace dr::journal {
namespace {

constexpr std::size_t kPiece = 1U << 20;

Result<void> read_to_end(BodyReader& body, Bytes& buffer) {
  for (;;) {
    const auto n = body.read(buffer);
    if (!n) return n.error();
    if (*n == 0) return {};
  }
}

/// The octets of one record's body, wherever they are. A record without one is fine.
Result<void> check_body(FileSystem& files, const std::shared_ptr<Segment>& segment,
                        const StoredRecord& record, Bytes& buffer) {
  const auto body = body_of(files, SegmentPin(segment), record);
  if (!body) return body.error();
  return read_to_end(**body, buffer);
}

/// A large object's file is unlinked once its record is finished everywhere; then there is nothing
/// to check.
bool gone(const Recovered& recovered, const StoredRecord& record, const Error& why) {
  return why.code == Errc::kNotFound && !recovered.ledger.contains(record.header.sequence);
}

Result<void> check_bodies(FileSystem& files, const Recovered& recovered, Verification& out) {
  Bytes buffer(kPiece);
  for (const std::shared_ptr<Segment>& segment : recovered.segments) {
    for (std::size_t i = 0; i < segment->offsets.size(); ++i) {
      if (segment->offsets[i] == 0) continue;
      const Sequence sequence{value(segment->first_sequence) + i};
      const std::uint64_t offset = segment->offsets[i] * kRecordAlignment;
      const auto record = read_stored(*segment, offset, segment->epoch_at(offset), sequence);
      if (!record && record.error().code != Errc::kCorrupt) return record.error();
      const auto checked =
          record ? check_body(files, segment, *record, buffer) : Result<void>(record.error());
      ++out.bodies_read;
      if (checked || (record && gone(recovered, *record, checked.error()))) continue;
      ++out.bodies_damaged;
      out.recovery.findings.push_back(finding(segment->name, offset, checked.error().to_string()));
    }
  }
  return {};
}

}  // namespace

Result<Verification> verify(FileSystem& files, UtcMicros now, bool bodies) {
  // Asked first: open_spool() makes a spool where there is none.
  if (auto there = files.open("spool", FileSystem::Mode::kRead); !there) return there.error();
  const auto spool = open_spool(files);
  if (!spool) return spool.error();
  auto recovered = recover(files, now);
  if (!recovered) return recovered.error();

  Verification out;
  out.spool_id = spool->id;
  out.recovery = std::move(recovered->report);
  out.segments = recovered->segments.size();
  out.segments_free = recovered->free.size();
  for (const auto& segment : recovered->segments) out.octets += segment->capacity;
  for (const FreeFile& free : recovered->free) out.octets += free.capacity;
  for (const LargeFile& large : recovered->large) out.octets += large.octets;
  out.live_objects = recovered->ledger.size();
  out.unrouted_objects = recovered->ledger.unrouted();
  out.open =
      recovered->ledger.open_deliveries(Sequence::kNone, std::numeric_limits<std::size_t>::max());
  if (bodies) {
    if (const auto checked = check_bodies(files, *recovered, out); !checked) return checked.error();
  }
  return out;
}

}  // namespace dr::journal
