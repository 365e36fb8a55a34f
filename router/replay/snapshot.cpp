#include "router/replay/snapshot.h"

#include <algorithm>
#include <array>
#include <span>
#include <stdexcept>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "dimse/encoding/inflater.h"
#include "dimse/encoding/text.h"
#include "dimse/encoding/transfer_syntax.h"
#include "router/rules/items.h"

namespace dr::replay {
namespace {

using encoding::ElementHeader;
using encoding::Encoding;
using encoding::Tag;
using encoding::Vr;
using encoding::vr;

constexpr Tag kPixels{0x7fe0, 0};
constexpr Tag kItem{0xfffe, 0xe000};
constexpr std::size_t kHashLength = 17;
constexpr int kMaxDepth = 16;

constexpr Tag kIdentifying[] = {
    {0x0008, 0x0050},  // Accession Number
    {0x0008, 0x0081},  // Institution Address
    {0x0012, 0x0040},  // Clinical Trial Subject ID
    {0x0012, 0x0042},  // Clinical Trial Subject Reading ID
    {0x0020, 0x0010},  // Study ID
    {0x0032, 0x1070},  // Requested Contrast Agent, free text of the order
    {0x0038, 0x0010},  // Admission ID
    {0x0038, 0x0060},  // Service Episode ID
    {0x0038, 0x0300},  // Current Patient Location
    {0x0038, 0x0400},  // Patient's Institution Residence
    {0x0038, 0x0500},  // Patient State
    {0x0040, 0x2016},  // Placer Order Number / Imaging Service Request
    {0x0040, 0x2017},  // Filler Order Number / Imaging Service Request
};

bool is(Vr v, char a, char b) { return v == vr(a, b); }

/// Not those that reserve a block for a creator (PS3.5 7.8.1).
bool is_private(Tag tag) { return tag.group % 2 != 0 && tag.element > 0xff; }

bool is_bulk(Vr v) {
  return static_cast<std::uint16_t>(v) >> 8 == 'O' || is(v, 'U', 'T') || is(v, 'U', 'C');
}

/// What stands in `value`'s place: nullopt leaves the element out.
using Leaf = std::function<std::optional<Bytes>(Tag tag, Vr v, ByteSpan value)>;

/// Writes a data set element by element, all lengths defined.
class Rewriter {
 public:
  explicit Rewriter(Leaf leaf) : leaf_(std::move(leaf)) {}

  /// One element; false: it is left out, whole or in part.
  bool element(const rules::Part& part, Encoding encoding, int depth, Bytes& out) const {
    const Tag tag = part.header.tag;
    const Vr v = vr_of(part.header);
    const bool undefined = part.header.length == encoding::kUndefinedLength;
    if (undefined || is(v, 'S', 'Q')) {
      Bytes items;
      const bool all =
          sequence(part.value, rules::encoding_inside(part.header, encoding), depth, items);
      put(tag, encoding.explicit_vr ? part.header.vr : Vr::kUnknown, items, encoding, out);
      return all;
    }
    const auto value = leaf_(tag, v, part.value);
    if (!value) return false;
    put(tag, part.header.vr, *value, encoding, out);
    return true;
  }

  /// The dictionary's, where the data set has none.
  static Vr vr_of(const ElementHeader& header) {
    if (header.vr != Vr::kUnknown && !is(header.vr, 'U', 'N')) return header.vr;
    const auto entry = encoding::find_tag(header.tag);
    return entry ? entry->vr : header.vr;
  }

 private:
  bool sequence(ByteSpan octets, Encoding encoding, int depth, Bytes& out) const {
    bool all = depth < kMaxDepth;
    while (depth < kMaxDepth) {
      const auto item = rules::next_part(octets, encoding);
      if (!item || item->header.tag != kItem) break;
      Bytes inside;
      ByteSpan rest = item->value;
      while (const auto part = rules::next_part(rest, encoding)) {
        if (part->header.tag.group == 0xfffe) break;
        if (part->whole && element(*part, encoding, depth + 1, inside)) continue;
        all = false;
      }
      put(kItem, Vr::kUnknown, inside, encoding, out);
    }
    return all;
  }

  static void put(Tag tag, Vr v, ByteSpan value, Encoding encoding, Bytes& out) {
    const auto u16 = [&](std::size_t number) {
      const auto low = static_cast<std::byte>(number & 0xff);
      const auto high = static_cast<std::byte>(number >> 8 & 0xff);
      out.push_back(encoding.big_endian ? high : low);
      out.push_back(encoding.big_endian ? low : high);
    };
    const auto u32 = [&](std::size_t number) {
      u16(encoding.big_endian ? number >> 16 : number & 0xffff);
      u16(encoding.big_endian ? number & 0xffff : number >> 16);
    };
    u16(tag.group), u16(tag.element);
    const std::size_t length = value.size() + value.size() % 2;
    if (encoding.explicit_vr && tag.group != 0xfffe) {
      const auto letters = static_cast<std::uint16_t>(v);
      out.push_back(static_cast<std::byte>(letters >> 8));
      out.push_back(static_cast<std::byte>(letters & 0xff));
      if (encoding::has_short_length(v)) {
        u16(length);
      } else {
        u16(0), u32(length);
      }
    } else {
      u32(length);
    }
    out.insert(out.end(), value.begin(), value.end());
    if (value.size() % 2 != 0) out.push_back(is(v, 'U', 'I') ? std::byte{0} : std::byte{' '});
  }

  const Leaf leaf_;
};

/// The first octets of a deflated data set, inflated.
Bytes inflated(ByteSpan deflated) {
  Bytes octets;
  encoding::Inflater inflater;
  while (octets.size() < kMaxHead) {
    const auto more = inflater.next(deflated);
    if (!more || more->empty()) break;
    octets.insert(octets.end(), more->begin(), more->end());
  }
  return octets;
}

Bytes copy(ByteSpan octets) { return {octets.begin(), octets.end()}; }

/// The values' hashes, as one value field.
Bytes hashed(ByteSpan value, Vr v, const encoding::TextDecoder& decoder, const ValueHash& hash) {
  std::string text;
  for (const std::string& one : decoder.values(value, v)) {
    if (!text.empty()) text += '\\';
    text += one.empty() ? "" : hash.of(one);
  }
  return copy(as_bytes(text));
}

}  // namespace

bool identifies(Tag tag, Vr v) {
  return tag.group == 0x0010 || is_private(tag) || is(v, 'P', 'N') || is(v, 'L', 'T') ||
         is(v, 'S', 'T') || std::ranges::find(kIdentifying, tag) != std::end(kIdentifying);
}

bool hashable(Vr v) {
  static constexpr Vr kText[] = {vr('A', 'E'), vr('A', 'S'), vr('C', 'S'), vr('D', 'A'),
                                 vr('L', 'O'), vr('P', 'N'), vr('S', 'H'), vr('U', 'I')};
  return std::ranges::find(kText, v) != std::end(kText);
}

std::string ValueHash::of(std::string_view value) const {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned length = 0;
  const std::string text = "snapshot:" + std::string(value);
  if (HMAC(EVP_sha256(), key_.data(), static_cast<int>(key_.size()),
           reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data(),
           &length) == nullptr) {
    throw std::runtime_error("HMAC-SHA-256 is not available");
  }
  return "#" + to_hex(std::as_bytes(std::span(digest).first(8)));
}

Header cut_header(ByteSpan data_set, const Uid& transfer_syntax, bool whole, Keep keep,
                  const ValueHash* hash) {
  const encoding::TransferSyntax& syntax = encoding::transfer_syntax(transfer_syntax);
  Header header;
  header.explicit_vr = syntax.encoding.explicit_vr;
  header.big_endian = syntax.encoding.big_endian;
  Bytes plain;
  if (syntax.deflated) {
    plain = inflated(data_set);
    data_set = plain;
    whole = whole && plain.size() < kMaxHead;
  }
  std::optional<encoding::TextDecoder> decoder;
  const Leaf leaf = [&](Tag tag, Vr v, ByteSpan value) -> std::optional<Bytes> {
    if (is_bulk(v) || value.size() > kMaxValue) return std::nullopt;
    if (keep == Keep::kFull || !identifies(tag, v) || value.empty()) return copy(value);
    if (keep == Keep::kNone || hash == nullptr || !hashable(v) || is_private(tag)) {
      return std::nullopt;
    }
    if (!decoder) decoder.emplace(ByteSpan{});
    return hashed(value, v, *decoder, *hash);
  };
  const Rewriter rewriter(leaf);
  Tag last;
  for (ByteSpan rest = data_set; !rest.empty();) {
    const auto part = rules::next_part(rest, syntax.encoding);
    if (!part || part->header.tag.group == 0xfffe) break;
    const Tag tag = part->header.tag;
    if (tag >= kPixels) return header;
    if (!part->whole) {
      header.cut = tag;
      return header;
    }
    last = tag;
    if (tag == encoding::tags::kSpecificCharacterSet) decoder.emplace(part->value);
    Bytes element;
    if (part->value.size() > kMaxItems || !rewriter.element(*part, syntax.encoding, 0, element)) {
      header.missing.push_back(tag);
    }
    if (part->value.size() <= kMaxItems) {
      header.octets.insert(header.octets.end(), element.begin(), element.end());
    }
  }
  if (!whole) header.cut = Tag{last.group, static_cast<std::uint16_t>(last.element + 1)};
  return header;
}

Bytes restore(const Header& header, const std::map<std::string, std::string>& known) {
  const Leaf leaf = [&](Tag tag, Vr v, ByteSpan value) -> std::optional<Bytes> {
    if (!identifies(tag, v) || value.size() < kHashLength) return copy(value);
    std::string text;
    std::string_view rest = trim_padding(as_text(value));
    for (;;) {
      const auto end = std::min(rest.find('\\'), rest.size());
      const auto at = known.find(std::string(rest.substr(0, end)));
      text += at != known.end() ? std::string_view(at->second) : rest.substr(0, end);
      if (end == rest.size()) return copy(as_bytes(text));
      text += '\\';
      rest = rest.substr(end + 1);
    }
  };
  const Rewriter rewriter(leaf);
  const Encoding encoding{header.explicit_vr, header.big_endian};
  Bytes out;
  for (ByteSpan rest = header.octets; !rest.empty();) {
    const auto part = rules::next_part(rest, encoding);
    if (!part || !part->whole) break;
    rewriter.element(*part, encoding, 0, out);
  }
  return out;
}

}  // namespace dr::replay
