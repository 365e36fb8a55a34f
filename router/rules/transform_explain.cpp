#include "router/rules/transform_explain.h"

#include <algorithm>
#include <map>
#include <utility>

#include "router/rules/transform_apply.h"
#include "router/rules/transform_object.h"
#include "router/rules/transform_value.h"

namespace dr::rules {
namespace {

constexpr std::uint8_t kVersion = 1;
constexpr std::string_view kCut = "…";

std::string name_of(encoding::Tag tag) {
  const auto entry = encoding::find_tag(tag);
  return entry && tag.group % 2 == 0 ? entry->keyword : tag.to_string();
}

/// At most kMostValue octets of it, whole characters.
std::string shown(const std::string& utf8) {
  if (utf8.size() <= TransformChanges::kMostValue) return utf8;
  std::size_t end = TransformChanges::kMostValue - kCut.size();
  while (end > 0 && (static_cast<unsigned char>(utf8[end]) & 0xc0) == 0x80) --end;
  return utf8.substr(0, end).append(kCut);
}

/// Walks two versions of an item side by side.
class Comparison {
 public:
  Comparison(const DataSet& before, const DataSet& after) : before_(before), after_(after) {}

  TransformChanges run() {
    items(&before_.root(), &after_.root(), {}, {}, {});
    return std::move(changes_);
  }

 private:
  void items(const Item* old_item, const Item* new_item, const std::string& path,
             std::string old_charset, std::string new_charset) {
    std::map<encoding::Tag, std::pair<const Element*, const Element*>> pairs;
    if (old_item != nullptr) {
      old_charset = charset_of(before_, *old_item, old_charset);
      for (const Element& e : old_item->elements) pairs[e.tag].first = &e;
    }
    if (new_item != nullptr) {
      new_charset = charset_of(after_, *new_item, new_charset);
      for (const Element& e : new_item->elements) pairs[e.tag].second = &e;
    }
    for (const auto& [tag, pair] : pairs) {
      if (tag.element == 0) continue;
      element(pair.first, pair.second, path + name_of(tag), old_charset, new_charset);
    }
  }

  void element(const Element* a, const Element* b, const std::string& path,
               const std::string& old_charset, const std::string& new_charset) {
    auto before = text(before_, a, old_charset);
    auto after = text(after_, b, new_charset);
    if (before != after) add(path, before, after);
    const std::size_t old_items = a != nullptr ? a->items.size() : 0;
    const std::size_t new_items = b != nullptr ? b->items.size() : 0;
    for (std::size_t i = 0; i < std::max(old_items, new_items); ++i) {
      items(i < old_items ? &a->items[i] : nullptr, i < new_items ? &b->items[i] : nullptr,
            path + "[" + std::to_string(i + 1) + "].", old_charset, new_charset);
    }
  }

  void add(const std::string& path, const std::optional<std::string>& before,
           const std::optional<std::string>& after) {
    const auto cut = [](const std::optional<std::string>& value) {
      return value ? std::optional(shown(*value)) : std::nullopt;
    };
    ElementChange change{path, cut(before), cut(after)};
    octets_ += path.size() + change.before.value_or("").size() + change.after.value_or("").size();
    if (octets_ > TransformChanges::kMostOctets) {
      ++changes_.left_out;
    } else {
      changes_.elements.push_back(std::move(change));
    }
  }

  static std::optional<std::string> text(const DataSet& set, const Element* e,
                                         const std::string& charset) {
    if (e == nullptr) return std::nullopt;
    if (e->sequence) return std::to_string(e->items.size()) + " item(s)";
    const auto values = read_values(set, *e, charset);
    if (!values || !is_writable(e->vr)) {  // too long, or no text
      return std::to_string(e->fresh ? e->fresh->size() : e->length) + " octets";
    }
    std::string all;
    for (const std::string& each : *values) all += (all.empty() ? "" : "\\") + each;
    return all;
  }

  const DataSet& before_;
  const DataSet& after_;
  TransformChanges changes_;
  std::size_t octets_ = 0;
};

void put(ByteWriter& out, std::string_view text) {
  out.le(static_cast<std::uint32_t>(text.size()));
  out.text(text);
}
void put(ByteWriter& out, const std::optional<std::string>& text) {
  out.u8(text ? 1 : 0);
  if (text) put(out, std::string_view(*text));
}
std::string take(ByteReader& in) { return std::string(in.text(in.le<std::uint32_t>())); }
std::optional<std::string> take_optional(ByteReader& in) {
  return in.u8() != 0 ? std::optional(take(in)) : std::nullopt;
}

}  // namespace

Bytes encode(const TransformChanges& changes) {
  Bytes octets;
  ByteWriter out(octets);
  out.u8(kVersion);
  out.le(changes.left_out);
  out.le(static_cast<std::uint32_t>(changes.elements.size()));
  for (const ElementChange& each : changes.elements) {
    put(out, std::string_view(each.element));
    put(out, each.before);
    put(out, each.after);
  }
  return octets;
}

Result<TransformChanges> decode_transform_changes(ByteSpan octets) {
  ByteReader in(octets);
  TransformChanges changes;
  const auto version = in.u8();
  changes.left_out = in.le<std::uint64_t>();
  const auto count = in.le<std::uint32_t>();
  for (std::uint32_t i = 0; i < count && !in.failed(); ++i) {
    ElementChange each;
    each.element = take(in);
    each.before = take_optional(in);
    each.after = take_optional(in);
    changes.elements.push_back(std::move(each));
  }
  if (in.failed() || version != kVersion) return Error{Errc::kMalformed, "changes"};
  return changes;
}

Result<Bytes> explain_transform(ByteSpan octets, std::span<const int> inputs,
                                std::span<const int> outputs) {
  const auto request = decode_transform_request(octets);
  if (!request || inputs.empty() || outputs.size() != 1) return Error{Errc::kMalformed, "request"};
  const auto transform = parse_transform(request->transform);
  if (!transform) return transform.error();
  auto maps = read_maps(*transform, inputs.subspan(1));
  if (!maps) return maps.error();
  const auto object = TransformObject::open(*request, inputs[0], outputs[0]);
  if (!object) return object.error();
  DataSet& set = (*object)->set();
  const DataSet before(set);
  const Pseudonymizer pseudonyms(request->pseudonym_key);
  const auto applied =
      apply(*transform, set, {pseudonyms, *std::move(maps), request->received, request->system});
  if (!applied) return applied.error();
  return encode(Comparison(before, set).run());
}

}  // namespace dr::rules
