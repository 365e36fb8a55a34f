#pragma once

#include <span>
#include <string>
#include <string_view>

namespace dr::rules {

/// A storage SOP class (PS3.4 B.5) by what people call it.
struct SopClass {
  std::string_view uid;
  std::string_view name;   // the keyword of PS3.6 table A-1: "CTImageStorage"
  std::string_view group;  // "ct", "radiotherapy", ...: what `sop_class = "group:..."` names
};

/// All that are known by name; objects of others are routed all the same.
std::span<const SopClass> sop_classes() noexcept;

/// By keyword or name ("CT Image Storage"); nullptr when unknown.
const SopClass* find_sop_class(std::string_view name);

}  // namespace dr::rules
