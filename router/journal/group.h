#pragma once

#include <optional>
#include <vector>

#include "dimse/base/block_chain.h"
#include "router/journal/journal.h"
#include "router/journal/large_files.h"
#include "router/journal/log_format.h"

namespace dr::journal {

/// A record on its way to the disk. Its checksums are computed by the thread that appends it.
struct Pending {
  Pending(RecordType record_type, ByteSpan head, std::uint32_t head_seed);
  void set_body(BlockChain octets);
  void set_body(Bytes octets);
  /// Octets that are stored already keep their checksum: a copy does not make damage good.
  void set_body(Bytes octets, std::uint32_t crc);

  bool is_object() const { return header.type == RecordType::kObject; }
  /// Somebody waits for it to be durable.
  bool wants_sync() const { return done || header.type == RecordType::kMoved; }

  RecordHeader header;
  Bytes framed;                     // space for the header, the head, padding
  std::optional<BlockChain> chain;  // the body, or
  Bytes body;                       // the body
  std::unique_ptr<LargeWriter> large;
  Journal::Done done;
  std::vector<RouteRecord> routes;
  Sequence finishes{};  // an object that is finished once this outcome is durable
};

/// Records that are written together, behind one header.
class Group {
 public:
  struct Entry {
    Pending pending;
    std::uint64_t offset = 0;  // in the segment
  };

  /// A group at `offset` of a segment with this many octets left. Bodies of `page_aligned` octets
  /// and more begin on a page: they are written from where they lie.
  Group(std::uint64_t offset, std::uint64_t room, std::uint64_t page_aligned = ~0ULL)
      : offset_(offset), room_(room), page_aligned_(page_aligned) {}

  bool fits(const Pending& pending) const;
  void add(Pending pending);
  /// Fills the headers in; the result lives as long as the group.
  std::vector<ByteSpan> seal(GroupHeader header);

  std::uint64_t records() const { return entries_.size(); }
  /// As a multiple of kPage.
  std::uint64_t total_octets() const { return round_up(kGroupHeaderSize + octets_, kPage); }
  bool wants_sync() const { return wants_sync_; }
  std::vector<Entry>& entries() { return entries_; }

 private:
  std::uint32_t pad_of(const Pending& pending) const;

  std::uint64_t offset_;
  std::uint64_t room_;
  std::uint64_t page_aligned_;
  std::uint64_t octets_ = 0;
  bool wants_sync_ = false;
  std::vector<Entry> entries_;
  GroupHeaderOctets header_{};
};

}  // namespace dr::journal
