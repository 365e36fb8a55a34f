#include "router/journal/log_format.h"

#include <algorithm>

#include "dimse/base/crc32c.h"

namespace dr::journal {
namespace {

constexpr std::uint64_t kSegmentMagic = 0x544d474553524a44;  // "DJRSEGMT"
constexpr std::uint64_t kGroupMagic = 0x50554f5247524a44;    // "DJRGROUP"
constexpr std::uint32_t kOpensEpoch = 1;

template <std::size_t N>
std::array<std::byte, N> to_array(const Bytes& octets) {
  std::array<std::byte, N> array{};
  std::copy_n(octets.begin(), std::min(N, octets.size()), array.begin());
  return array;
}

/// Both headers: magic, then the checksum of everything behind it.
void seal_header(Bytes& octets, std::uint32_t seed) {
  store_le(octets.data() + 8, crc32c(seed, ByteSpan(octets).subspan(12)));
}
bool is_sealed(ByteSpan octets, std::uint64_t magic, std::uint32_t seed) {
  return load_le<std::uint64_t>(octets.data()) == magic &&
         load_le<std::uint32_t>(octets.data() + 8) == crc32c(seed, octets.subspan(12));
}

}  // namespace

std::uint32_t head_seed(Epoch epoch) {
  std::array<std::byte, 8> octets;
  store_le(octets.data(), value(epoch));
  return crc32c(0, octets);
}

std::uint32_t header_seed(Epoch epoch, std::uint64_t segment) {
  std::array<std::byte, 8> octets;
  store_le(octets.data(), segment);
  return crc32c(head_seed(epoch), octets);
}

SegmentHeaderOctets encode(const SegmentHeader& header) {
  Bytes octets;
  ByteWriter out(octets);
  out.le(kSegmentMagic);
  out.le(std::uint32_t{0});
  out.le(header.version);
  out.le(header.segment);
  out.le(value(header.epoch));
  out.le(header.first_group);
  out.le(value(header.first_sequence));
  out.zeros(kSegmentHeaderSize - octets.size());
  seal_header(octets, 0);
  return to_array<kSegmentHeaderSize>(octets);
}

std::optional<SegmentHeader> decode_segment_header(ByteSpan octets) {
  if (octets.size() < kSegmentHeaderSize) return std::nullopt;
  octets = octets.first(kSegmentHeaderSize);
  if (!is_sealed(octets, kSegmentMagic, 0)) return std::nullopt;
  ByteReader in(octets.subspan(12));
  SegmentHeader header;
  header.version = in.le<std::uint32_t>();
  header.segment = in.le<std::uint64_t>();
  header.epoch = Epoch{in.le<std::uint64_t>()};
  header.first_group = in.le<std::uint64_t>();
  header.first_sequence = Sequence{in.le<std::uint64_t>()};
  return header;
}

GroupHeaderOctets encode(const GroupHeader& header) {
  Bytes octets;
  ByteWriter out(octets);
  out.le(kGroupMagic);
  out.le(std::uint32_t{0});
  out.le(header.opens_epoch ? kOpensEpoch : 0U);
  out.le(value(header.epoch));
  out.le(header.group);
  out.le(header.segment);
  out.le(value(header.first_sequence));
  out.le(header.durable_group);
  out.le(header.oldest_segment);
  out.le(static_cast<std::uint64_t>(to_micros(header.synced)));
  out.le(header.records);
  out.le(header.octets);
  seal_header(octets, header_seed(header.epoch, header.segment));
  return to_array<kGroupHeaderSize>(octets);
}

std::optional<GroupHeader> decode_group_header(ByteSpan octets) {
  if (octets.size() < kGroupHeaderSize) return std::nullopt;
  octets = octets.first(kGroupHeaderSize);
  const Epoch epoch{load_le<std::uint64_t>(octets.data() + 16)};
  const auto segment = load_le<std::uint64_t>(octets.data() + 32);
  if (!is_sealed(octets, kGroupMagic, header_seed(epoch, segment))) return std::nullopt;
  ByteReader in(octets.subspan(12));
  GroupHeader header;
  header.opens_epoch = (in.le<std::uint32_t>() & kOpensEpoch) != 0;
  header.epoch = Epoch{in.le<std::uint64_t>()};
  header.group = in.le<std::uint64_t>();
  header.segment = in.le<std::uint64_t>();
  header.first_sequence = Sequence{in.le<std::uint64_t>()};
  header.durable_group = in.le<std::uint64_t>();
  header.oldest_segment = in.le<std::uint64_t>();
  header.synced = from_micros(static_cast<std::int64_t>(in.le<std::uint64_t>()));
  header.records = in.le<std::uint32_t>();
  header.octets = in.le<std::uint32_t>();
  return header;
}

RecordHeaderOctets encode(const RecordHeader& header, std::uint32_t seed) {
  RecordHeaderOctets octets{};
  store_le(octets.data() + 4, header.head_crc);
  store_le(octets.data() + 8, header.body_crc);
  store_le(octets.data() + 12, header.head_octets);
  store_le(octets.data() + 16, value(header.sequence));
  store_le(octets.data() + 24, header.body_octets);
  store_le(octets.data() + 32, static_cast<std::uint16_t>(header.type));
  store_le(octets.data() + 34, header.flags);
  store_le(octets.data() + 36, header.pad);
  store_le(octets.data(), crc32c(seed, ByteSpan(octets).subspan(4)));
  return octets;
}

std::optional<RecordHeader> decode_record_header(ByteSpan octets, std::uint32_t seed) {
  if (octets.size() < kRecordHeaderSize) return std::nullopt;
  octets = octets.first(kRecordHeaderSize);
  if (load_le<std::uint32_t>(octets.data()) != crc32c(seed, octets.subspan(4))) {
    return std::nullopt;
  }
  ByteReader in(octets.subspan(4));
  RecordHeader header;
  header.head_crc = in.le<std::uint32_t>();
  header.body_crc = in.le<std::uint32_t>();
  header.head_octets = in.le<std::uint32_t>();
  header.sequence = Sequence{in.le<std::uint64_t>()};
  header.body_octets = in.le<std::uint64_t>();
  header.type = RecordType{in.le<std::uint16_t>()};
  header.flags = in.le<std::uint16_t>();
  header.pad = in.le<std::uint32_t>();
  // Nothing longer was ever written; sums below can not overflow.
  if (header.head_octets > kMaxHead || header.body_octets > kMaxSegment || header.pad >= kPage) {
    return std::nullopt;
  }
  return header;
}

LargeRefOctets encode(const LargeRef& ref) {
  LargeRefOctets octets{};
  std::copy(ref.name.begin(), ref.name.end(), octets.begin());
  store_le(octets.data() + 16, ref.octets);
  store_le(octets.data() + 24, ref.crc);
  return octets;
}

std::optional<LargeRef> decode_large_ref(ByteSpan octets) {
  if (octets.size() != kLargeRefSize) return std::nullopt;
  LargeRef ref;
  std::copy_n(octets.begin(), ref.name.size(), ref.name.begin());
  ref.octets = load_le<std::uint64_t>(octets.data() + 16);
  ref.crc = load_le<std::uint32_t>(octets.data() + 24);
  return ref;
}

}  // namespace dr::journal
