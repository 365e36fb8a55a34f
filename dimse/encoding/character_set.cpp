#include "dimse/encoding/character_set.h"

#include <algorithm>
#include <map>

#include <iconv.h>

#include "dimse/base/uid.h"

namespace dr::encoding {
namespace {

constexpr char kEscape = '\x1b';
constexpr std::string_view kControls = "\t\n\f\r";  // back to the initial sets (PS3.5 6.1.2.5.3)

/// A set of ISO 2022 that DICOM uses (PS3.3 tables C.12-2 to C.12-4), and how iconv(3) takes it:
/// the double-octet ones as EUC, whose code set 1 is G1, and which reaches others by a single
/// shift.
struct CodedSet {
  std::string_view number;  // of the registry: "ISO_IR 100", "ISO 2022 IR 100"
  std::string_view escape;  // what follows ESC
  const char* encoding;
  std::size_t octets;      // a character
  bool g0;                 // octets 21H-7EH; otherwise those from 80H on
  std::string_view shift;  // before each character
};
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
const CodedSet* set_of_escape(std::string_view behind_escape) {
  const auto* const at = std::ranges::find_if(
      kSets, [&](const CodedSet& set) { return behind_escape.starts_with(set.escape); });
  return at == std::end(kSets) ? nullptr : at;
}

/// What octets mean at one place of a text.
struct Designation {
  const CodedSet* g0 = kAscii;
  const CodedSet* g1 = nullptr;

  void designate(const CodedSet* set) { (set->g0 ? g0 : g1) = set; }
};

/// The first value of (0008,0005) without spaces, hyphens and underscores, in upper case.
std::string first_term(std::string_view value) {
  std::string term;
  for (char c : value.substr(0, value.find('\\'))) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    if (c != ' ' && c != '_' && c != '-' && c != '\0') term += c;
  }
  return term;
}

Designation initial_sets(std::string_view term) {
  for (const std::string_view start : {"ISOIR", "ISO2022IR"}) {
    if (!term.starts_with(start)) continue;
    const std::string_view number = term.substr(start.size());
    if (number == "13") return {kRomaji, set_of_number(number)};
    const CodedSet* set = set_of_number(number);
    if (set && !set->g0) return {kAscii, set};
  }
  return {};
}

/// One iconv(3) descriptor from a set to UTF-8.
class Converter {
 public:
  explicit Converter(const char* from) : handle_(iconv_open("UTF-8", from)) {}
  ~Converter() {
    if (usable()) iconv_close(handle_);
  }
  Converter(const Converter&) = delete;
  Converter& operator=(const Converter&) = delete;

  bool convert(std::string_view octets, std::string& out) {
    if (!usable()) return false;
    iconv(handle_, nullptr, nullptr, nullptr, nullptr);
    const std::size_t before = out.size();
    out.resize(before + 4 * octets.size());  // no octet of these sets makes more than four
    char* in = const_cast<char*>(octets.data());
    std::size_t in_left = octets.size();
    char* to = out.data() + before;
    std::size_t out_left = out.size() - before;
    const bool good = iconv(handle_, &in, &in_left, &to, &out_left) == 0 && in_left == 0;
    out.resize(good ? out.size() - out_left : before);
    return good;
  }

 private:
  bool usable() const { return handle_ != reinterpret_cast<iconv_t>(-1); }

  iconv_t handle_;
};

}  // namespace

struct CharacterSet::Impl {
  Designation initial;
  const char* whole = nullptr;  // a set without code extension that iconv takes as it is
  bool gb = false;
  std::map<std::string_view, Converter> converters;

  explicit Impl(std::string_view value);
  bool convert(const char* encoding, std::string_view octets, std::string& out) {
    return converters.try_emplace(encoding, encoding).first->second.convert(octets, out);
  }
  bool decode_iso2022(std::string_view text, bool person_name, std::string& out);
  static std::size_t gb_length(std::string_view text);
};

CharacterSet::Impl::Impl(std::string_view value) {
  const std::string term = first_term(value);
  if (term == "ISOIR192") {
    whole = "UTF-8";
  } else if (term == "GB18030" || term == "GBK") {
    whole = term == "GBK" ? "GBK" : "GB18030";
    gb = true;
  } else {
    initial = initial_sets(term);
  }
}

/// Octets of the character that `text` starts with, in GB18030 or GBK.
std::size_t CharacterSet::Impl::gb_length(std::string_view text) {
  if (static_cast<unsigned char>(text[0]) < 0x81 || text.size() < 2) return 1;
  const bool four = text[1] >= '0' && text[1] <= '9';
  return std::min<std::size_t>(four ? 4 : 2, text.size());
}

/// Gathers runs of characters of one set, then converts each run at once.
bool CharacterSet::Impl::decode_iso2022(std::string_view text, bool person_name, std::string& out) {
  Designation now = initial;
  const CodedSet* run_set = nullptr;
  std::string run;
  const auto end_run = [&] {
    const bool good = run_set == nullptr || run.empty() || convert(run_set->encoding, run, out);
    run.clear();
    return good;
  };
  while (!text.empty()) {
    const char c = text[0];
    if (c == kEscape) {
      const CodedSet* set = set_of_escape(text.substr(1));
      if (!set) return false;
      now.designate(set);
      text.remove_prefix(1 + set->escape.size());
      continue;
    }
    const bool high = static_cast<unsigned char>(c) >= 0x80;
    const bool graphic = high || c > ' ';
    const CodedSet* set = high ? now.g1 : graphic ? now.g0 : kAscii;
    if (!set || text.size() < set->octets) return false;
    if (set != run_set && !end_run()) return false;
    run_set = set;
    run += set->shift;
    for (const char octet : text.substr(0, set->octets)) {
      run += set->g0 && set->octets == 2 ? static_cast<char>(octet | 0x80) : octet;
    }
    text.remove_prefix(set->octets);
    const bool delimits = person_name && (c == '^' || c == '=') && set->octets == 1;
    if (delimits || kControls.find(c) != std::string_view::npos) now = initial;
  }
  return end_run();
}

CharacterSet::CharacterSet(std::string_view value) : impl_(std::make_unique<Impl>(value)) {}
CharacterSet::~CharacterSet() = default;
CharacterSet::CharacterSet(CharacterSet&&) noexcept = default;
CharacterSet& CharacterSet::operator=(CharacterSet&&) noexcept = default;

std::vector<std::string_view> CharacterSet::split(std::string_view text) const {
  std::vector<std::string_view> parts;
  const CodedSet* g0 = kAscii;
  std::size_t start = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::string_view rest = text.substr(at);
    const char c = rest[0];
    std::size_t length = 1;
    if (impl_->gb) {
      length = Impl::gb_length(rest);
    } else if (const CodedSet* set = c == kEscape ? set_of_escape(rest.substr(1)) : nullptr) {
      if (set->g0) g0 = set;
      length = 1 + set->escape.size();
    } else if (c > ' ' && c < '\x7f') {
      length = std::min(g0->octets, rest.size());
    } else if (kControls.find(c) != std::string_view::npos) {
      g0 = kAscii;
    }
    if (length == 1 && c == '\\') {
      parts.push_back(text.substr(start, at - start));
      start = at + 1;
      g0 = kAscii;
    }
    at += length;
  }
  parts.push_back(text.substr(start));
  return parts;
}

std::optional<std::string> CharacterSet::decode(std::string_view text, bool person_name) const {
  std::string out;
  const bool good = impl_->whole ? impl_->convert(impl_->whole, text, out)
                                 : impl_->decode_iso2022(text, person_name, out);
  if (!good) return std::nullopt;
  return out;
}

bool CharacterSet::ascii_stands_alone() const noexcept { return !impl_->gb; }

}  // namespace dr::encoding
