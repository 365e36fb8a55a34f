#include "router/rules/transform_text.h"

#include <algorithm>
#include <vector>

#include <iconv.h>

namespace dr::rules {
namespace {

// All that encoding::CharacterSet converts with.
constexpr const char* kEncodings[] = {
    "US-ASCII",          "ISO-8859-1", "ISO-8859-2", "ISO-8859-3", "ISO-8859-4",
    "ISO-8859-5",        "ISO-8859-6", "ISO-8859-7", "ISO-8859-8", "ISO-8859-9",
    "ISO-8859-15",       "TIS-620",    "UTF-8",      "GB18030",    "GBK",
    "JIS_C6220-1969-RO", "EUC-JP",     "EUC-KR",     "EUC-CN"};

}  // namespace

std::optional<Bytes> encode_text(std::string_view utf8, const encoding::CharacterSet& set,
                                 encoding::Vr vr) {
  const bool plain = std::ranges::all_of(
      utf8, [](char c) { return static_cast<unsigned char>(c) < 0x7e && c != '\x1b'; });
  const auto bytes = [](std::string_view text) {
    const auto octets = as_bytes(text);
    return Bytes(octets.begin(), octets.end());
  };
  if (plain) return bytes(utf8);
  const auto encoded = set.encode(utf8, vr == encoding::vr('P', 'N'));
  if (!encoded) return std::nullopt;
  return bytes(*encoded);
}

// As long as a converter is open, the C library keeps its module.
void load_character_sets() {
  static std::vector<iconv_t> kept;
  for (const char* name : kEncodings) {
    kept.push_back(iconv_open(name, "UTF-8"));
    kept.push_back(iconv_open("UTF-8", name));
  }
}

}  // namespace dr::rules
