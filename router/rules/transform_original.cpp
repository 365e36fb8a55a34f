#include <array>
#include <chrono>
#include <cstdio>

#include "router/rules/transform_apply.h"
#include "router/rules/transform_text.h"

namespace dr::rules {
namespace {

using encoding::Tag;
using encoding::vr;

constexpr Tag kOriginalAttributes{0x0400, 0x0561};

bool equal(const DataSet& before, const Element& a, const DataSet& after, const Element& b) {
  if (a.sequence != b.sequence) return false;
  if (!a.sequence) {
    if (a.begin == b.begin && a.end == b.end && !b.fresh) return true;
    const auto old_value = before.value(a);
    const auto new_value = after.value(b);
    return old_value && new_value && *old_value == *new_value;
  }
  if (a.items.size() != b.items.size()) return false;
  for (std::size_t i = 0; i < a.items.size(); ++i) {
    const auto& old_elements = a.items[i].elements;
    const auto& new_elements = b.items[i].elements;
    if (old_elements.size() != new_elements.size()) return false;
    for (std::size_t j = 0; j < old_elements.size(); ++j) {
      if (old_elements[j].tag != new_elements[j].tag) return false;
      if (!equal(before, old_elements[j], after, new_elements[j])) return false;
    }
  }
  return true;
}

/// DT in UTC.
std::string date_time(UtcMicros time) {
  using namespace std::chrono;
  const auto second = floor<seconds>(time);
  const auto day = floor<days>(second);
  const year_month_day date(day);
  const hh_mm_ss clock(second - day);
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%04d%02u%02u%02d%02d%02d+0000",
                static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                static_cast<unsigned>(date.day()), static_cast<int>(clock.hours().count()),
                static_cast<int>(clock.minutes().count()),
                static_cast<int>(clock.seconds().count()));
  return text.data();
}

}  // namespace

Result<void> add_original_attributes(const OriginalAttributesAction& action, Workpiece& work) {
  DataSet& set = work.set();
  Item originals;
  for (const Element& old_element : work.before().root().elements) {
    if (old_element.tag.element == 0 || old_element.tag == kOriginalAttributes) continue;
    const Element* const now = set.root().find(old_element.tag);
    if (now != nullptr && equal(work.before(), old_element, set, *now)) continue;
    originals.elements.push_back(old_element);
  }
  if (originals.elements.empty()) return {};
  Element& sequence = set.root().make(kOriginalAttributes, vr('S', 'Q'));
  sequence.changed = true;
  Item& item = sequence.items.emplace_back();
  Element& modified = item.make({0x0400, 0x0550}, vr('S', 'Q'));  // Modified Attributes Sequence
  modified.items.push_back(std::move(originals));
  const std::pair<Tag, std::string> facts[] = {{{0x0400, 0x0562}, date_time(work.context().time)},
                                               {{0x0400, 0x0563}, work.context().system},
                                               {{0x0400, 0x0564}, ""},
                                               {{0x0400, 0x0565}, action.reason}};
  for (const auto& [tag, text] : facts) {
    const auto entry = encoding::find_tag(tag);
    if (auto done = work.assign({item, tag, {}}, entry->vr, {text}); !done) return done;
  }
  return {};
}

}  // namespace dr::rules
