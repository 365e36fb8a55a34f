#include "dimse/encoding/coded_sets.h"

#include <algorithm>

namespace dr::encoding {
namespace {

constexpr CodedSet kSets[] = {
    {"6", "(B", "US-ASCII", 1, true, ""},       {"14", "(J", "JIS_C6220-1969-RO", 1, true, ""},
    {"87", "$B", "EUC-JP", 2, true, ""},        {"159", "$(D", "EUC-JP", 2, true, "\x8f"},
    {"13", ")I", "EUC-JP", 1, false, "\x8e"},   {"100", "-A", "ISO-8859-1", 1, false, ""},
    {"101", "-B", "ISO-8859-2", 1, false, ""},  {"109", "-C", "ISO-8859-3", 1, false, ""},
    {"110", "-D", "ISO-8859-4", 1, false, ""},  {"144", "-L", "ISO-8859-5", 1, false, ""},
    {"127", "-G", "ISO-8859-6", 1, false, ""},  {"126", "-F", "ISO-8859-7", 1, false, ""},
    {"138", "-H", "ISO-8859-8", 1, false, ""},  {"148", "-M", "ISO-8859-9", 1, false, ""},
    {"203", "-b", "ISO-8859-15", 1, false, ""}, {"166", "-T", "TIS-620", 1, false, ""},
    {"149", "$)C", "EUC-KR", 2, false, ""},     {"58", "$)A", "EUC-CN", 2, false, ""},
};
constexpr const CodedSet* kAscii = &kSets[0];
constexpr const CodedSet* kRomaji = &kSets[1];

const CodedSet* set_of_number(std::string_view number) {
  const auto* const at = std::ranges::find(kSets, number, &CodedSet::number);
  return at == std::end(kSets) ? nullptr : at;
}

}  // namespace

const CodedSet* ascii_set() { return kAscii; }

const CodedSet* set_of_escape(std::string_view behind_escape) {
  const auto* const at = std::ranges::find_if(
      kSets, [&](const CodedSet& set) { return behind_escape.starts_with(set.escape); });
  return at == std::end(kSets) ? nullptr : at;
}

std::vector<std::string> defined_terms(std::string_view value) {
  std::vector<std::string> terms(1);
  for (char c : value) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    if (c == '\\') {
      terms.emplace_back();
    } else if (c != ' ' && c != '_' && c != '-' && c != '\0') {
      terms.back() += c;
    }
  }
  return terms;
}

const CodedSet* set_of_term(std::string_view term) {
  for (const std::string_view start : {"ISOIR", "ISO2022IR"}) {
    if (term.starts_with(start)) return set_of_number(term.substr(start.size()));
  }
  return nullptr;
}

Designation initial_sets(std::string_view term) {
  const CodedSet* const set = set_of_term(term);
  if (set == nullptr || set->g0) return {};
  return {set->number == "13" ? kRomaji : kAscii, set};
}

const char* whole_encoding(std::string_view term) {
  if (term == "ISOIR192") return "UTF-8";
  if (term == "GB18030") return "GB18030";
  return term == "GBK" ? "GBK" : nullptr;
}

Converter::~Converter() {
  if (handle_ != reinterpret_cast<iconv_t>(-1)) iconv_close(handle_);
}

bool Converter::convert(std::string_view octets, std::string& out) {
  if (handle_ == reinterpret_cast<iconv_t>(-1)) return false;
  iconv(handle_, nullptr, nullptr, nullptr, nullptr);
  const std::size_t before = out.size();
  out.resize(before + 4 * octets.size());  // no octet of these sets makes more than four
  char* in = const_cast<char*>(octets.data());
  std::size_t in_left = octets.size();
  char* to = out.data() + before;
  std::size_t out_left = out.size() - before;
  // A count above zero: characters were replaced by others.
  const bool good = iconv(handle_, &in, &in_left, &to, &out_left) == 0 && in_left == 0;
  out.resize(good ? out.size() - out_left : before);
  return good;
}

}  // namespace dr::encoding
