#include "router/rules/transform_safe_private.h"

#include <algorithm>
#include <cstdlib>
#include <initializer_list>

#include "dimse/base/uid.h"
#include "router/rules/transform_value.h"

namespace dr::rules {
namespace {

using encoding::Tag;

/// Elements of a creator's block from `first` to `last`.
struct Range {
  std::uint8_t first;
  std::uint8_t last;
};
struct SafeBlock {
  std::string_view creator;
  std::uint16_t group;
  std::initializer_list<Range> elements;
};

// PS3.15 2026a, table E.3.10-1, all of its 479 rows.
// clang-format off
const SafeBlock kSafe[] = {
    {"ELSCINT1", 0x00e1, {{0x21, 0x21}, {0x50, 0x50}}},
    {"ELSCINT1", 0x01e1, {{0x26, 0x26}}},
    {"ELSCINT1", 0x01f1, {{0x01, 0x01}, {0x07, 0x07}, {0x26, 0x27}}},
    {"GEIIS PACS", 0x0903, {{0x10, 0x12}}},
    {"GEMS_ACQU_01", 0x0019, {{0x23, 0x24}, {0x27, 0x27}, {0x9e, 0x9e}}},
    {"GEMS_HELIOS_01", 0x0045, {{0x01, 0x02}}},
    {"GEMS_PARM_01", 0x0043, {{0x27, 0x27}, {0x39, 0x39}, {0x6f, 0x6f}}},
    {"GEMS_SERS_01", 0x0025, {{0x07, 0x07}}},
    {"HOLOGIC, Inc.", 0x7e01, {{0x01, 0x02}, {0x10, 0x12}}},
    {"NQHeader", 0x0099, {{0x01, 0x02}, {0x04, 0x05}, {0x10, 0x10}, {0x20, 0x21}}},
    {"NQLeft", 0x0199, {{0x01, 0x16}}},
    {"NQRight", 0x0299, {{0x01, 0x16}}},
    {"Philips Imaging DD 001", 0x2001,
     {{0x01, 0x0c}, {0x0e, 0x1f}, {0x21, 0x51}, {0x53, 0x5a}, {0x5d, 0x6b}, {0x6d, 0x6f},
      {0x71, 0x77}, {0x79, 0x8c}, {0x90, 0x94}, {0x9a, 0x9b}, {0x9d, 0x9d}, {0x9f, 0x9f},
      {0xa1, 0xa5}, {0xc0, 0xc3}, {0xc5, 0xc7}, {0xca, 0xcb}, {0xd0, 0xdf}, {0xe9, 0xe9},
      {0xf1, 0xf7}, {0xf9, 0xf9}, {0xfb, 0xfd}, {0xff, 0xff}}},
    {"Philips Imaging DD 002", 0x2001,
     {{0x01, 0x40}, {0x50, 0x50}, {0x52, 0x53}, {0x57, 0x58}, {0x5a, 0x5a}, {0x5c, 0x5f},
      {0x63, 0x68}, {0x6b, 0x6b}, {0x71, 0x75}}},
    {"Philips Imaging DD 097", 0x2001,
     {{0x01, 0x08}, {0x0a, 0x0b}, {0x0d, 0x0f}, {0x12, 0x12}, {0x17, 0x1f}, {0x21, 0x28},
      {0x2a, 0x32}, {0x36, 0x3e}, {0x40, 0x42}, {0x44, 0x47}, {0x49, 0x4c}, {0xa1, 0xa6},
      {0xa8, 0xab}}},
    {"Philips Imaging DD 129", 0x2001, {{0x00, 0x09}}},
    {"Philips MR Imaging DD 001", 0x2005, {{0x0d, 0x0e}}},
    {"Philips PET Private Group", 0x7053, {{0x00, 0x00}, {0x09, 0x09}}},
    {"Philips ST80i", 0x0025, {{0x01, 0x01}}},
    {"SIEMENS MR HEADER", 0x0019, {{0x0c, 0x0e}, {0x27, 0x27}}},
    {"SIEMENS SYNGO ULTRA-SOUND TOYON DATA STREAMING", 0x7fd1,
     {{0x01, 0x01}, {0x09, 0x09}, {0x10, 0x11}}},
    {"SIEMENS Ultrasound SC2000", 0x0119, {{0x00, 0x09}, {0x10, 0x13}, {0x21, 0x21}}},
    {"SIEMENS Ultrasound SC2000", 0x0129,
     {{0x00, 0x00}, {0x02, 0x09}, {0x10, 0x12}, {0x20, 0x22}, {0x29, 0x29}, {0x30, 0x30}}},
    {"SIEMENS Ultrasound SC2000", 0x0139, {{0x01, 0x01}}},
    {"SIEMENS Ultrasound SC2000", 0x0149, {{0x01, 0x03}}},
    {"SIEMENS Ultrasound SC2000", 0x7fd1, {{0x01, 0x01}, {0x09, 0x09}, {0x10, 0x11}}},
};
// clang-format on

constexpr Tag kCharacteristics{0x0008, 0x0300};
constexpr Tag kGroup{0x0008, 0x0301};
constexpr Tag kCreator{0x0008, 0x0302};
constexpr Tag kStatus{0x0008, 0x0303};
constexpr Tag kNonidentifying{0x0008, 0x0304};
constexpr Tag kActions{0x0008, 0x0305};
constexpr Tag kIdentifying{0x0008, 0x0306};
constexpr Tag kAction{0x0008, 0x0307};

std::vector<std::string> values_of(const DataSet& set, const Item& item, Tag tag) {
  const Element* const e = item.find(tag);
  auto values = e != nullptr ? read_values(set, *e, {}) : Result(std::vector<std::string>());
  return values ? *std::move(values) : std::vector<std::string>();
}
std::string value_of(const DataSet& set, const Item& item, Tag tag) {
  auto values = values_of(set, item, tag);
  return values.empty() ? std::string() : std::move(values.front());
}
/// By the low octet of their tags.
std::vector<std::uint8_t> elements_of(const DataSet& set, const Item& item, Tag tag) {
  std::vector<std::uint8_t> elements;
  for (const std::string& value : values_of(set, item, tag)) {
    const auto number = std::strtoul(value.c_str(), nullptr, 10);
    if (number <= 0xff) elements.push_back(static_cast<std::uint8_t>(number));
  }
  return elements;
}

ProfileAction action_named(std::string_view code) {
  if (code == "D") return ProfileAction::kDummy;
  if (code == "Z") return ProfileAction::kEmpty;
  if (code == "U") return ProfileAction::kUid;
  return ProfileAction::kRemove;
}

}  // namespace

bool is_safe_private(std::string_view creator, std::uint16_t group, std::uint8_t element) {
  return std::ranges::any_of(kSafe, [&](const SafeBlock& block) {
    return block.group == group && block.creator == creator &&
           std::ranges::any_of(block.elements, [&](const Range& range) {
             return range.first <= element && element <= range.last;
           });
  });
}

std::size_t safe_private_rows() {
  std::size_t rows = 0;
  for (const SafeBlock& block : kSafe) {
    for (const Range& range : block.elements) rows += 1U + range.last - range.first;
  }
  return rows;
}

std::optional<std::string> creator_of(const DataSet& set, const Item& item, Tag tag) {
  if (tag.group % 2 == 0 || tag.element < 0x1000) return std::nullopt;
  const Element* const e = item.find({tag.group, static_cast<std::uint16_t>(tag.element >> 8)});
  if (e == nullptr || e->sequence) return std::nullopt;
  const auto value = set.value(*e);
  if (!value) return std::nullopt;
  return std::string(trim_padding(as_text(*value)));
}

PrivateCharacteristics::PrivateCharacteristics(const DataSet& set, const Item& item) {
  const Element* const all = item.find(kCharacteristics);
  if (all == nullptr) return;
  for (const Item& one : all->items) {
    const auto group = std::strtoul(value_of(set, one, kGroup).c_str(), nullptr, 10);
    Block& block = blocks_[{value_of(set, one, kCreator), static_cast<std::uint16_t>(group)}];
    const std::string status = value_of(set, one, kStatus);
    if (status == "SAFE") block.others = ProfileAction::kKeep;
    if (status == "UNSAFE") block.others = ProfileAction::kRemove;
    if (status == "UNSAFE") continue;
    for (const std::uint8_t e : elements_of(set, one, kNonidentifying)) {
      block.named[e] = ProfileAction::kKeep;
    }
    const Element* const actions = one.find(kActions);
    if (actions == nullptr) continue;
    for (const Item& action : actions->items) {
      for (const std::uint8_t e : elements_of(set, action, kIdentifying)) {
        block.named[e] = action_named(value_of(set, action, kAction));
      }
    }
  }
}

ProfileAction PrivateCharacteristics::of(std::string_view creator, std::uint16_t group,
                                         std::uint8_t element) const {
  const auto block = blocks_.find(std::pair(std::string(creator), group));
  if (block == blocks_.end()) return ProfileAction::kNone;
  const auto named = block->second.named.find(element);
  return named != block->second.named.end() ? named->second : block->second.others;
}

}  // namespace dr::rules
