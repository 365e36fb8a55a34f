#include "router/rules/items.h"

#include <optional>

#include "dimse/base/uid.h"

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

/// What is looked for in an item: an element, or a private one in whatever block it has there.
class Wanted {
 public:
  Wanted(Tag tag, const PrivateCreator* creator) : tag_(tag), creator_(creator) {}

  /// Elements come in the order of their tags, creators before what is theirs.
  bool is(const Part& part) {
    const Tag tag = part.header.tag;
    if (creator_ == nullptr) return tag == tag_;
    if (tag.group != tag_.group) return false;
    if (block_ == 0 && tag.element >= 0x10 && tag.element <= 0xff &&
        names_creator(part.value, creator_->name)) {
      block_ = tag.element;
    }
    return block_ != 0 && tag.element == (block_ << 8 | tag_.element);
  }

 private:
  const Tag tag_;
  const PrivateCreator* const creator_;
  std::uint16_t block_ = 0;
};

class Walk {
 public:
  Walk(const Field& field, std::span<const PrivateCreator> creators,
       const std::function<void(const NestedElement&)>& take)
      : field_(field), creators_(creators), take_(take) {}

  void sequence(ByteSpan items, Encoding encoding, std::size_t level,
                std::optional<ByteSpan> character_set) {
    for (std::uint32_t number = 1;; ++number) {
      const auto next = take_part(items, encoding, 0);
      if (!next || next->header.tag != kItem) return;
      const std::uint32_t asked = field_.path[level].item;
      if (asked == 0 || asked == number) item(next->value, encoding, level + 1, character_set);
    }
  }

 private:
  void item(ByteSpan rest, Encoding encoding, std::size_t level,
            std::optional<ByteSpan> character_set) {
    const bool last = level == field_.path.size();
    const std::uint32_t creator = last ? field_.creator : field_.path[level].creator;
    Wanted wanted(last ? field_.tag : field_.path[level].sequence,
                  creator == kStandard ? nullptr : &creators_[creator]);
    while (const auto part = take_part(rest, encoding, 0)) {
      if (part->header.tag == encoding::tags::kSpecificCharacterSet) character_set = part->value;
      if (!wanted.is(*part)) continue;
      if (last) return take_({part->header.vr, encoding.big_endian, part->value, character_set});
      return sequence(part->value, encoding_inside(part->header, encoding), level, character_set);
    }
  }

  const Field& field_;
  const std::span<const PrivateCreator> creators_;
  const std::function<void(const NestedElement&)>& take_;
};

}  // namespace

Encoding encoding_inside(const encoding::ElementHeader& header, Encoding outside) {
  // What a sequence of unknown VR holds is implicit VR little endian.
  return header.vr == vr('U', 'N') ? Encoding{false, false} : outside;
}

std::optional<Part> next_part(ByteSpan& octets, Encoding encoding) {
  return take_part(octets, encoding, 0);
}

bool names_creator(ByteSpan value, std::string_view name) {
  std::string_view text = trim_padding(as_text(value));
  while (text.starts_with(' ')) text.remove_prefix(1);
  return text == name;
}

void visit_items(ByteSpan items, Encoding encoding, const Field& field,
                 std::span<const PrivateCreator> creators,
                 const std::function<void(const NestedElement&)>& take) {
  Walk(field, creators, take).sequence(items, encoding, 0, std::nullopt);
}

}  // namespace dr::rules
