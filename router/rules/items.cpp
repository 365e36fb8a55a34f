#include "router/rules/items.h"

#include <optional>

namespace dr::rules {
namespace {

using encoding::Encoding;
using encoding::Tag;
using encoding::vr;

constexpr Tag kItem{0xfffe, 0xe000};
constexpr Tag kItemEnd{0xfffe, 0xe00d};
constexpr Tag kSequenceEnd{0xfffe, 0xe0dd};
constexpr int kMaxDepth = 32;

std::optional<Part> take_part(ByteSpan& octets, Encoding encoding, int depth);

/// Octets up to the delimiter `end` of something of undefined length, which is stepped over too.
Part take_undefined(const encoding::ElementHeader& header, ByteSpan& octets, Encoding inside,
                    Tag end, int depth) {
  const ByteSpan start = octets;
  while (depth < kMaxDepth) {
    const ByteSpan before = octets;
    const auto part = take_part(octets, inside, depth + 1);
    if (!part) break;
    if (part->header.tag == end) return {header, start.first(start.size() - before.size()), true};
    if (!part->whole) break;
  }
  octets = {};
  return {header, start, false};
}

/// The next element, item or delimiter; nullopt at the end.
std::optional<Part> take_part(ByteSpan& octets, Encoding encoding, int depth) {
  const auto header = encoding::decode_element_header(octets, encoding);
  if (!header) return std::nullopt;
  octets = octets.subspan(header->size);
  if (header->tag == kItemEnd || header->tag == kSequenceEnd) return Part{*header, {}, true};
  if (header->length == encoding::kUndefinedLength) {
    const bool item = header->tag == kItem;
    return take_undefined(*header, octets, encoding_inside(*header, encoding),
                          item ? kItemEnd : kSequenceEnd, depth);
  }
  const bool whole = header->length <= octets.size();
  const ByteSpan value = octets.first(whole ? header->length : octets.size());
  octets = octets.subspan(value.size());
  return Part{*header, value, whole};
}

}  // namespace

Encoding encoding_inside(const encoding::ElementHeader& header, Encoding outside) {
  // What a sequence of unknown VR holds is implicit VR little endian.
  return header.vr == vr('U', 'N') ? Encoding{false, false} : outside;
}

std::optional<Part> next_part(ByteSpan& octets, Encoding encoding) {
  return take_part(octets, encoding, 0);
}

void visit_items(ByteSpan items, Encoding encoding, std::span<const Step> path, Tag leaf,
                 const std::function<void(const NestedElement&)>& take) {
  const Tag wanted = path.size() > 1 ? path[1].sequence : leaf;
  for (std::uint32_t number = 1;; ++number) {
    const auto item = take_part(items, encoding, 0);
    if (!item || item->header.tag != kItem) return;
    if (path.front().item != 0 && path.front().item != number) continue;
    ByteSpan rest = item->value;
    while (const auto part = take_part(rest, encoding, 0)) {
      if (part->header.tag != wanted) continue;
      if (path.size() == 1) {
        take({part->header.vr, encoding.big_endian, part->value});
      } else {
        visit_items(part->value, encoding_inside(part->header, encoding), path.subspan(1), leaf,
                    take);
      }
      break;
    }
  }
}

}  // namespace dr::rules
