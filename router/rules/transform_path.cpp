#include "router/rules/transform_path.h"

#include <charconv>

#include "dimse/base/uid.h"
#include "router/rules/field_name.h"

namespace dr::rules {
namespace {

using encoding::Tag;
using encoding::Vr;
using encoding::vr;

constexpr std::size_t kMaxNames = 8;

Error message(std::string text) { return {Errc::kInvalid, std::move(text)}; }

std::optional<std::uint16_t> hex(std::string_view text, std::size_t digits) {
  std::uint16_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value, 16);
  if (text.size() != digits || error != std::errc{} || stop != end) return std::nullopt;
  return value;
}

Error bad_tag(std::string_view text) {
  return message(in_quotes(text) +
                 " is no tag: write \"(0008,0060)\", or \"(0019,CREATOR,30)\" for a private one");
}

Result<ElementName> by_tag(std::string_view text) {
  const std::size_t comma = text.find(',');
  const std::size_t last = text.rfind(',');
  if (!text.ends_with(')') || comma == std::string_view::npos) return bad_tag(text);
  const auto group = hex(text.substr(1, comma - 1), 4);
  const std::string_view low = text.substr(last + 1, text.size() - last - 2);
  const auto element = hex(low, comma == last ? 4 : 2);
  if (!group || !element) return bad_tag(text);
  ElementName name;
  name.tag = {*group, *element};
  if (comma != last) {
    name.creator = text.substr(comma + 1, last - comma - 1);
    if (name.creator.empty() || name.creator.size() > 64) return bad_tag(text);
    if (*group % 2 == 0) return message(in_quotes(text) + ": private elements have an odd group");
    return name;
  }
  if (*group % 2 != 0 && *element > 0xff) {
    return message(in_quotes(text) +
                   " is private and its block may differ from object to object: name the creator");
  }
  if (const auto entry = encoding::find_tag(name.tag)) name.vr = entry->vr;
  return name;
}

Result<ElementName> by_name(std::string_view text) {
  Result<ElementName> name;
  if (text.starts_with('(')) {
    name = by_tag(text);
    if (!name) return name;
  } else {
    const auto entry = encoding::find_keyword(text);
    if (!entry) {
      const auto near = encoding::nearest_keyword(text);
      return message("unknown keyword " + in_quotes(text) +
                     (near ? ", did you mean '" + *near + "'?" : ""));
    }
    name = ElementName{entry->tag, {}, entry->vr, 0};
  }
  if (name->tag.group < 0x0008 || name->tag.group == 0xfffe || name->tag.element == 0) {
    return message(in_quotes(text) + " is no part of a data set that a rule may change");
  }
  if (name->tag.group == 0x7fe0) return message(in_quotes(text) + ": pixel data stay as they are");
  return name;
}

std::vector<std::string_view> split(std::string_view text) {
  std::vector<std::string_view> parts;
  std::size_t start = 0;
  bool inside = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '(') inside = true;
    if (text[i] == ')') inside = false;
    if (text[i] != '.' || inside) continue;
    parts.push_back(text.substr(start, i - start));
    start = i + 1;
  }
  parts.push_back(text.substr(start));
  return parts;
}

std::string canonical(const ElementName& name) {
  const std::string tag = name.tag.to_string();
  if (!name.creator.empty()) {
    return "(" + tag.substr(1, 4) + "," + name.creator + "," + tag.substr(8, 2) + ")";
  }
  const auto entry = encoding::find_tag(name.tag);
  const auto owner = entry ? encoding::find_keyword(entry->keyword) : std::nullopt;
  return owner && owner->tag == name.tag ? owner->keyword : tag;
}

Result<ElementName> step(std::string_view text) {
  const std::size_t open = text.find('[');
  std::uint32_t item = 0;
  if (open != std::string_view::npos) {
    const char* const end = text.data() + text.size() - 1;
    const auto [stop, error] = std::from_chars(text.data() + open + 1, end, item);
    if (!text.ends_with(']') || error != std::errc{} || stop != end || item == 0) {
      return message(in_quotes(text) + ": items are counted from 1");
    }
  }
  auto name = by_name(text.substr(0, open));
  if (!name) return name;
  if (name->creator.empty() && name->vr != vr('S', 'Q')) {
    return message(in_quotes(text) + " is no sequence: nothing stands inside of it");
  }
  name->item = item;
  return name;
}

Result<void> walk(const DataSet& set, Item& item, std::span<const ElementName> names,
                  const std::string& outer,
                  const std::function<Result<void>(const ElementPlace&)>& take) {
  const std::string charset = charset_of(set, item, outer);
  const auto tag = tag_in(set, item, names.front());
  if (!tag) return {};
  if (names.size() == 1) return take({item, *tag, charset});
  Element* const sequence = item.find(*tag);
  if (sequence == nullptr) return {};
  for (std::size_t i = 0; i < sequence->items.size(); ++i) {
    if (names.front().item != 0 && names.front().item != i + 1) continue;
    if (auto taken = walk(set, sequence->items[i], names.subspan(1), charset, take); !taken) {
      return taken;
    }
  }
  return {};
}

}  // namespace

Result<ElementPath> ElementPath::parse(std::string_view text) {
  const auto parts = split(text);
  if (parts.size() > kMaxNames) return message(in_quotes(text) + " nests too deep");
  ElementPath path;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    auto name = i + 1 < parts.size() ? step(parts[i]) : by_name(parts[i]);
    if (!name) return name.error();
    path.text += (i == 0 ? "" : ".") + canonical(*name);
    if (name->item != 0) path.text += "[" + std::to_string(name->item) + "]";
    path.names.push_back(*std::move(name));
  }
  return path;
}

Result<void> visit(DataSet& set, const ElementPath& path,
                   const std::function<Result<void>(const ElementPlace&)>& take) {
  return walk(set, set.root(), path.names, {}, take);
}

std::optional<Tag> tag_in(const DataSet& set, const Item& item, const ElementName& name) {
  if (name.creator.empty()) return name.tag;
  for (const Element& e : item.elements) {
    if (e.tag.group != name.tag.group || e.tag.element < 0x10 || e.tag.element > 0xff) continue;
    const auto value = set.value(e);
    if (!value) continue;
    std::string_view creator = trim_padding(as_text(*value));
    while (creator.starts_with(' ')) creator.remove_prefix(1);
    if (creator != name.creator) continue;
    return Tag{name.tag.group, static_cast<std::uint16_t>(e.tag.element << 8 | name.tag.element)};
  }
  return std::nullopt;
}

std::string charset_of(const DataSet& set, const Item& item, const std::string& outer) {
  const bool whole = &item == &set.root();
  const std::string& without = whole ? set.assumed_character_set() : outer;
  const Element* const e = item.find(encoding::tags::kSpecificCharacterSet);
  if (e == nullptr) return without;
  const auto value = set.value(*e);
  if (!value) return without;
  std::string named(trim_padding(as_text(*value)));
  return named.empty() && whole ? without : named;
}

}  // namespace dr::rules
