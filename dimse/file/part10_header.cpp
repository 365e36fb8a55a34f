#include "dimse/file/part10_header.h"

#include <algorithm>
#include <array>
#include <optional>

#include "dimse/encoding/element_header.h"
#include "dimse/encoding/header_scanner.h"
#include "dimse/encoding/transfer_syntax.h"

namespace dr::file {
namespace {

using encoding::ElementHeader;
using encoding::Tag;

constexpr std::uint64_t kPreamble = 128;
constexpr std::uint64_t kMaxMeta = 1024 * 1024;
constexpr std::size_t kMaxDataSetHead = 16 * 1024 * 1024;
constexpr std::uint16_t kMetaGroup = 0x0002;
constexpr Tag kGroupLength{kMetaGroup, 0x0000};
constexpr Tag kMediaStorageSopClassUid{kMetaGroup, 0x0002};
constexpr Tag kMediaStorageSopInstanceUid{kMetaGroup, 0x0003};
constexpr Tag kTransferSyntaxUid{kMetaGroup, 0x0010};

/// A legal UID, or an empty one for everything else that a field may hold.
Uid uid_or_empty(std::string_view text) {
  auto uid = Uid::parse(trim_padding(text));
  return uid ? *uid : Uid{};
}

/// Walks the elements of group 0002, which are in explicit VR little endian.
class MetaReader {
 public:
  explicit MetaReader(const ReadAt& read_at) : read_at_(read_at) {}

  Result<Part10Header> read() {
    if (auto started = find_start(); !started) return started.error();
    while (true) {
      const auto header = next_header();
      if (!header) return header.error();
      if (!header->has_value() || is_data_set(**header)) break;
      if (auto taken = take(**header); !taken) return taken.error();
    }
    if (found_.transfer_syntax_uid.empty()) {
      return Error{Errc::kMalformed, "file meta information without a Transfer Syntax UID"};
    }
    found_.data_set_offset = at_;
    return found_;
  }

 private:
  /// Behind "DICM", or at the start of a file that has neither it nor the preamble (JPEG-LS
  /// reference images, old archives).
  Result<void> find_start() {
    std::array<std::byte, kPreamble + 4> head;
    const auto n = read_at_(0, head);
    if (!n) return n.error();
    if (*n == 0) return Error{Errc::kMalformed, "the file is empty"};
    if (*n == head.size() && as_text(head).substr(kPreamble) == "DICM") {
      at_ = head.size();
    }
    start_ = at_;
    const auto header = next_header();
    if (!header) return header.error();
    if (!header->has_value() || (*header)->tag.group != kMetaGroup) {
      return Error{Errc::kUnsupported, "not a DICOM file: no file meta information"};
    }
    return {};
  }

  /// The element at the present place; nullopt: the file has no room for one.
  Result<std::optional<ElementHeader>> next_header() {
    std::array<std::byte, encoding::kMaxElementHeader> octets;
    const auto n = read_at_(at_, octets);
    if (!n) return n.error();
    return encoding::decode_element_header(ByteSpan(octets).first(*n),
                                           encoding::kExplicitLittleEndian);
  }

  /// The stated group length is often wrong, so the group ends where another begins. Only a
  /// deflated data set, whose first octets may look like anything, takes it by its word.
  bool is_data_set(const ElementHeader& header) const {
    if (header.tag.group != kMetaGroup) return true;
    return at_ == stated_end_ && encoding::transfer_syntax(found_.transfer_syntax_uid).deflated;
  }

  Result<void> take(const ElementHeader& header) {
    const std::uint64_t value_at = at_ + header.size;
    if (header.length > kMaxMeta || value_at + header.length - start_ > kMaxMeta) {
      return Error{Errc::kTooLong, header.tag.to_string() +
                                       " length=" + std::to_string(header.length) +
                                       " limit=" + std::to_string(kMaxMeta)};
    }
    at_ = value_at + header.length;
    // All that matters is a UID or a number; what is longer is an illegal UID.
    std::array<std::byte, Uid::kMaxLength + 1> value;
    const MutableByteSpan into(value.data(), std::min<std::size_t>(header.length, value.size()));
    const auto n = read_at_(value_at, into);
    if (!n) return n.error();
    if (*n < into.size()) {
      return Error{Errc::kMalformed, "the file ends inside " + header.tag.to_string()};
    }
    note(header.tag, into);
    return {};
  }

  void note(Tag tag, ByteSpan value) {
    if (tag == kGroupLength && value.size() == 4) {
      stated_end_ = at_ + load_le<std::uint32_t>(value.data());
    } else if (tag == kMediaStorageSopClassUid) {
      found_.sop_class_uid = uid_or_empty(as_text(value));
    } else if (tag == kMediaStorageSopInstanceUid) {
      found_.sop_instance_uid = uid_or_empty(as_text(value));
    } else if (tag == kTransferSyntaxUid) {
      found_.transfer_syntax_uid = uid_or_empty(as_text(value));
    }
  }

  const ReadAt& read_at_;
  std::uint64_t start_ = 0;
  std::uint64_t at_ = 0;
  std::uint64_t stated_end_ = 0;
  Part10Header found_;
};

/// The object's own SOP UIDs, from the head of the data set.
Result<void> read_sop_uids(const ReadAt& read_at, Part10Header& header) {
  using encoding::HeaderScanner;
  static const encoding::ScanPlan kPlan(
      {encoding::tags::kSopClassUid, encoding::tags::kSopInstanceUid});
  HeaderScanner scanner(kPlan, header.transfer_syntax_uid);
  Bytes piece(16 * 1024);
  for (std::size_t done = 0; scanner.state() == HeaderScanner::State::kMore;) {
    if (done >= kMaxDataSetHead) break;
    const auto n = read_at(header.data_set_offset + done, piece);
    if (!n) return n.error();
    scanner.feed(ByteSpan(piece).first(*n));
    if (*n < piece.size()) scanner.finish();
    done += *n;
  }
  const auto take = [&](Tag tag, Uid& into) {
    const auto* element = scanner.find(tag);
    const Uid own = element != nullptr ? uid_or_empty(as_text(element->value)) : Uid{};
    if (!own.empty()) into = own;
  };
  take(encoding::tags::kSopClassUid, header.sop_class_uid);
  take(encoding::tags::kSopInstanceUid, header.sop_instance_uid);
  return {};
}

}  // namespace

Result<Part10Header> read_part10_header(const ReadAt& read_at) {
  auto header = MetaReader(read_at).read();
  if (!header) return header;
  if (const auto read = read_sop_uids(read_at, *header); !read) return read.error();
  if (header->sop_class_uid.empty() || header->sop_instance_uid.empty()) {
    return Error{Errc::kMalformed, std::string("no legal SOP ") +
                                       (header->sop_class_uid.empty() ? "Class" : "Instance") +
                                       " UID in file meta information or data set"};
  }
  return header;
}

}  // namespace dr::file
