#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace dr::rules {

/// A storage SOP class (PS3.4 B.5) by what people call it.
struct SopClass {
  std::string_view uid;
  std::string_view name;   // the keyword of PS3.6 table A-1: "CTImageStorage"
  std::string_view group;  // "ct", "radiotherapy", ...: what `sop_class = "group:..."` names
};

/// All that are known by name; objects of others are routed all the same.
std::span<const SopClass> sop_classes() noexcept;

/// Whether a class belongs to what `group` names: one of the table's, "images" (all that are shown
/// as pictures), or another word for one ("structured reports"). Spaces and hyphens are one.
bool is_in_group(const SopClass& sop_class, std::string_view group);
/// All names of groups.
std::vector<std::string_view> sop_class_groups();

/// By keyword or name ("CT Image Storage"); nullptr when unknown.
const SopClass* find_sop_class(std::string_view name);

}  // namespace dr::rules
