#include "router/rules/transform_apply.h"

#include <algorithm>
#include <array>

#include <re2/re2.h>

#include "router/rules/transform_value.h"

namespace dr::rules {
namespace {

using encoding::Tag;
using encoding::Vr;
using encoding::vr;
using Filter = Template::Filter;

std::size_t at_character(std::string_view utf8, std::size_t index) {
  std::size_t at = 0;
  for (; at < utf8.size(); ++at) {
    const bool starts = (utf8[at] & 0xc0) != 0x80;
    if (starts && index-- == 0) break;
  }
  return at;
}

std::string slice(std::string_view utf8, const Filter& filter) {
  const auto count =
      static_cast<int>(std::ranges::count_if(utf8, [](char c) { return (c & 0xc0) != 0x80; }));
  const auto place = [&](int i) {
    return static_cast<std::size_t>(std::clamp(i < 0 ? count + i : i, 0, count));
  };
  const std::size_t from = place(filter.from.value_or(0));
  const std::size_t to = place(filter.to.value_or(count));
  if (from >= to) return {};
  const std::size_t start = at_character(utf8, from);
  return std::string(utf8.substr(start, at_character(utf8, to) - start));
}

char upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; }
char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::string filtered(std::string text, const Filter& filter, const Workpiece& work) {
  switch (filter.kind) {
    case Filter::Kind::kHash:
      return work.context().pseudonyms.hash(text);
    case Filter::Kind::kShift:
      return shift_date(text, work.days());
    case Filter::Kind::kUpper:
      std::ranges::transform(text, text.begin(), upper);
      return text;
    case Filter::Kind::kLower:
      std::ranges::transform(text, text.begin(), lower);
      return text;
    case Filter::Kind::kSlice:
      return slice(text, filter);
  }
  return text;
}

std::string joined(const std::vector<std::string>& values) {
  std::string all;
  for (const std::string& each : values) all += (all.empty() ? "" : "\\") + each;
  return all;
}

/// The first place where the path's element is, and its values there; none where it is nowhere.
Result<std::vector<std::string>> first_values(const ElementPath& path, Workpiece& work) {
  std::optional<std::vector<std::string>> found;
  auto visited = visit(work.set(), path, [&](const ElementPlace& place) -> Result<void> {
    if (found || place.item.find(place.tag) == nullptr) return {};
    auto values = work.values(place.item, place.tag, place.charset);
    if (!values) return values.error();
    found = *std::move(values);
    return {};
  });
  if (!visited) return visited.error();
  return std::move(found).value_or(std::vector<std::string>{});
}

Result<std::string> filled(const Template& text, Workpiece& work) {
  std::string out;
  for (const Template::Part& part : text.parts) {
    out += part.literal;
    if (!part.path) continue;
    auto values = first_values(*part.path, work);
    if (!values) return values.error();
    for (std::string& value : *values) {
      for (const Filter& filter : part.filters) value = filtered(std::move(value), filter, work);
    }
    out += joined(*values);
  }
  return out;
}

std::vector<std::string> split(std::string_view text) {
  std::vector<std::string> values;
  for (;;) {
    const std::size_t end = text.find('\\');
    values.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) return values;
    text.remove_prefix(end + 1);
  }
}

bool has_one_value(Vr v) {
  return v == vr('S', 'T') || v == vr('L', 'T') || v == vr('U', 'T') || v == vr('U', 'R');
}

/// The VR of a new element: that which is there, the dictionary's, LO for private ones.
Vr vr_at(const ElementPlace& place, const ElementPath& path) {
  if (const Element* const there = place.item.find(place.tag)) return there->vr;
  return path.last().vr == Vr::kUnknown ? vr('L', 'O') : path.last().vr;
}

/// A private element needs its creator's block (PS3.5 7.8.1): the first that is free.
Result<void> reserve(const ElementPath& path, Workpiece& work) {
  const ElementName& name = path.last();
  Item& root = work.set().root();
  if (name.creator.empty() || path.names.size() > 1 || tag_in(work.set(), root, name)) return {};
  for (std::uint16_t block = 0x10; block <= 0xff; ++block) {
    const Tag tag{name.tag.group, block};
    if (root.find(tag) != nullptr) continue;
    return work.assign({root, tag, {}}, vr('L', 'O'), {name.creator});
  }
  return Error{Errc::kNoSpace, "value " + path.text};
}

/// `with` of each place's own values; places without the element are passed over.
Result<void> rewrite(const ElementPath& path, Workpiece& work,
                     const std::function<Result<std::string>(std::string)>& with) {
  return visit(work.set(), path, [&](const ElementPlace& place) -> Result<void> {
    const Element* const element = place.item.find(place.tag);
    if (element == nullptr) return {};
    auto values = work.values(place.item, place.tag, place.charset);
    if (!values) return values.error();
    for (std::string& value : *values) {
      auto changed = with(std::move(value));
      if (!changed) return Error{changed.error().code, changed.error().detail + " " + path.text};
      value = *std::move(changed);
    }
    return work.assign(place, element->vr, *values);
  });
}

Result<void> run(const SetAction& a, Workpiece& work, std::size_t& /*map*/) {
  const auto value = filled(a.to, work);
  if (!value) return value.error();
  if (auto reserved = reserve(a.path, work); !reserved) return reserved;
  return visit(work.set(), a.path, [&](const ElementPlace& place) {
    const Vr v = vr_at(place, a.path);
    return work.assign(place, v, has_one_value(v) ? std::vector{*value} : split(*value));
  });
}

/// Text goes over octet for octet where both places read it alike: no character set can fail then.
Result<void> run(const CopyAction& a, Workpiece& work, std::size_t& /*map*/) {
  const auto values = first_values(a.from, work);
  if (!values) return values.error();
  std::optional<Bytes> octets;
  std::string charset;
  auto found = visit(work.set(), a.from, [&](const ElementPlace& place) -> Result<void> {
    const Element* const from = place.item.find(place.tag);
    if (octets || from == nullptr || !is_charset_text(from->vr)) return {};
    auto value = work.set().value(*from);
    if (!value) return value.error();
    octets = *std::move(value);
    charset = place.charset;
    return {};
  });
  if (!found) return found;
  if (auto reserved = reserve(a.to, work); !reserved) return reserved;
  return visit(work.set(), a.to, [&](const ElementPlace& place) -> Result<void> {
    const Vr v = vr_at(place, a.to);
    const bool alike = octets && is_charset_text(v) && place.charset == charset;
    if (!alike) return work.assign(place, v, *values);
    const bool fits = std::ranges::all_of(
        *values, [&](const std::string& value) { return why_no_value(v, value).empty(); });
    if (!fits) return Error{Errc::kInvalid, "value " + place.tag.to_string()};
    place.item.make(place.tag, v).fresh = octets;
    return {};
  });
}

Result<void> run(const MapAction& a, Workpiece& work, std::size_t& map) {
  const auto& table = work.context().maps.at(map++);
  return rewrite(a.path, work, [&](std::string value) -> Result<std::string> {
    const auto row = table.find(value);
    if (row != table.end()) return row->second;
    if (a.missing == MapAction::Missing::kHold) return Error{Errc::kNotFound, "map_missing"};
    return a.missing == MapAction::Missing::kKeep ? std::move(value) : std::string();
  });
}

Result<void> run(const ReplaceAction& a, Workpiece& work, std::size_t& /*map*/) {
  return rewrite(a.path, work, [&](std::string value) -> Result<std::string> {
    RE2::GlobalReplace(&value, *a.expression, a.with);
    return value;
  });
}

Result<void> run(const PrefixAction& a, Workpiece& work, std::size_t& /*map*/) {
  return rewrite(a.path, work,
                 [&](const std::string& value) -> Result<std::string> { return a.with + value; });
}

/// An element that a selector may not take from the root, whatever its pattern says.
bool is_needed(Tag tag) {
  constexpr Tag kNeeded[] = {encoding::tags::kSopClassUid, encoding::tags::kSopInstanceUid,
                             encoding::tags::kStudyInstanceUid, encoding::tags::kSeriesInstanceUid,
                             encoding::tags::kSpecificCharacterSet};
  return std::ranges::find(kNeeded, tag) != std::end(kNeeded);
}

void remove_all(Item& item, const std::vector<const Selector*>& selectors) {
  item.remove_if([&](const Element& e) {
    return !is_needed(e.tag) &&
           std::ranges::any_of(selectors, [&](const Selector* s) { return s->fits(e); });
  });
  for (Element& e : item.elements) {
    for (Item& inner : e.items) remove_all(inner, selectors);
  }
}

Result<void> run(const RemoveAction& a, Workpiece& work, std::size_t& /*map*/) {
  std::vector<const Selector*> anywhere;
  for (const Selector& selector : a.what) {
    const bool named = selector.kind == Selector::Kind::kPath;
    if (!named || (a.everywhere && selector.path->names.size() == 1 &&
                   selector.path->last().creator.empty())) {
      anywhere.push_back(&selector);
      continue;
    }
    auto visited = visit(work.set(), *selector.path, [](const ElementPlace& place) -> Result<void> {
      place.item.remove_if([&](const Element& e) { return e.tag == place.tag; });
      return {};
    });
    if (!visited) return visited;
  }
  if (!anywhere.empty()) remove_all(work.set().root(), anywhere);
  return {};
}

Result<void> run(const UidRemapAction& a, Workpiece& work, std::size_t& /*map*/) {
  if (a.paths.empty()) {
    return work.each([&](Item&, Element& e, const std::string&) -> Result<void> {
      return names_instances(e.tag) ? work.remap_uids(e, a.reversible) : Result<void>();
    });
  }
  for (const ElementPath& path : a.paths) {
    auto visited = visit(work.set(), path, [&](const ElementPlace& place) -> Result<void> {
      Element* const e = place.item.find(place.tag);
      return e != nullptr ? work.remap_uids(*e, a.reversible) : Result<void>();
    });
    if (!visited) return visited;
  }
  return {};
}

Result<void> run(const DeidentifyAction& a, Workpiece& work, std::size_t& /*map*/) {
  return deidentify(a, work);
}

Result<void> run(const OriginalAttributesAction& a, Workpiece& work, std::size_t& /*map*/) {
  return add_original_attributes(a, work);
}

std::string patient_of(const DataSet& set) {
  const auto text = [&](Tag tag) {
    const Element* const e = set.root().find(tag);
    const auto value = e != nullptr ? set.value(*e) : Result<Bytes>(Bytes{});
    return value ? std::string(trim_padding(as_text(*value))) : std::string();
  };
  const std::string id = text(encoding::tags::kPatientId);
  if (id.empty()) return text(encoding::tags::kStudyInstanceUid);
  return id + '\0' + text({0x0010, 0x0021});  // Issuer of Patient ID
}

}  // namespace

Workpiece::Workpiece(DataSet& set, const TransformContext& context)
    : set_(set), before_(set), context_(context), days_(context.pseudonyms.days(patient_of(set))) {}

Result<std::vector<std::string>> Workpiece::values(const Item& item, Tag tag,
                                                   const std::string& charset) const {
  const Element* const element = item.find(tag);
  if (element == nullptr) return std::vector<std::string>{};
  return read_values(set_, *element, charset);
}

Result<void> Workpiece::assign(const ElementPlace& place, Vr v,
                               const std::vector<std::string>& values) {
  Element* const there = place.item.find(place.tag);
  if (there != nullptr) {
    const auto now = read_values(set_, *there, place.charset);
    if (!now) return now.error();
    if (*now == values && !there->sequence) return {};
  }
  auto octets = write_values(values, v, place.charset, set_.big_endian());
  if (!octets)
    return Error{octets.error().code, octets.error().detail + " " + place.tag.to_string()};
  const bool plain = std::ranges::all_of(
      *octets, [](std::byte b) { return b < std::byte{0x80} && b != std::byte{0x1b}; });
  wrote_assumed_ = wrote_assumed_ || (is_charset_text(v) && !plain);
  Element& element = there != nullptr ? *there : place.item.make(place.tag, v);
  element.fresh = *std::move(octets);
  element.vr = v;
  return {};
}

Result<void> Workpiece::each(Item& item, const std::string& outer, const Visit& visit) {
  const std::string charset = charset_of(set_, item, outer);
  for (Element& e : item.elements) {
    if (auto visited = visit(item, e, charset); !visited) return visited;
    for (Item& inner : e.items) {
      if (auto visited = each(inner, charset, visit); !visited) return visited;
    }
  }
  return {};
}

Result<void> Workpiece::each(const Visit& visit) { return each(set_.root(), {}, visit); }

Result<void> Workpiece::remap_uids(Element& element, bool reversible) {
  if (element.vr != vr('U', 'I') || element.sequence) return {};
  auto values = read_values(set_, element, {});
  if (!values) return values.error();
  bool changed = false;
  for (std::string& value : *values) {
    if (value.empty() || value.starts_with("1.2.840.10008.")) continue;  // of the standard itself
    std::string fresh = context_.pseudonyms.uid(value);
    if (reversible) applied_.uids.emplace(value, fresh);
    value = std::move(fresh);
    changed = true;
  }
  if (!changed) return {};
  auto octets = write_values(*values, vr('U', 'I'), {}, set_.big_endian());
  if (!octets) return Error{Errc::kInvalid, "value " + element.tag.to_string()};
  element.fresh = *std::move(octets);
  return {};
}

void Workpiece::name_character_set() {
  const std::string& assumed = set_.assumed_character_set();
  if (!wrote_assumed_ || assumed.empty()) return;
  Element& named = set_.root().make(encoding::tags::kSpecificCharacterSet, vr('C', 'S'));
  const auto value = set_.value(named);
  if (!value || !trim_padding(as_text(*value)).empty()) return;
  const auto octets = as_bytes(std::string_view(assumed));
  named.fresh.emplace(octets.begin(), octets.end());
}

bool names_instances(Tag tag) {
  constexpr Tag kOthers[] = {{0x0008, 0x0016}, {0x0008, 0x001a}, {0x0008, 0x001b},
                             {0x0008, 0x0062}, {0x0008, 0x010c}, {0x0008, 0x0117},
                             {0x0008, 0x0118}, {0x0008, 0x1150}, {0x0008, 0x115a},
                             {0x0008, 0x3002}, {0x0400, 0x0010}, {0x0400, 0x0510}};
  return std::ranges::find(kOthers, tag) == std::end(kOthers);
}

Result<Applied> apply(const Transform& transform, DataSet& set, const TransformContext& context) {
  if (transform.needs_key() && !context.pseudonyms.has_key()) {
    return Error{Errc::kInvalid, "key_missing"};
  }
  Workpiece work(set, context);
  std::size_t map = 0;
  for (const TransformAction& action : transform.actions) {
    const auto done = std::visit([&](const auto& a) { return run(a, work, map); }, action);
    if (!done) return done.error();
  }
  work.name_character_set();
  return std::move(work.applied());
}

}  // namespace dr::rules
