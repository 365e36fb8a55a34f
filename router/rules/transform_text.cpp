#include "router/rules/transform_text.h"

#include <algorithm>
#include <vector>

#include <iconv.h>

namespace dr::rules {
namespace {

struct Charset {
  std::string_view term;  // without spaces, hyphens and underscores
  const char* name;       // iconv's
};
constexpr Charset kCharsets[] = {
    {"", "US-ASCII"},      {"6", "US-ASCII"},     {"100", "ISO-8859-1"},  {"101", "ISO-8859-2"},
    {"109", "ISO-8859-3"}, {"110", "ISO-8859-4"}, {"144", "ISO-8859-5"},  {"127", "ISO-8859-6"},
    {"126", "ISO-8859-7"}, {"138", "ISO-8859-8"}, {"148", "ISO-8859-9"},  {"203", "ISO-8859-15"},
    {"166", "TIS-620"},    {"192", "UTF-8"},      {"GB18030", "GB18030"}, {"GBK", "GBK"}};

// What the decoder of the header scan uses beside these.
constexpr const char* kDecoded[] = {"JIS_C6220-1969-RO", "EUC-JP", "EUC-KR", "EUC-CN"};

const char* iconv_name(std::string_view value) {
  std::string term;
  for (char c : value.substr(0, value.find('\\'))) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    if (c != ' ' && c != '_' && c != '-' && c != '\0') term += c;
  }
  for (const std::string_view start : {"ISO2022IR", "ISOIR"}) {
    if (term.starts_with(start)) term.erase(0, start.size());
  }
  const auto* const row = std::ranges::find(kCharsets, term, &Charset::term);
  return row == std::end(kCharsets) ? nullptr : row->name;
}

bool is_ascii(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

const iconv_t kNone = reinterpret_cast<iconv_t>(-1);  // NOLINT(performance-no-int-to-ptr)

}  // namespace

std::optional<Bytes> encode_text(std::string_view utf8, std::string_view specific_character_set) {
  if (is_ascii(utf8)) {
    const auto octets = as_bytes(utf8);
    return Bytes(octets.begin(), octets.end());
  }
  const char* const name = iconv_name(specific_character_set);
  if (name == nullptr) return std::nullopt;
  const iconv_t handle = iconv_open(name, "UTF-8");
  if (handle == kNone) return std::nullopt;
  Bytes out(4 * utf8.size());
  char* in = const_cast<char*>(utf8.data());
  std::size_t in_left = utf8.size();
  char* to = reinterpret_cast<char*>(out.data());
  std::size_t out_left = out.size();
  // A count above zero: characters were replaced by others.
  const bool good = iconv(handle, &in, &in_left, &to, &out_left) == 0 && in_left == 0;
  iconv_close(handle);
  if (!good) return std::nullopt;
  out.resize(out.size() - out_left);
  return out;
}

// As long as a converter is open, the C library keeps its module.
void load_character_sets() {
  static std::vector<iconv_t> kept;
  for (const Charset& charset : kCharsets) {
    kept.push_back(iconv_open(charset.name, "UTF-8"));
    kept.push_back(iconv_open("UTF-8", charset.name));
  }
  for (const char* name : kDecoded) kept.push_back(iconv_open("UTF-8", name));
}

}  // namespace dr::rules
