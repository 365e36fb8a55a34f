#include "router/rules/transform.h"

#include <algorithm>
#include <charconv>
#include <type_traits>

#include <re2/re2.h>

#include "router/rules/field_name.h"
#include "router/rules/suggest.h"
#include "router/rules/toml_text.h"

namespace dr::rules {
namespace {

using Filter = Template::Filter;

constexpr std::size_t kMaxCanonical = 16U << 10;
constexpr std::string_view kFilters[] = {"hash", "shift", "upper", "lower", "slice"};

Error message(std::string text) { return {Errc::kInvalid, std::move(text)}; }

bool read_bound(std::string_view text, std::optional<int>& into) {
  if (text.empty()) return true;
  int value = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  into = value;
  return error == std::errc{} && stop == text.data() + text.size();
}

/// hash, shift, upper, lower, slice:a:b
Result<Filter> read_filter(std::string_view text) {
  const std::size_t colon = text.find(':');
  const std::string_view name = text.substr(0, colon);
  const auto* const known = std::ranges::find(kFilters, name);
  if (known == std::end(kFilters)) {
    return message("unknown filter " + in_quotes(name) + suggestion(name, kFilters));
  }
  Filter filter{static_cast<Filter::Kind>(known - std::begin(kFilters)), {}, {}};
  const bool slices = filter.kind == Filter::Kind::kSlice;
  if (!slices && colon == std::string_view::npos) return filter;
  const std::size_t second = text.rfind(':');
  const bool good = slices && colon != std::string_view::npos && second != colon &&
                    read_bound(text.substr(colon + 1, second - colon - 1), filter.from) &&
                    read_bound(text.substr(second + 1), filter.to);
  if (good) return filter;
  return message(slices ? "'slice' takes two places: {PatientID|slice:0:8}"
                        : "filter " + in_quotes(name) + " takes nothing");
}

/// What stands between braces.
Result<Template::Part> read_part(std::string_view text) {
  Template::Part part;
  const std::size_t bar = text.find('|');
  auto path = ElementPath::parse(text.substr(0, bar));
  if (!path) return path.error();
  part.path = *std::move(path);
  while (bar != std::string_view::npos) {
    text.remove_prefix(text.find('|') + 1);
    const auto filter = read_filter(text.substr(0, text.find('|')));
    if (!filter) return filter.error();
    part.filters.push_back(*filter);
    if (text.find('|') == std::string_view::npos) break;
  }
  return part;
}

/// A TOML basic string.
template <class Range, class Text>
std::string list(const Range& all, const Text& text) {
  std::string out = "[";
  for (const auto& each : all) {
    if (out.size() > 1) out += ',';
    out += toml_string(text(each));
  }
  return out + ']';
}

std::string canonical(const SetAction& a) {
  return "set=" + toml_string(a.path.text) + ",to=" + toml_string(a.to.text);
}
std::string canonical(const RemoveAction& a) {
  return "remove=" + list(a.what, [](const Selector& s) { return s.text; }) +
         (a.everywhere ? ",everywhere=true" : "");
}
std::string canonical(const CopyAction& a) {
  return "copy=" + toml_string(a.from.text) + ",to=" + toml_string(a.to.text);
}
std::string canonical(const MapAction& a) {
  constexpr const char* kWords[] = {"hold", "keep", "empty"};
  return "map=" + toml_string(a.path.text) + ",file=" + toml_string(a.file) +
         ",sha256=" + toml_string(a.sha256) +
         ",missing=" + toml_string(kWords[static_cast<std::size_t>(a.missing)]);
}
std::string canonical(const ReplaceAction& a) {
  return "replace=" + toml_string(a.path.text) + ",pattern=" + toml_string(a.pattern) +
         ",with=" + toml_string(a.with);
}
std::string canonical(const PrefixAction& a) {
  return "prefix=" + toml_string(a.path.text) + ",with=" + toml_string(a.with);
}
std::string canonical(const UidRemapAction& a) {
  return "uid_remap=" +
         (a.paths.empty() ? toml_string("all")
                          : list(a.paths, [](const ElementPath& p) { return p.text; })) +
         (a.reversible ? ",reversible=true" : "");
}
std::string canonical(const DeidentifyAction& a) {
  std::string out = "deidentify=\"basic\"";
  auto words = a.options.words();
  std::erase(words, std::string_view("descriptors"));
  if (!words.empty()) out += ",keep=" + list(words, [](std::string_view w) { return w; });
  if (a.options.clean_descriptors) out += ",clean=[\"descriptors\"]";
  if (!a.safe_private.empty()) {
    out += ",safe_private=" + list(a.safe_private, [](const ElementPath& p) { return p.text; });
  }
  return out + (a.accept_pixels ? ",pixels=\"accept\"" : "");
}
std::string canonical(const OriginalAttributesAction& a) {
  return "original_attributes=" + toml_string(a.reason);
}

bool has_filter(const Template& text, Filter::Kind a, Filter::Kind b) {
  return std::ranges::any_of(text.parts, [&](const Template::Part& part) {
    return std::ranges::any_of(part.filters,
                               [&](const Filter& f) { return f.kind == a || f.kind == b; });
  });
}

}  // namespace

Result<Template> Template::parse(std::string_view text) {
  Template result;
  result.text = text;
  Part part;
  while (!text.empty()) {
    const char c = text.front();
    if (text.starts_with("{{") || text.starts_with("}}")) {
      part.literal += c;
      text.remove_prefix(2);
    } else if (c == '}') {
      return message("'}' without '{' in the template: for a brace write '}}'");
    } else if (c == '{') {
      const std::size_t end = text.find('}');
      if (end == std::string_view::npos) return message("'{' without '}' in the template");
      auto read = read_part(text.substr(1, end - 1));
      if (!read) return read.error();
      read->literal = std::exchange(part.literal, {});
      result.parts.push_back(*std::move(read));
      text.remove_prefix(end + 1);
    } else {
      part.literal += c;
      text.remove_prefix(1);
    }
  }
  if (!part.literal.empty()) result.parts.push_back(std::move(part));
  return result;
}

bool Template::needs_key() const {
  return has_filter(*this, Filter::Kind::kHash, Filter::Kind::kShift);
}

bool Selector::fits(const Element& element) const {
  const std::uint32_t number =
      static_cast<std::uint32_t>(element.tag.group) << 16 | element.tag.element;
  switch (kind) {
    case Kind::kPrivate:
      return element.tag.group % 2 != 0;
    case Kind::kPattern:
      return (number & mask) == pattern && element.tag.group < 0x7fe0;
    case Kind::kVr:
      return element.vr == vr && element.tag.group < 0x7fe0;
    case Kind::kPath:
      break;
  }
  return path->names.size() == 1 && path->last().creator.empty() && path->last().tag == element.tag;
}

bool Transform::needs_key() const {
  return std::ranges::any_of(actions, [](const TransformAction& action) {
    const auto* const set = std::get_if<SetAction>(&action);
    return (set != nullptr && set->to.needs_key()) ||
           std::holds_alternative<UidRemapAction>(action) ||
           std::holds_alternative<DeidentifyAction>(action);
  });
}

bool Transform::deidentifies() const {
  return std::ranges::any_of(actions, [](const TransformAction& action) {
    return std::holds_alternative<DeidentifyAction>(action);
  });
}

bool Transform::reversible() const {
  return std::ranges::any_of(actions, [](const TransformAction& action) {
    const auto* const remap = std::get_if<UidRemapAction>(&action);
    return remap != nullptr && remap->reversible;
  });
}

std::vector<const MapAction*> Transform::maps() const {
  std::vector<const MapAction*> all;
  for (const TransformAction& action : actions) {
    if (const auto* const map = std::get_if<MapAction>(&action)) all.push_back(map);
  }
  return all;
}

std::string Transform::canonical() const {
  std::string out = "[";
  for (const TransformAction& action : actions) {
    if (out.size() > 1) out += ',';
    out += '{' + std::visit([](const auto& a) { return rules::canonical(a); }, action) + '}';
  }
  return out + ']';
}

std::string canonical_transform(const toml::node& node, bool routes, Findings& findings) {
  if (!routes) findings.error(node.source(), "'transform' without 'route' has nothing to change");
  const auto folder = std::filesystem::absolute(findings.file()).parent_path();
  const auto transform = read_transform(node, folder, findings);
  std::string text = transform ? transform->canonical() : "";
  if (text.size() > kMaxCanonical) {
    findings.error(node.source(), "'transform' is longer than " + std::to_string(kMaxCanonical) +
                                      " octets: it stands in the journal with every object");
  }
  return text;
}

std::vector<Diagnostic> missing_keys(const std::vector<RuleInfo>& rules, const std::string& folder,
                                     bool has_key) {
  std::vector<Diagnostic> missing;
  for (const RuleInfo& rule : rules) {
    if (has_key || rule.transform.empty()) continue;
    const auto transform = parse_transform(rule.transform);
    if (!transform || !transform->needs_key()) continue;
    missing.push_back({Diagnostic::Severity::kError,
                       (std::filesystem::path(folder) / rule.file).string(), rule.line, 1,
                       "the transform of rule " + in_quotes(rule.name) +
                           " needs [keys] pseudonym in the configuration"});
  }
  return missing;
}

bool is_deidentified(std::string_view canonical) {
  const auto transform = parse_transform(canonical);
  return transform && transform->deidentifies();
}

}  // namespace dr::rules
