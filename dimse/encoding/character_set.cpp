#include "dimse/encoding/character_set.h"

#include <algorithm>
#include <map>

#include "dimse/encoding/coded_sets.h"

namespace dr::encoding {

struct CharacterSet::Impl {
  Designation initial;
  const char* whole = nullptr;  // a set without code extension that iconv takes as it is
  bool gb = false;
  std::vector<const CodedSet*> announced;  // by the values behind the first
  std::map<std::string_view, Converter> decoders;
  std::map<std::string_view, Converter> encoders;

  explicit Impl(std::string_view value);
  bool convert(const char* encoding, std::string_view octets, std::string& out) {
    return decoders.try_emplace(encoding, "UTF-8", encoding).first->second.convert(octets, out);
  }
  bool convert_from_unicode(const char* encoding, std::string_view utf8, std::string& out) {
    return encoders.try_emplace(encoding, encoding, "UTF-8").first->second.convert(utf8, out);
  }
  bool encode_in(const CodedSet& set, std::string_view character, std::string& out);
  bool encode_iso2022(std::string_view utf8, bool person_name, std::string& out);
  bool decode_iso2022(std::string_view text, bool person_name, std::string& out);
  static std::size_t gb_length(std::string_view text);
};

CharacterSet::Impl::Impl(std::string_view value) {
  const auto terms = defined_terms(value);
  whole = whole_encoding(terms.front());
  gb = whole != nullptr && terms.front() != "ISOIR192";
  initial = initial_sets(terms.front());
  for (std::size_t i = 1; i < terms.size(); ++i) {
    if (const CodedSet* const set = set_of_term(terms[i])) announced.push_back(set);
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
    const CodedSet* set = high ? now.g1 : graphic ? now.g0 : ascii_set();
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
  const CodedSet* g0 = ascii_set();
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
      g0 = ascii_set();
    }
    if (length == 1 && c == '\\') {
      parts.push_back(text.substr(start, at - start));
      start = at + 1;
      g0 = ascii_set();
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

/// One character as octets of `set`; false, and nothing added: it has no such.
bool CharacterSet::Impl::encode_in(const CodedSet& set, std::string_view character,
                                   std::string& out) {
  std::string octets;
  if (!convert_from_unicode(set.encoding, character, octets)) return false;
  if (!octets.starts_with(set.shift)) return false;
  octets.erase(0, set.shift.size());
  const bool high = !set.g0 || set.octets > 1;  // as iconv has them
  const bool all = std::ranges::all_of(octets, [&](char c) { return ((c & 0x80) != 0) == high; });
  if (octets.size() != set.octets || !all) return false;
  for (const char c : octets) out += set.g0 ? static_cast<char>(c & 0x7f) : c;
  return true;
}

/// Each character in a set that is active, or in the first announced one that has it, behind its
/// escape sequence (PS3.5 6.1.2.5). The initial sets are active again before delimiters and at the
/// end.
bool CharacterSet::Impl::encode_iso2022(std::string_view utf8, bool person_name, std::string& out) {
  Designation now = initial;
  const auto designate = [&](const CodedSet* set) {
    if (set == nullptr || set == now.g0 || set == now.g1) return;
    out += kEscape;
    out += set->escape;
    now.designate(set);
  };
  const auto reset = [&] {
    designate(initial.g0);
    designate(initial.g1);
    now = initial;
  };
  const auto put = [&](std::string_view character) {
    const bool graphic = character.size() > 1 || character[0] > ' ';
    if (!graphic) {
      out += character;
      return true;
    }
    std::string octets;
    for (const CodedSet* set : {now.g0, now.g1, initial.g0, initial.g1}) {
      if (set == nullptr || !encode_in(*set, character, octets)) continue;
      designate(set);
      out += octets;
      return true;
    }
    for (const CodedSet* set : announced) {
      if (!encode_in(*set, character, octets)) continue;
      designate(set);
      out += octets;
      return true;
    }
    return false;
  };
  while (!utf8.empty()) {
    std::size_t length = 1;
    while (length < utf8.size() && (utf8[length] & 0xc0) == 0x80) ++length;
    const char c = utf8[0];
    if (c == kEscape) return false;
    const bool delimits = person_name && (c == '^' || c == '=');
    if (delimits || kControls.find(c) != std::string_view::npos) reset();
    if (!put(utf8.substr(0, length))) return false;
    utf8.remove_prefix(length);
  }
  reset();
  return true;
}

std::optional<std::string> CharacterSet::encode(std::string_view utf8, bool person_name) const {
  std::string out;
  const bool good = impl_->whole ? impl_->convert_from_unicode(impl_->whole, utf8, out)
                                 : impl_->encode_iso2022(utf8, person_name, out);
  // What would be read otherwise than it was meant is not written.
  if (!good || decode(out, person_name) != utf8) return std::nullopt;
  return out;
}

bool CharacterSet::is_known(std::string_view value) {
  const auto terms = defined_terms(value);
  if (terms.size() == 1) return set_of_term(terms[0]) != nullptr || whole_encoding(terms[0]);
  return std::ranges::all_of(terms, [&](const std::string& term) {
    const bool extends = term.starts_with("ISO2022IR") && set_of_term(term) != nullptr;
    return extends || (term.empty() && &term == &terms.front());
  });
}

bool CharacterSet::ascii_stands_alone() const noexcept { return !impl_->gb; }

}  // namespace dr::encoding
