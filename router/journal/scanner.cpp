#include "router/journal/scanner.h"

#include <algorithm>

#include "dimse/base/crc32c.h"

namespace dr::journal {
namespace {

constexpr std::uint64_t kWindow = 16 << 10;
constexpr std::uint64_t kChunk = 1 << 20;

}  // namespace

Result<ByteSpan> FileWindow::get(std::uint64_t offset, std::uint64_t octets) {
  if (offset >= size_) return ByteSpan{};
  octets = std::min(octets, size_ - offset);
  if (offset < begin_ || offset + octets > begin_ + filled_) {
    buffer_.resize(static_cast<std::size_t>(std::min(std::max(octets, kWindow), size_ - offset)));
    auto n = file_->read_at(offset, buffer_);
    filled_ = 0;
    if (!n) return std::move(n).error();
    begin_ = offset;
    filled_ = *n;
    octets = std::min(octets, filled_);
  }
  return ByteSpan(buffer_).subspan(static_cast<std::size_t>(offset - begin_),
                                   static_cast<std::size_t>(octets));
}

Result<std::vector<FoundGroup>> find_groups(FileWindow& window, std::uint64_t segment,
                                            std::uint64_t begin) {
  std::vector<FoundGroup> groups;
  std::uint64_t last = 0;
  for (std::uint64_t at = begin; at + kGroupHeaderSize <= window.size();) {
    auto octets = window.get(at, kGroupHeaderSize);
    if (!octets) return std::move(octets).error();
    const auto header = decode_group_header(*octets);
    if (!header || header->segment != segment || header->group <= last ||
        at + kGroupHeaderSize + header->octets > window.size()) {
      at += kPage;
      continue;
    }
    groups.push_back({at, *header});
    last = header->group;
    at += round_up(kGroupHeaderSize + header->octets, kPage);
  }
  return groups;
}

Result<std::optional<RecordHeader>> RecordScanner::header_at(std::uint64_t offset,
                                                             std::uint64_t end) {
  if (offset + kRecordHeaderSize > end) return std::optional<RecordHeader>{};
  auto octets = window_.get(offset, kRecordHeaderSize);
  if (!octets) return std::move(octets).error();
  auto header = decode_record_header(*octets, header_seed_);
  if (header && header->total_octets() > end - offset) header.reset();
  return header;
}

Result<std::optional<ByteSpan>> RecordScanner::head_of(std::uint64_t offset,
                                                       const RecordHeader& header) {
  auto head = window_.get(offset + kRecordHeaderSize, header.head_octets);
  if (!head) return std::move(head).error();
  if (head->size() != header.head_octets || crc32c(head_seed_, *head) != header.head_crc) {
    return std::optional<ByteSpan>{};
  }
  return std::optional<ByteSpan>{*head};
}

Result<std::uint32_t> RecordScanner::scan(std::uint64_t begin, std::uint64_t end, Sequence limit,
                                          const Visitor& visit, std::vector<Finding>& findings) {
  std::uint32_t visited = 0;
  bool lost = false;  // already told that no record begins here
  for (std::uint64_t at = begin; at < end;) {
    auto header = header_at(at, end);
    if (!header) return std::move(header).error();
    if (!*header || (*header)->sequence >= limit) {
      if (!lost) findings.push_back({at, "record header"});
      lost = true;
      at += kRecordAlignment;
      continue;
    }
    lost = false;
    auto head = head_of(at, **header);
    if (!head) return std::move(head).error();
    if (*head) {
      visit({at, **header, **head});
      ++visited;
    } else {
      findings.push_back({at, "head of record " + std::to_string(value((*header)->sequence))});
    }
    at += (*header)->total_octets();
  }
  return visited;
}

Result<bool> RecordScanner::whole(std::uint64_t begin, std::uint64_t end, std::uint32_t records) {
  std::uint32_t seen = 0;
  for (std::uint64_t at = begin; at < end; ++seen) {
    auto header = header_at(at, end);
    if (!header) return std::move(header).error();
    if (!*header) return false;
    auto head = head_of(at, **header);
    if (!head) return std::move(head).error();
    if (!*head) return false;
    auto body = body_whole({at, **header, {}});
    if (!body || !*body) return body;
    at += (*header)->total_octets();
  }
  return seen == records;
}

Result<bool> RecordScanner::body_whole(const FoundRecord& record) {
  std::uint32_t crc = 0;
  std::uint64_t at = record.offset + record.header.body_offset();
  for (std::uint64_t left = record.header.body_octets; left > 0;) {
    auto octets = window_.get(at, std::min(left, kChunk));
    if (!octets) return std::move(octets).error();
    if (octets->empty()) return false;
    crc = crc32c(crc, *octets);
    at += octets->size();
    left -= octets->size();
  }
  return crc == record.header.body_crc;
}

}  // namespace dr::journal
