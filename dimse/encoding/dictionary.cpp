#include <algorithm>
#include <numeric>
#include <tuple>
#include <vector>

#include <dcmtk/dcmdata/dcdicent.h>
#include <dcmtk/dcmdata/dcdict.h>

#include "dimse/encoding/tag.h"

namespace dr::encoding {
namespace {

/// A run of tags with one meaning: (60xx,3000) Overlay Data (PS3.5 7.6).
struct Range {
  DictionaryEntry first;
  Tag last;
  bool even_elements = false;
};

/// PS3.6 as DCMTK has it, copied once: looked up without a lock afterwards.
struct Dictionary {
  std::vector<DictionaryEntry> by_tag;
  std::vector<DictionaryEntry> by_keyword;
  std::vector<Range> ranges;
};

/// The VR of a value that is compared: where PS3.6 leaves a choice, the usual one.
Vr vr_of(const DcmDictEntry& entry) {
  switch (entry.getEVR()) {
    case EVR_xs:
      return vr('U', 'S');
    case EVR_lt:
    case EVR_ox:
    case EVR_px:
      return vr('O', 'W');
    case EVR_up:
      return vr('U', 'L');
    case EVR_na:
      return Vr::kUnknown;
    default: {
      const char* name = DcmVR(entry.getEVR()).getVRName();
      return vr(name[0], name[1]);
    }
  }
}

/// DCMTK marks retired elements in their names; PS3.6 does not.
std::string_view without_mark(std::string_view keyword) {
  for (const std::string_view mark : {"RETIRED_", "ACR_NEMA_"}) {
    if (keyword.starts_with(mark)) keyword.remove_prefix(mark.size());
  }
  return keyword;
}

struct Named {
  DictionaryEntry entry;
  bool marked;
};

Named named(const DcmDictEntry& entry) {
  const std::string_view name = entry.getTagName();
  const std::string_view keyword = without_mark(name);
  return {{{entry.getGroup(), entry.getElement()}, vr_of(entry), std::string(keyword)},
          keyword.size() != name.size()};
}

/// Of two elements with one keyword the one that is not retired has it.
std::vector<DictionaryEntry> index_by_keyword(std::vector<Named> all) {
  std::ranges::sort(all, [](const Named& a, const Named& b) {
    return std::tie(a.entry.keyword, a.marked, a.entry.tag) <
           std::tie(b.entry.keyword, b.marked, b.entry.tag);
  });
  std::vector<DictionaryEntry> index;
  for (Named& each : all) {
    if (index.empty() || index.back().keyword != each.entry.keyword) {
      index.push_back(std::move(each.entry));
    }
  }
  return index;
}

Dictionary load() {
  Dictionary dictionary;
  std::vector<Named> all;
  DcmDataDictionary& source = dcmDataDict.wrlock();  // its iterators are not const
  for (auto it = source.normalBegin(); it != source.normalEnd(); ++it) {
    if ((*it)->getPrivateCreator() != nullptr) continue;
    all.push_back(named(**it));
    dictionary.by_tag.push_back(all.back().entry);
  }
  for (auto it = source.repeatingBegin(); it != source.repeatingEnd(); ++it) {
    const DcmDictEntry& entry = **it;
    if (entry.getPrivateCreator() != nullptr) continue;
    Named first = named(entry);
    // "GenericGroupLength", "PrivateCreator" and the like are not in PS3.6.
    if (first.entry.tag.group == 0 || first.entry.tag.group % 2 != 0) continue;
    dictionary.ranges.push_back({first.entry,
                                 {entry.getUpperGroup(), entry.getUpperElement()},
                                 entry.getElementRangeRestriction() == DcmDictRange_Even});
    all.push_back(std::move(first));
  }
  dcmDataDict.wrunlock();
  std::ranges::sort(dictionary.by_tag, {}, &DictionaryEntry::tag);
  dictionary.by_keyword = index_by_keyword(std::move(all));
  return dictionary;
}

const Dictionary& dictionary() {
  static const Dictionary kDictionary = load();
  return kDictionary;
}

bool covers(const Range& range, Tag tag) {
  return tag.group >= range.first.tag.group && tag.group <= range.last.group &&
         tag.element >= range.first.tag.element && tag.element <= range.last.element &&
         !(range.even_elements && tag.element % 2 != 0);
}

std::string lower_case(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

/// Insertions, deletions, replacements and swaps of neighbours between two texts.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before_last(b.size() + 1);
  std::vector<std::size_t> last(b.size() + 1);
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::swap(before_last, last);
    std::swap(last, row);
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, replaced});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], before_last[j - 2] + 1);
      }
    }
  }
  return row[b.size()];
}

}  // namespace

std::optional<DictionaryEntry> find_keyword(std::string_view keyword) {
  const auto& index = dictionary().by_keyword;
  const auto at = std::ranges::lower_bound(index, keyword, {}, [](const DictionaryEntry& entry) {
    return std::string_view(entry.keyword);
  });
  if (at == index.end() || at->keyword != keyword) return std::nullopt;
  return *at;
}

std::optional<DictionaryEntry> find_tag(Tag tag) {
  if (tag.group % 2 != 0) return std::nullopt;  // private: means what its creator says
  const auto& [by_tag, by_keyword, ranges] = dictionary();
  const auto at = std::ranges::lower_bound(by_tag, tag, {}, &DictionaryEntry::tag);
  if (at != by_tag.end() && at->tag == tag) return *at;
  const auto range = std::ranges::find_if(ranges, [&](const Range& r) { return covers(r, tag); });
  if (range == ranges.end()) return std::nullopt;
  return DictionaryEntry{tag, range->first.vr, range->first.keyword};
}

std::optional<std::string> nearest_keyword(std::string_view misspelt) {
  constexpr std::size_t kLongestKeyword = 64;  // a longer text is no typing error
  if (misspelt.size() > kLongestKeyword) return std::nullopt;
  const std::string wanted = lower_case(misspelt);
  std::size_t best_distance = std::max<std::size_t>(2, wanted.size() / 4) + 1;
  const DictionaryEntry* best = nullptr;
  for (const DictionaryEntry& entry : dictionary().by_keyword) {
    const std::size_t a = entry.keyword.size();
    const std::size_t b = wanted.size();
    if ((a > b ? a - b : b - a) >= best_distance) continue;
    const std::size_t distance = edit_distance(wanted, lower_case(entry.keyword));
    if (distance < best_distance && distance < b) {
      best_distance = distance;
      best = &entry;
    }
  }
  if (!best) return std::nullopt;
  return best->keyword;
}

}  // namespace dr::encoding
