#include "router/rules/toml_text.h"

#include <array>
#include <charconv>

namespace dr::rules {

std::string toml_string(std::string_view text) {
  static constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out = "\"";
  for (const char c : text) {
    const auto octet = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (octet < 0x20 || octet == 0x7f) {
      out += "\\u00";
      out += kHex[octet >> 4];
      out += kHex[octet & 0xf];
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string toml_number(double number) {
  std::array<char, 40> text;
  const auto end = std::to_chars(text.data(), text.data() + text.size(), number);
  std::string out(text.data(), end.ptr);
  return out.find_first_of(".en") == std::string::npos ? out + ".0" : out;
}

}  // namespace dr::rules
