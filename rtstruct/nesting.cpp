#include "rtstruct/nesting.h"

#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace dr::rtstruct {
namespace {

using encoding::ElementHeader;
using encoding::Encoding;
using encoding::kUndefinedLength;
using encoding::Tag;
using encoding::Vr;

constexpr Tag kItem{0xfffe, 0xe000};
constexpr Tag kItemEnd{0xfffe, 0xe00d};
constexpr Tag kSequenceEnd{0xfffe, 0xe0dd};

class Walk {
 public:
  Walk(ByteSpan data, Encoding encoding, const TreeLimits& limits)
      : data_(data), limits_(limits), stack_{{Level::kDataSet, data.size(), false, encoding}} {}

  Result<void> run() {
    while (true) {
      while (stack_.size() > 1 && !stack_.back().open && at_ == stack_.back().end)
        stack_.pop_back();
      if (at_ == data_.size()) break;
      if (auto stepped = step(); !stepped) return stepped;
    }
    if (stack_.size() > 1) return malformed("ends inside a sequence");
    return {};
  }

 private:
  enum class Level { kDataSet, kSequence, kItems, kFragments };
  struct Frame {
    Level level;
    std::size_t end;  // where its container ends at the latest, when `open`
    bool open;        // of undefined length: a delimiter ends it
    Encoding encoding;
  };

  Error malformed(const std::string& what) const {
    return {Errc::kMalformed, what + " at offset " + std::to_string(at_)};
  }
  static Error above(const char* what, std::size_t limit) {
    return {Errc::kTooLong, std::string(what) + " limit=" + std::to_string(limit)};
  }

  Result<void> step() {
    const Frame frame = stack_.back();
    const auto header =
        encoding::decode_element_header(data_.subspan(at_, frame.end - at_), frame.encoding);
    if (!header) return malformed("ends inside an element header");
    if (++elements_ > limits_.elements) return above("elements", limits_.elements);
    const std::size_t value = at_ + header->size;
    const bool open = header->length == kUndefinedLength;
    if (!open && header->length > frame.end - value) {
      return malformed("length=" + std::to_string(header->length) +
                       " left=" + std::to_string(frame.end - value));
    }
    if (header->tag.group == 0xfffe) return delimiter(frame, *header, value);
    if (frame.level == Level::kSequence || frame.level == Level::kFragments) {
      return malformed("an element where an item belongs");
    }
    if (!open && !holds_items(frame.encoding, *header, value)) {
      at_ = value + header->length;
      return {};
    }
    return enter_sequence(frame, *header, value);
  }

  Result<void> enter_sequence(const Frame& frame, const ElementHeader& header, std::size_t value) {
    const bool open = header.length == kUndefinedLength;
    const Vr v = header.vr;
    const bool pixels = open && (v == encoding::vr('O', 'B') || v == encoding::vr('O', 'W'));
    // UN of undefined length is in implicit VR little endian (PS3.5 6.2.2).
    const Encoding inner =
        v == encoding::vr('U', 'N') ? encoding::kImplicitLittleEndian : frame.encoding;
    return push({pixels ? Level::kFragments : Level::kSequence,
                 open ? frame.end : value + header.length, open, inner},
                value);
  }

  Result<void> delimiter(const Frame& frame, const ElementHeader& header, std::size_t value) {
    if (header.tag == kItem && frame.level == Level::kFragments) {
      if (header.length == kUndefinedLength) return malformed("a fragment without length");
      at_ = value + header.length;
      return {};
    }
    if (header.tag == kItem && frame.level == Level::kSequence) {
      const bool open = header.length == kUndefinedLength;
      return push({Level::kItems, open ? frame.end : value + header.length, open, frame.encoding},
                  value);
    }
    const bool ends_item = header.tag == kItemEnd && frame.level == Level::kItems;
    const bool ends_sequence = header.tag == kSequenceEnd && (frame.level == Level::kSequence ||
                                                              frame.level == Level::kFragments);
    if (!frame.open || !(ends_item || ends_sequence) || header.length != 0) {
      return malformed("an item or delimiter that belongs nowhere");
    }
    at_ = value;
    stack_.pop_back();
    return {};
  }

  Result<void> push(const Frame& frame, std::size_t value) {
    // An item counts half: sequence and item make one level of nesting.
    if (stack_.size() > 2 * limits_.depth) return above("nested sequences", limits_.depth);
    at_ = value;
    stack_.push_back(frame);
    return {};
  }

  /// Whether a parser may look for items in a value of this length. More than the standard says, so
  /// that no parser finds nesting where this walk found none.
  bool holds_items(Encoding encoding, const ElementHeader& header, std::size_t value) {
    if (encoding.explicit_vr && header.vr != encoding::vr('U', 'N')) {
      return header.vr == encoding::vr('S', 'Q');
    }
    if (!encoding.explicit_vr && is_sequence(header.tag)) return true;
    return header.length >= 8 &&
           load_le<std::uint32_t>(data_.data() + value) == 0xe000fffeU;  // an item's tag
  }

  bool is_sequence(Tag tag) {
    const auto key = static_cast<std::uint32_t>(tag.group) << 16 | tag.element;
    const auto [known, added] = sequences_.try_emplace(key, false);
    if (added) {
      const auto entry = encoding::find_tag(tag);
      known->second = entry && entry->vr == encoding::vr('S', 'Q');
    }
    return known->second;
  }

  ByteSpan data_;
  const TreeLimits& limits_;
  std::vector<Frame> stack_;
  std::size_t at_ = 0;
  std::size_t elements_ = 0;
  std::unordered_map<std::uint32_t, bool> sequences_;  // by tag, of implicit VR
};

}  // namespace

Result<void> check_nesting(ByteSpan data_set, Encoding encoding, const TreeLimits& limits) {
  return Walk(data_set, encoding, limits).run();
}

}  // namespace dr::rtstruct
