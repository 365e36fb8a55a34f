#include "dimse/encoding/text.h"

#include <algorithm>

#include "dimse/base/uid.h"

namespace dr::encoding {
namespace {

constexpr char kEscape = '\x1b';

bool one_of(Vr v, std::initializer_list<Vr> list) {
  return std::ranges::find(list, v) != list.end();
}
bool has_one_value(Vr v) {
  return one_of(v, {vr('S', 'T'), vr('L', 'T'), vr('U', 'T'), vr('U', 'R')});
}
/// PS3.5 6.1.2.2: these are in the default repertoire, whatever (0008,0005) says.
bool is_in_default_repertoire(Vr v) {
  return one_of(v, {vr('A', 'E'), vr('A', 'S'), vr('C', 'S'), vr('D', 'A'), vr('D', 'S'),
                    vr('D', 'T'), vr('I', 'S'), vr('T', 'M'), vr('U', 'I'), vr('U', 'R')});
}
bool leading_spaces_are_padding(Vr v) {
  return !one_of(
      v, {vr('S', 'T'), vr('L', 'T'), vr('U', 'T'), vr('U', 'C'), vr('U', 'R'), vr('P', 'N')});
}

std::string_view trimmed(std::string_view text, bool leading) {
  text = trim_padding(text);
  while (leading && text.starts_with(' ')) text.remove_prefix(1);
  return text;
}

/// ASCII that means the same in every repertoire of DICOM: without 7EH, which is an overline in
/// ISO-IR 14. (5CH, there the Yen sign, separates values all the same.)
bool is_plain_ascii(std::string_view text) {
  return std::ranges::all_of(
      text, [](char c) { return static_cast<unsigned char>(c) < 0x7e && c != kEscape; });
}

/// Octets from 80H on as U+10FF00 + octet, in UTF-8; `all`: every octet, since those that look like
/// ASCII may be parts of characters.
std::string undecoded(std::string_view text, bool all) {
  std::string out;
  for (const char c : text) {
    const auto octet = static_cast<unsigned char>(c);
    if (!all && octet < 0x80) {
      out += c;
      continue;
    }
    out += "\xf4\x8f";
    out += static_cast<char>(0xbc | octet >> 6);
    out += static_cast<char>(0x80 | (octet & 0x3f));
  }
  return out;
}

}  // namespace

TextDecoder::TextDecoder(ByteSpan specific_character_set)
    : character_set_(as_text(specific_character_set)) {}

std::string TextDecoder::decode(std::string_view text, Vr v) const {
  if (is_plain_ascii(text)) return std::string(text);
  if (is_in_default_repertoire(v)) return undecoded(text, false);
  if (auto decoded = character_set_.decode(text, v == vr('P', 'N'))) return *std::move(decoded);
  const bool escapes = text.find(kEscape) != std::string_view::npos;
  return undecoded(text, escapes || !character_set_.ascii_stands_alone());
}

std::vector<std::string> TextDecoder::values(ByteSpan value, Vr v) const {
  const std::string_view text = trim_padding(as_text(value));
  if (text.empty()) return {};
  const auto parts = has_one_value(v) ? std::vector{text} : character_set_.split(text);
  std::vector<std::string> values;
  values.reserve(parts.size());
  for (const std::string_view part : parts) {
    values.push_back(decode(trimmed(part, leading_spaces_are_padding(v)), v));
  }
  return values;
}

bool plain_values(ByteSpan value, Vr v, std::pmr::vector<std::string_view>& into) {
  std::string_view rest = trim_padding(as_text(value));
  if (!is_plain_ascii(rest)) return false;
  if (rest.empty()) return true;
  const bool leading = leading_spaces_are_padding(v);
  for (;;) {
    const std::size_t end = has_one_value(v) ? std::string_view::npos : rest.find('\\');
    into.push_back(trimmed(rest.substr(0, end), leading));
    if (end == std::string_view::npos) return true;
    rest.remove_prefix(end + 1);
  }
}

}  // namespace dr::encoding
