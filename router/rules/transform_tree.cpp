#include "router/rules/transform_tree.h"

#include <algorithm>
#include <array>
#include <string>

namespace dr::rules {
namespace {

using encoding::ElementHeader;
using encoding::Encoding;
using encoding::kUndefinedLength;
using encoding::Tag;
using encoding::Vr;
using encoding::vr;

constexpr Tag kItem{0xfffe, 0xe000};
constexpr Tag kItemEnd{0xfffe, 0xe00d};
constexpr Tag kSequenceEnd{0xfffe, 0xe0dd};
constexpr std::uint64_t kToDelimiter = ~std::uint64_t{0};
constexpr std::size_t kMaxElements = 4'000'000;

bool is_pixel_data(Tag tag) { return tag.group == 0x7fe0; }

/// Reads headers through a window, so that a data set costs few system calls.
class Window {
 public:
  explicit Window(const Source& source) : source_(source) {}

  std::uint64_t size() const { return source_.size(); }
  /// At most 12 octets at `offset`; fewer at the end of the source.
  Result<ByteSpan> at(std::uint64_t offset) {
    if (offset < start_ || offset + encoding::kMaxElementHeader > start_ + filled_) {
      const auto n = source_.read(offset, octets_);
      if (!n) return n.error();
      start_ = offset;
      filled_ = *n;
    }
    const std::size_t from = static_cast<std::size_t>(offset - start_);
    return ByteSpan(octets_).subspan(from, std::min(filled_ - from, encoding::kMaxElementHeader));
  }

 private:
  const Source& source_;
  std::array<std::byte, 16384> octets_;
  std::uint64_t start_ = 0;
  std::size_t filled_ = 0;
};

class Parser {
 public:
  Parser(const Source& source, Item& root) : window_(source), root_(root) {}

  Result<void> parse(Encoding encoding) {
    auto end = elements(root_, 0, window_.size(), encoding, 0);
    if (!end) return end.error();
    root_.end = *end;
    return {};
  }

 private:
  static Error malformed(Tag tag, std::uint64_t offset, const std::string& what) {
    return {Errc::kMalformed,
            tag.to_string() + " at offset " + std::to_string(offset) + ": " + what};
  }

  Result<ElementHeader> header(std::uint64_t at, std::uint64_t limit, Encoding encoding) {
    const auto octets = window_.at(at);
    if (!octets) return octets.error();
    const std::uint64_t most = std::min<std::uint64_t>(octets->size(), limit - at);
    const auto decoded =
        encoding::decode_element_header(octets->first(static_cast<std::size_t>(most)), encoding);
    if (!decoded) return malformed({}, at, "ends inside a header");
    return *decoded;
  }

  /// Elements up to `limit`, or to an item delimiter where `limit` is kToDelimiter. Where they end.
  Result<std::uint64_t> elements(Item& into, std::uint64_t at, std::uint64_t limit,
                                 Encoding encoding, std::size_t depth) {
    const std::uint64_t bound = std::min(limit, window_.size());
    while (at < bound) {
      const auto head = header(at, bound, encoding);
      if (!head) return head.error();
      if (head->tag == kItemEnd && limit == kToDelimiter) return at + head->size;
      if (head->tag.group == 0xfffe) return malformed(head->tag, at, "no data element");
      if (++count_ > kMaxElements) return malformed(head->tag, at, "too many elements");
      into.elements.emplace_back();
      const auto end = element(into.elements.back(), *head, at, bound, encoding, depth);
      if (!end) return end.error();
      at = *end;
    }
    if (limit == kToDelimiter) return malformed(kItemEnd, at, "is missing");
    return at;
  }

  static Vr resolved(const ElementHeader& head) {
    if (head.vr != Vr::kUnknown && head.vr != vr('U', 'N')) return head.vr;
    const bool creator = head.tag.group % 2 != 0 && head.tag.element < 0x100;
    if (creator) return vr('L', 'O');
    if (head.tag.group % 2 != 0) return vr('U', 'N');
    if (head.tag.element == 0) return vr('U', 'L');
    const auto entry = encoding::find_tag(head.tag);
    return entry && entry->vr != Vr::kUnknown ? entry->vr : vr('U', 'N');
  }

  Result<std::uint64_t> element(Element& e, const ElementHeader& head, std::uint64_t at,
                                std::uint64_t bound, Encoding encoding, std::size_t depth) {
    e.tag = head.tag;
    e.encoded = head.vr;
    e.vr = resolved(head);
    e.begin = at;
    e.value = at + head.size;
    const bool undefined = head.length == kUndefinedLength;
    const bool says_un = head.vr == vr('U', 'N');
    if (!undefined && head.length > bound - e.value) {
      return malformed(
          e.tag, at,
          "length=" + std::to_string(head.length) + " left=" + std::to_string(bound - e.value));
    }
    e.length = undefined ? 0 : head.length;
    e.end = e.value + e.length;
    const bool fragments =
        undefined &&
        (is_pixel_data(e.tag) || (encoding.explicit_vr && !says_un && e.vr != vr('S', 'Q')));
    if (fragments) return skip_fragments(e, bound);
    if (!undefined && e.vr != vr('S', 'Q')) return e.end;
    e.sequence = true;
    e.vr = vr('S', 'Q');
    e.implicit_items = says_un;
    const Encoding inner = says_un ? encoding::kImplicitLittleEndian : encoding;
    const auto end = items(e, undefined ? bound : e.end, undefined, inner, depth + 1);
    if (end) return end;
    // What a private writer calls UN need not be what the dictionary says it is.
    if (!says_un || undefined) return end;
    e.items.clear();
    e.sequence = e.implicit_items = false;
    e.vr = vr('U', 'N');
    return e.end;
  }

  Result<std::uint64_t> items(Element& e, std::uint64_t bound, bool to_delimiter, Encoding encoding,
                              std::size_t depth) {
    if (depth > DataSet::kMaxDepth) return malformed(e.tag, e.begin, "nests too deep");
    std::uint64_t at = e.value;
    while (at < bound) {
      const auto head = header(at, bound, encoding);
      if (!head) return head.error();
      if (to_delimiter && head->tag == kSequenceEnd) {
        e.length = at - e.value;
        e.end = at + head->size;
        return e.end;
      }
      if (head->tag != kItem) return malformed(head->tag, at, "no item");
      const std::uint64_t inside = at + head->size;
      const bool undefined = head->length == kUndefinedLength;
      if (!undefined && head->length > bound - inside) return malformed(kItem, at, "is too long");
      e.items.emplace_back();
      e.items.back().begin = at;
      const auto end = elements(e.items.back(), inside,
                                undefined ? kToDelimiter : inside + head->length, encoding, depth);
      if (!end) return end;
      at = e.items.back().end = *end;
    }
    if (to_delimiter) return malformed(e.tag, e.begin, "is not ended");
    return at;
  }

  Result<std::uint64_t> skip_fragments(Element& e, std::uint64_t bound) {
    std::uint64_t at = e.value;
    while (at < bound) {
      const auto head = header(at, bound, encoding::kExplicitLittleEndian);
      if (!head) return head.error();
      if (head->tag == kSequenceEnd) {
        e.length = at - e.value;
        e.end = at + head->size;
        return e.end;
      }
      if (head->tag != kItem || head->length > bound - at - head->size) {
        return malformed(head->tag, at, "no fragment");
      }
      at += head->size + head->length;
    }
    return malformed(e.tag, e.begin, "is not ended");
  }

  Window window_;
  Item& root_;
  std::size_t count_ = 0;
};

bool is_dirty(const Item& item);

bool is_dirty(const Element& e) {
  return e.changed || e.fresh || e.begin == e.end ||
         std::ranges::any_of(e.items, [](const Item& i) { return is_dirty(i); });
}

bool is_dirty(const Item& item) {
  return item.begin == item.end || !item.touched.empty() ||
         std::ranges::any_of(item.elements, [](const Element& e) { return is_dirty(e); });
}

/// Groups whose length element is no longer true.
std::set<std::uint16_t> dirty_groups(const Item& item) {
  std::set<std::uint16_t> groups = item.touched;
  for (const Element& e : item.elements) {
    if (is_dirty(e)) groups.insert(e.tag.group);
  }
  return groups;
}

std::byte padding(Vr v) {
  const bool zero = v == vr('U', 'I') || v == vr('U', 'N') || static_cast<unsigned>(v) >> 8 == 'O';
  return std::byte{zero ? std::uint8_t{0} : std::uint8_t{' '}};
}

class Writer {
 public:
  Writer(const Source& source, const DataSet::Sink& sink) : source_(source), sink_(sink) {}

  Result<void> elements(const Item& item, Encoding encoding) {
    const auto groups = dirty_groups(item);
    for (const Element& e : item.elements) {
      if (e.tag.element == 0 && groups.contains(e.tag.group)) continue;
      auto written = is_dirty(e) ? element(e, encoding) : keep(e.begin, e.end);
      if (!written) return written;
    }
    return {};
  }

  /// All that is pending goes to the sink. Octets written in all.
  Result<std::uint64_t> finish() {
    if (auto flushed = flush(); !flushed) return flushed.error();
    return total_;
  }

 private:
  static constexpr std::size_t kPiece = 256 * 1024;

  void u16(std::uint16_t v, Encoding encoding) {
    encoding.big_endian ? ByteWriter(octets_).be(v) : ByteWriter(octets_).le(v);
  }
  void u32(std::uint32_t v, Encoding encoding) {
    encoding.big_endian ? ByteWriter(octets_).be(v) : ByteWriter(octets_).le(v);
  }
  void marker(Tag tag, std::uint32_t length, Encoding encoding) {
    u16(tag.group, encoding);
    u16(tag.element, encoding);
    u32(length, encoding);
  }
  Result<void> header(Tag tag, Vr v, std::uint64_t length, Encoding encoding) {
    if (!encoding.explicit_vr) {
      marker(tag, static_cast<std::uint32_t>(length), encoding);
      return {};
    }
    u16(tag.group, encoding);
    u16(tag.element, encoding);
    ByteWriter(octets_).be(static_cast<std::uint16_t>(v));
    if (!encoding::has_short_length(v)) {
      u16(0, encoding);
      u32(static_cast<std::uint32_t>(length), encoding);
      return {};
    }
    if (length > 0xfffe) {
      return Error{Errc::kTooLong, tag.to_string() + " length=" + std::to_string(length)};
    }
    u16(static_cast<std::uint16_t>(length), encoding);
    return {};
  }

  Result<void> element(const Element& e, Encoding encoding) {
    if (e.sequence) return sequence(e, encoding);
    const Bytes& value = *e.fresh;
    const std::size_t padded = value.size() + value.size() % 2;
    if (auto head = header(e.tag, e.vr, padded, encoding); !head) return head;
    ByteWriter(octets_).put(value);
    if (padded != value.size()) octets_.push_back(padding(e.vr));
    return octets_.size() < kPiece ? Result<void>() : flush();
  }

  Result<void> sequence(const Element& e, Encoding encoding) {
    const Vr v = e.implicit_items ? vr('U', 'N') : vr('S', 'Q');
    if (auto head = header(e.tag, v, kUndefinedLength, encoding); !head) return head;
    const Encoding inner = e.implicit_items ? encoding::kImplicitLittleEndian : encoding;
    for (const Item& item : e.items) {
      if (!is_dirty(item)) {
        if (auto kept = keep(item.begin, item.end); !kept) return kept;
        continue;
      }
      marker(kItem, kUndefinedLength, inner);
      if (auto written = elements(item, inner); !written) return written;
      marker(kItemEnd, 0, inner);
    }
    marker(kSequenceEnd, 0, encoding);
    return {};
  }

  /// These octets of the source follow; those that adjoin are copied at once.
  Result<void> keep(std::uint64_t begin, std::uint64_t end) {
    if (octets_.empty() && begin == keep_end_) {
      keep_end_ = end;
      return {};
    }
    if (auto flushed = flush(); !flushed) return flushed;
    keep_begin_ = begin;
    keep_end_ = end;
    return {};
  }

  // What is kept stands before what is in octets_.
  Result<void> flush() {
    if (keep_begin_ != keep_end_ && piece_.empty()) piece_.resize(kPiece);
    while (keep_begin_ < keep_end_) {
      const auto most = std::min<std::uint64_t>(kPiece, keep_end_ - keep_begin_);
      const auto n =
          source_.read(keep_begin_, MutableByteSpan(piece_).first(static_cast<std::size_t>(most)));
      if (!n) return n.error();
      if (*n == 0) return Error{Errc::kCorrupt, "the source has shrunk"};
      if (auto put = sink_(ByteSpan(piece_).first(*n)); !put) return put;
      keep_begin_ += *n;
      total_ += *n;
    }
    if (octets_.empty()) return {};
    if (auto put = sink_(octets_); !put) return put;
    total_ += octets_.size();
    octets_.clear();
    return {};
  }

  const Source& source_;
  const DataSet::Sink& sink_;
  Bytes octets_;
  Bytes piece_;
  std::uint64_t keep_begin_ = 0;
  std::uint64_t keep_end_ = 0;
  std::uint64_t total_ = 0;
};

}  // namespace

const Element* Item::find(Tag tag) const {
  const auto at = std::ranges::find(elements, tag, &Element::tag);
  return at == elements.end() ? nullptr : &*at;
}

Element* Item::find(Tag tag) {
  return const_cast<Element*>(static_cast<const Item*>(this)->find(tag));
}

Element& Item::make(Tag tag, Vr vr) {
  if (Element* const there = find(tag)) return *there;
  const auto place =
      std::ranges::find_if(elements, [&](const Element& other) { return other.tag > tag; });
  const auto at = elements.emplace(place);
  at->tag = tag;
  at->vr = vr;
  at->sequence = vr == encoding::vr('S', 'Q');
  if (!at->sequence) at->fresh.emplace();
  touched.insert(tag.group);
  return *at;
}

std::size_t Item::remove_if(const std::function<bool(const Element&)>& goes) {
  return std::erase_if(elements, [&](const Element& e) {
    if (!goes(e)) return false;
    touched.insert(e.tag.group);
    return true;
  });
}

Result<DataSet> DataSet::parse(const Source& source, Encoding encoding) {
  DataSet set(source, encoding);
  if (auto parsed = Parser(source, set.root_).parse(encoding); !parsed) return parsed.error();
  return set;
}

Result<Bytes> DataSet::value(const Element& element) const {
  if (element.fresh) return *element.fresh;
  if (element.length > kMaxValue) {
    return Error{Errc::kTooLong,
                 element.tag.to_string() + " length=" + std::to_string(element.length)};
  }
  Bytes octets(static_cast<std::size_t>(element.length));
  const auto n = source_->read(element.value, octets);
  if (!n) return n.error();
  if (*n != octets.size()) return Error{Errc::kCorrupt, "the source has shrunk"};
  return octets;
}

Result<std::uint64_t> DataSet::write(const Sink& sink) const {
  Writer writer(*source_, sink);
  if (auto written = writer.elements(root_, encoding_); !written) return written.error();
  return writer.finish();
}

}  // namespace dr::rules
