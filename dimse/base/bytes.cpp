#include "dimse/base/bytes.h"

namespace dr {

std::string to_hex(ByteSpan bytes) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  text.reserve(2 * bytes.size());
  for (const std::byte octet : bytes) {
    text.push_back(kDigits[std::to_integer<std::size_t>(octet >> 4)]);
    text.push_back(kDigits[std::to_integer<std::size_t>(octet & std::byte{15})]);
  }
  return text;
}

}  // namespace dr
