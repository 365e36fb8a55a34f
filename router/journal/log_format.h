#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "dimse/base/bytes.h"
#include "dimse/base/clock.h"
#include "router/journal/records.h"

/// The octets of a journal, as FORMAT.md specifies them. All numbers are little-endian.
namespace dr::journal {

/// 2: checkpoints, so that segments are given up in any order. The octets of segments are those
/// of 1.
constexpr std::uint32_t kFormatVersion = 3;

/// Groups begin at multiples of this, so that no sector that was synced is ever written again.
constexpr std::uint64_t kPage = 4096;
constexpr std::uint64_t kFirstGroup = kPage;  // behind the segment header's page
constexpr std::uint64_t kSegmentHeaderSize = 64;
constexpr std::uint64_t kGroupHeaderSize = 80;
constexpr std::uint64_t kRecordHeaderSize = 40;
constexpr std::uint64_t kRecordAlignment = 8;
constexpr std::uint64_t kLargeRefSize = 32;
constexpr std::uint64_t kMinSegment = 64 << 10;
constexpr std::uint64_t kMaxSegment = 1ULL << 30;  // offsets fit 32 bits
constexpr std::uint64_t kMaxHead = 16 << 20;

constexpr std::uint64_t round_up(std::uint64_t n, std::uint64_t to) {
  return (n + to - 1) / to * to;
}

/// Of one node's life, from open to close: random.
enum class Epoch : std::uint64_t {};
constexpr std::uint64_t value(Epoch e) { return static_cast<std::uint64_t>(e); }
/// What the checksums of heads start from. Those of bodies start from zero: they are computed while
/// octets arrive, and the header that holds them is bound to its place.
std::uint32_t head_seed(Epoch epoch);
/// What the checksums of group and record headers start from: what a recycled segment still holds
/// of its earlier life never passes for a header of this one.
std::uint32_t header_seed(Epoch epoch, std::uint64_t segment);

struct SegmentHeader {
  std::uint32_t version = kFormatVersion;
  std::uint64_t segment = 0;  // number, from 1, never used twice
  Epoch epoch{};
  std::uint64_t first_group = 0;
  Sequence first_sequence{};
};

struct GroupHeader {
  bool opens_epoch = false;
  Epoch epoch{};
  std::uint64_t group = 0;           // number, from 1, never used twice
  std::uint64_t segment = 0;         // that it was written to: tells it from older content
  Sequence first_sequence{};         // of its first new record
  std::uint64_t durable_group = 0;   // every group up to this one was synced before
  std::uint64_t oldest_segment = 0;  // segments below are given up
  UtcMicros synced{};                // when durable_group was
  std::uint32_t records = 0;
  std::uint32_t octets = 0;  // of the records, behind this header
};

enum RecordFlags : std::uint16_t {
  kLargeBody = 1,  // the body is a LargeRef
};

struct RecordHeader {
  std::uint32_t head_crc = 0;
  std::uint32_t body_crc = 0;
  std::uint32_t head_octets = 0;
  Sequence sequence{};
  std::uint64_t body_octets = 0;  // inside the segment
  RecordType type{};
  std::uint16_t flags = 0;
  std::uint32_t pad = 0;  // octets before the body, so that it begins on a page; below kPage

  std::uint64_t body_offset() const {
    return kRecordHeaderSize + round_up(head_octets, kRecordAlignment) + pad;
  }
  /// Of header, head, body and their padding.
  std::uint64_t total_octets() const {
    return body_offset() + round_up(body_octets, kRecordAlignment);
  }
};

/// Names the file of a large object.
struct LargeRef {
  std::array<std::byte, 16> name{};
  std::uint64_t octets = 0;
  std::uint32_t crc = 0;  // CRC32C of the file, seeded with zero
};

using SegmentHeaderOctets = std::array<std::byte, kSegmentHeaderSize>;
using GroupHeaderOctets = std::array<std::byte, kGroupHeaderSize>;
using RecordHeaderOctets = std::array<std::byte, kRecordHeaderSize>;
using LargeRefOctets = std::array<std::byte, kLargeRefSize>;

SegmentHeaderOctets encode(const SegmentHeader& header);
GroupHeaderOctets encode(const GroupHeader& header);
/// `seed` is header_seed().
RecordHeaderOctets encode(const RecordHeader& header, std::uint32_t seed);
LargeRefOctets encode(const LargeRef& ref);

/// Each answers nullopt where the checksum or a fixed field is wrong.
std::optional<SegmentHeader> decode_segment_header(ByteSpan octets);
std::optional<GroupHeader> decode_group_header(ByteSpan octets);
std::optional<RecordHeader> decode_record_header(ByteSpan octets, std::uint32_t seed);
std::optional<LargeRef> decode_large_ref(ByteSpan octets);

}  // namespace dr::journal
