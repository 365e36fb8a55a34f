#include "router/rules/field_name.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <vector>

#include "router/rules/suggest.h"

namespace dr::rules {
namespace {

using encoding::Tag;
using encoding::vr;

constexpr std::size_t kMaxSteps = 8;
constexpr std::uint16_t kFirstGroup = 0x0008;  // below: command and file meta information
constexpr std::uint16_t kPixelGroup = 0x7fe0;

struct SourceName {
  std::string_view name;
  Field::Source source;
  Kind kind;
};
constexpr SourceName kSources[] = {
    {"source.ae_title", Field::Source::kCallingAeTitle, Kind::kAeTitle},
    {"source.called_ae_title", Field::Source::kCalledAeTitle, Kind::kAeTitle},
    {"source.address", Field::Source::kAddress, Kind::kAddress},
    {"source.listener", Field::Source::kListener, Kind::kListener},
    {"source.tls_subject", Field::Source::kTlsSubject, Kind::kText},
    {"source.user", Field::Source::kUser, Kind::kText},
    {"sop_class", Field::Source::kSopClass, Kind::kSopClass},
    {"transfer_syntax", Field::Source::kTransferSyntax, Kind::kTransferSyntax},
    {"received", Field::Source::kReceived, Kind::kWindow},
};
constexpr std::string_view kWords[] = {
    "any", "all", "not", "source", "sop_class", "transfer_syntax", "received"};

Error message(std::string text) { return {Errc::kInvalid, std::move(text)}; }

Kind kind_of(encoding::Vr v) {
  const auto is = [](char a, char b) { return static_cast<std::uint16_t>(vr(a, b)); };
  switch (static_cast<std::uint16_t>(v)) {
    case is('D', 'S'):
    case is('I', 'S'):
    case is('U', 'S'):
    case is('S', 'S'):
    case is('U', 'L'):
    case is('S', 'L'):
    case is('U', 'V'):
    case is('S', 'V'):
    case is('F', 'L'):
    case is('F', 'D'):
      return Kind::kNumber;
    case is('D', 'A'):
      return Kind::kDate;
    case is('T', 'M'):
      return Kind::kTime;
    case is('D', 'T'):
      return Kind::kDateTime;
    case is('A', 'S'):
      return Kind::kAge;
    case is('C', 'S'):
      return Kind::kUpperCase;
    case is('U', 'I'):
      return Kind::kUid;
    case is('S', 'Q'):
      return Kind::kSequence;
    case 0:
    case is('U', 'N'):
      return Kind::kUnknown;
    default:
      return static_cast<std::uint16_t>(v) >> 8 == 'O' ? Kind::kBinary : Kind::kText;
  }
}

std::optional<std::uint16_t> hex(std::string_view text, std::size_t digits) {
  std::uint16_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value, 16);
  if (text.size() != digits || error != std::errc{} || stop != end) return std::nullopt;
  return value;
}

/// The parts between dots, but for those inside of parentheses.
std::vector<std::string_view> segments_of(std::string_view key) {
  std::vector<std::string_view> segments;
  std::size_t start = 0;
  bool inside = false;
  for (std::size_t i = 0; i < key.size(); ++i) {
    if (key[i] == '(') inside = true;
    if (key[i] == ')') inside = false;
    if (key[i] != '.' || inside) continue;
    segments.push_back(key.substr(start, i - start));
    start = i + 1;
  }
  segments.push_back(key.substr(start));
  return segments;
}

Error unknown_keyword(std::string_view name) {
  const std::string word = suggestion(name, kWords);
  const auto keyword = encoding::nearest_keyword(name);
  const bool is_word = !name.empty() && name.front() >= 'a' && name.front() <= 'z';
  std::string near = keyword ? ", did you mean '" + *keyword + "'?" : word;
  if (is_word && !word.empty()) near = word;
  return message("unknown keyword " + in_quotes(name) + near);
}

Error bad_tag(std::string_view text) {
  return message(in_quotes(text) +
                 " is no tag: write \"(0008,0060)\", or \"(0019,CREATOR,30)\" for a "
                 "private one");
}

/// (gggg,CREATOR,ee)
Result<NamedField> private_element(std::string_view text, std::uint16_t group,
                                   std::string_view creator, std::string_view low,
                                   ProgramBuilder& program) {
  const auto element = hex(low, 2);
  if (!element || creator.empty() || creator.size() > 64) return bad_tag(text);
  if (group % 2 == 0 || group <= kFirstGroup) {
    return message(in_quotes(text) + ": private elements have an odd group above 0008");
  }
  NamedField named;
  named.kind = Kind::kUnknown;
  named.field.tag = {group, *element};
  named.field.creator = program.creator(group, std::string(creator));
  named.name = "(" + Tag{group, 0}.to_string().substr(1, 4) + "," + std::string(creator) + "," +
               Tag{0, *element}.to_string().substr(8, 2) + ")";
  return named;
}

NamedField from_dictionary(Tag tag, const encoding::DictionaryEntry* entry) {
  NamedField named;
  named.field.tag = tag;
  named.field.vr = entry != nullptr ? entry->vr : encoding::Vr::kUnknown;
  named.name = entry != nullptr ? entry->keyword : tag.to_string();
  // Keywords of repeating groups (60xx) name the first one.
  if (entry != nullptr && entry->tag != tag) named.name = tag.to_string();
  const auto letters = static_cast<std::uint16_t>(named.field.vr);
  if (letters != 0) named.vr = {static_cast<char>(letters >> 8), static_cast<char>(letters & 0xff)};
  named.kind = kind_of(named.field.vr);
  return named;
}

/// (gggg,eeee) or (gggg,CREATOR,ee)
Result<NamedField> by_tag(std::string_view text, ProgramBuilder& program) {
  const std::size_t comma = text.find(',');
  const std::size_t last = text.rfind(',');
  if (!text.ends_with(')') || comma == std::string_view::npos) return bad_tag(text);
  const auto group = hex(text.substr(1, comma - 1), 4);
  const std::string_view low = text.substr(last + 1, text.size() - last - 2);
  if (!group) return bad_tag(text);
  if (comma != last) {
    return private_element(text, *group, text.substr(comma + 1, last - comma - 1), low, program);
  }
  const auto element = hex(low, 4);
  if (!element) return bad_tag(text);
  if (*group % 2 != 0 && *element > 0xff) {
    return message(in_quotes(text) +
                   " is private and its block may differ from object to object: "
                   "name the creator, \"(" +
                   std::string(text.substr(1, 4)) + ",CREATOR," + std::string(low.substr(2)) +
                   ")\"");
  }
  auto entry = encoding::find_tag({*group, *element});
  if (entry) {  // where another element has the keyword, this one goes by its tag
    const auto owner = encoding::find_keyword(entry->keyword);
    if (!owner || owner->tag != entry->tag) entry->tag = {};
  }
  return from_dictionary({*group, *element}, entry ? &*entry : nullptr);
}

Result<NamedField> element(std::string_view text, ProgramBuilder& program) {
  NamedField named;
  if (text.starts_with('(')) {
    auto found = by_tag(text, program);
    if (!found) return found;
    named = *std::move(found);
  } else {
    const auto entry = encoding::find_keyword(text);
    if (!entry) return unknown_keyword(text);
    named = from_dictionary(entry->tag, &*entry);
  }
  if (named.field.tag.group < kFirstGroup) {
    return message(in_quotes(text) + " is no part of a data set" +
                   (text == "TransferSyntaxUID" ? ", did you mean 'transfer_syntax'?" : ""));
  }
  if (named.field.tag.group >= kPixelGroup) {
    return message(in_quotes(text) +
                   " can not be asked for: rules read nothing from pixel data on");
  }
  return named;
}

/// `Seq` or `Seq[1]`; `name` grows by it.
Result<Step> step(std::string_view text, ProgramBuilder& program, std::string& name) {
  Step found;
  std::string_view keyword = text;
  if (const std::size_t open = text.find('['); open != std::string_view::npos) {
    keyword = text.substr(0, open);
    const char* const end = text.data() + text.size() - 1;
    const auto [stop, error] = std::from_chars(text.data() + open + 1, end, found.item);
    if (!text.ends_with(']') || error != std::errc{} || stop != end || found.item == 0) {
      return message(in_quotes(text) + ": items are counted from 1, '" + std::string(keyword) +
                     "[1]'");
    }
  }
  auto sequence = element(keyword, program);
  if (!sequence) return sequence.error();
  // What a private element is, only the object knows.
  found.creator = sequence->field.creator;
  if (sequence->kind != Kind::kSequence && found.creator == kStandard) {
    return message(in_quotes(keyword) + " is no sequence: nothing stands inside of it");
  }
  found.sequence = sequence->field.tag;
  name += sequence->name + (found.item != 0 ? "[" + std::to_string(found.item) + "]." : ".");
  return found;
}

std::optional<NamedField> by_source_name(std::string_view key) {
  const auto* const row = std::ranges::find(kSources, key, &SourceName::name);
  if (row == std::end(kSources)) return std::nullopt;
  NamedField named;
  named.name = key;
  named.kind = row->kind;
  named.field.name = key;
  named.field.source = row->source;
  return named;
}

Error unknown_source(std::string_view key) {
  std::vector<std::string_view> known;
  for (const SourceName& row : kSources) {
    if (row.name.starts_with("source.")) known.push_back(row.name);
  }
  return message("unknown key " + in_quotes(key) + suggestion(key, known));
}

}  // namespace

std::string in_quotes(std::string_view text) {
  std::string out = "'";
  for (const char c : text.substr(0, 80)) {
    const auto octet = static_cast<unsigned char>(c);
    out += octet < 0x20 || octet == 0x7f ? '?' : c;
  }
  return out + (text.size() > 80 ? "...'" : "'");
}

Result<NamedField> find_field(std::string_view key, ProgramBuilder& program) {
  if (auto named = by_source_name(key)) return *std::move(named);
  if (key == "source" || key.starts_with("source.")) return unknown_source(key);
  const auto segments = segments_of(key);
  if (segments.size() > kMaxSteps) {
    return message(in_quotes(key) + ": sequences nest at most " + std::to_string(kMaxSteps) +
                   " deep");
  }
  std::string name;
  std::vector<Step> path;
  for (const std::string_view segment : std::span(segments).first(segments.size() - 1)) {
    const auto found = step(segment, program, name);
    if (!found) return found.error();
    path.push_back(*found);
  }
  auto named = element(segments.back(), program);
  if (!named) return named;
  named->field.path = std::move(path);
  named->name = name + named->name;
  named->field.name = named->name;
  named->field.opaque = named->kind == Kind::kSequence || named->kind == Kind::kBinary;
  return named;
}

}  // namespace dr::rules
