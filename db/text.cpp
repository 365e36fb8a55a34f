#include "db/text.h"

namespace dr::db {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

struct Step {
  std::size_t octets;  // to move on by, at least 1
  bool valid;          // a character that may be stored
};

/// The character, or the maximal ill-formed part, at the head of `rest` (not empty). The bounds of
/// the second octet are those of Unicode's table 3-7: they leave out overlong forms, surrogates and
/// what lies above U+10FFFF.
Step step(std::string_view rest) noexcept {
  const auto octet = [&](std::size_t i) { return static_cast<unsigned char>(rest[i]); };
  const unsigned char first = octet(0);
  if (first < 0x80) return {1, first != 0};
  if (first < 0xc2 || first > 0xf4) return {1, false};
  const std::size_t length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  unsigned char low = 0x80;
  unsigned char high = 0xbf;
  if (first == 0xe0) low = 0xa0;
  if (first == 0xed) high = 0x9f;
  if (first == 0xf0) low = 0x90;
  if (first == 0xf4) high = 0x8f;
  for (std::size_t i = 1; i < length; ++i) {
    if (i >= rest.size() || octet(i) < low || octet(i) > high) return {i, false};
    low = 0x80;
    high = 0xbf;
  }
  return {length, true};
}

}  // namespace

bool is_clean_text(std::string_view text, std::size_t limit) noexcept {
  std::size_t characters = 0;
  while (!text.empty()) {
    const Step next = step(text);
    if (!next.valid || ++characters > limit) return false;
    text.remove_prefix(next.octets);
  }
  return true;
}

std::string clean_text(std::string_view text, std::size_t limit) {
  std::string out;
  for (std::size_t characters = 0; characters < limit && !text.empty(); ++characters) {
    const Step next = step(text);
    out.append(next.valid ? text.substr(0, next.octets) : kReplacement);
    text.remove_prefix(next.octets);
  }
  return out;
}

}  // namespace dr::db
