#pragma once

#include <cstdint>
#include <optional>

#include "dimse/base/bytes.h"
#include "dimse/encoding/tag.h"

namespace dr::encoding {

inline constexpr std::uint32_t kUndefinedLength = 0xffffffff;
inline constexpr std::size_t kMaxElementHeader = 12;

/// How data elements are encoded (PS3.5 7.1 and 7.3).
struct Encoding {
  bool explicit_vr = true;
  bool big_endian = false;
};
inline constexpr Encoding kImplicitLittleEndian{false, false};
inline constexpr Encoding kExplicitLittleEndian{true, false};

/// What stands before a value: tag, VR and length. Items and delimiters (group FFFE) have no VR.
struct ElementHeader {
  Tag tag;
  Vr vr{};  // Vr::kUnknown in implicit VR
  std::uint32_t length = 0;
  std::uint8_t size = 0;  // octets of the header itself: 8 or 12
};

/// Whether explicit VR gives the length of this VR in 16 bits (PS3.5 7.1.2, table 7.1-2). All VRs
/// that are yet to come use 32 bits; letters that can not be a VR ("??", NULs) come from writers
/// that use 16, as DCMTK found.
constexpr bool has_short_length(Vr v) noexcept {
  const auto is = [](char a, char b) { return static_cast<std::uint16_t>(vr(a, b)); };
  switch (static_cast<std::uint16_t>(v)) {
    case is('A', 'E'):
    case is('A', 'S'):
    case is('A', 'T'):
    case is('C', 'S'):
    case is('D', 'A'):
    case is('D', 'S'):
    case is('D', 'T'):
    case is('F', 'D'):
    case is('F', 'L'):
    case is('I', 'S'):
    case is('L', 'O'):
    case is('L', 'T'):
    case is('P', 'N'):
    case is('S', 'H'):
    case is('S', 'L'):
    case is('S', 'S'):
    case is('S', 'T'):
    case is('T', 'M'):
    case is('U', 'I'):
    case is('U', 'L'):
    case is('U', 'S'):
      return true;
    default: {
      const auto letters = static_cast<std::uint16_t>(v);
      const auto is_letter = [](int c) { return c >= 'A' && c <= 'Z'; };
      return !is_letter(letters >> 8) || !is_letter(letters & 0xff);
    }
  }
}

/// The header at the start of `octets`; nullopt when they end before it does (12 are always
/// enough). Says nothing about whether the value is there.
inline std::optional<ElementHeader> decode_element_header(ByteSpan octets,
                                                          Encoding encoding) noexcept {
  if (octets.size() < 8) return std::nullopt;
  const std::byte* p = octets.data();
  const auto u16 = [&](std::size_t at) {
    return encoding.big_endian ? load_be<std::uint16_t>(p + at) : load_le<std::uint16_t>(p + at);
  };
  const auto u32 = [&](std::size_t at) {
    return encoding.big_endian ? load_be<std::uint32_t>(p + at) : load_le<std::uint32_t>(p + at);
  };
  const Tag tag{u16(0), u16(2)};
  if (!encoding.explicit_vr || tag.group == 0xfffe) {
    return ElementHeader{tag, Vr::kUnknown, u32(4), 8};
  }
  const Vr v{load_be<std::uint16_t>(p + 4)};
  if (has_short_length(v)) return ElementHeader{tag, v, u16(6), 8};
  if (octets.size() < 12) return std::nullopt;
  return ElementHeader{tag, v, u32(8), 12};
}

}  // namespace dr::encoding
