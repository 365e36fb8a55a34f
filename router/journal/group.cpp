#include "router/journal/group.h"

#include "dimse/base/crc32c.h"

namespace dr::journal {
namespace {

/// Above this a group is written rather than made larger: its first object should not wait longer.
constexpr std::uint64_t kEnough = 16 << 20;

constexpr std::array<std::byte, kPage> kZeros{};

void put(std::vector<ByteSpan>& parts, ByteSpan octets) {
  if (!octets.empty()) parts.push_back(octets);
}

ByteSpan padding(std::uint64_t octets, std::uint64_t alignment) {
  return ByteSpan(kZeros).first(static_cast<std::size_t>(round_up(octets, alignment) - octets));
}

}  // namespace

Pending::Pending(RecordType record_type, ByteSpan head, std::uint32_t head_seed) {
  header.type = record_type;
  header.head_octets = static_cast<std::uint32_t>(head.size());
  header.head_crc = crc32c(head_seed, head);
  framed.reserve(static_cast<std::size_t>(header.body_offset()));
  framed.resize(kRecordHeaderSize);
  framed.insert(framed.end(), head.begin(), head.end());
  framed.resize(static_cast<std::size_t>(header.body_offset()));
}

void Pending::set_body(BlockChain octets) {
  header.body_octets = octets.size();
  header.body_crc = octets.checksum();
  chain = std::move(octets);
}

void Pending::set_body(Bytes octets) {
  const std::uint32_t crc = crc32c(0, octets);
  set_body(std::move(octets), crc);
}

void Pending::set_body(Bytes octets, std::uint32_t crc) {
  header.body_octets = octets.size();
  header.body_crc = crc;
  body = std::move(octets);
}

/// Before the body of a record that comes next. Only a chain lies on pages; what is moved forward
/// stands as closely as it can.
std::uint32_t Group::pad_of(const Pending& pending) const {
  if (!pending.chain || pending.header.body_octets < page_aligned_) return 0;
  const std::uint64_t body = offset_ + kGroupHeaderSize + octets_ + pending.header.body_offset();
  return static_cast<std::uint32_t>(round_up(body, kPage) - body);
}

bool Group::fits(const Pending& pending) const {
  const std::uint64_t more = pending.header.total_octets() + pad_of(pending);
  return round_up(kGroupHeaderSize + octets_ + more, kPage) <= room_ &&
         (entries_.empty() || octets_ + more <= kEnough);
}

void Group::add(Pending pending) {
  const std::uint64_t at = offset_ + kGroupHeaderSize + octets_;
  pending.header.pad = pad_of(pending);
  octets_ += pending.header.total_octets();
  wants_sync_ = wants_sync_ || pending.wants_sync();
  entries_.push_back({std::move(pending), at});
}

std::vector<ByteSpan> Group::seal(GroupHeader header) {
  header.records = static_cast<std::uint32_t>(entries_.size());
  header.octets = static_cast<std::uint32_t>(octets_);
  header_ = encode(header);
  const std::uint32_t seed = header_seed(header.epoch, header.segment);
  std::vector<ByteSpan> parts;
  parts.reserve(2 + entries_.size() * 6);
  parts.emplace_back(header_);
  for (Entry& entry : entries_) {
    Pending& pending = entry.pending;
    const RecordHeaderOctets octets = encode(pending.header, seed);
    std::copy(octets.begin(), octets.end(), pending.framed.begin());
    put(parts, pending.framed);
    put(parts, ByteSpan(kZeros).first(pending.header.pad));
    put(parts, pending.body);
    if (pending.chain) {
      for (const ByteSpan part : pending.chain->spans()) put(parts, part);
    }
    put(parts, padding(pending.header.body_octets, kRecordAlignment));
  }
  put(parts, padding(kGroupHeaderSize + octets_, kPage));
  return parts;
}

}  // namespace dr::journal
