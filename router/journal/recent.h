#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>

#include "dimse/base/block_chain.h"
#include "router/journal/group.h"

namespace dr::journal {

/// A record as it was handed to the disk.
struct RecentRecord {
  RecordHeader header;
  Bytes framed;                     // header, head, padding
  std::optional<BlockChain> chain;  // the body, or
  Bytes body;                       // the body

  ByteSpan head() const { return ByteSpan(framed).subspan(kRecordHeaderSize, header.head_octets); }
};

/// The records that became durable last, in memory: consumers that keep up with the journal's end
/// read them from here, and the disk is left to the writer, who passes the page cache. The oldest
/// go first. Thread-safe.
class Recent {
 public:
  explicit Recent(std::uint64_t octets) : most_(octets) {}

  /// `pending` stands at `offset` of the segment of this number, synced.
  void keep(std::uint64_t segment, std::uint64_t offset, Pending pending);
  std::shared_ptr<const RecentRecord> find(std::uint64_t segment, std::uint64_t offset) const;
  void forget(std::uint64_t segment, std::uint64_t offset);

 private:
  struct Key {
    std::uint64_t segment = 0;
    std::uint64_t offset = 0;
    friend bool operator==(const Key&, const Key&) = default;
  };
  struct KeyHash {
    std::size_t operator()(const Key& key) const noexcept {
      return static_cast<std::size_t>((key.segment << 32 ^ key.offset / kRecordAlignment) *
                                      0x9e3779b97f4a7c15ULL);
    }
  };
  struct Kept {
    Key key;
    std::uint64_t octets = 0;
  };

  const std::uint64_t most_;
  mutable std::mutex mutex_;
  std::uint64_t octets_ = 0;
  std::deque<Kept> order_;  // oldest first; of one that was forgotten, its place in line remains
  std::unordered_map<Key, std::shared_ptr<const RecentRecord>, KeyHash> records_;
};

}  // namespace dr::journal
