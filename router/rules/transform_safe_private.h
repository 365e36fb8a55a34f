#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "router/rules/transform_profile.h"
#include "router/rules/transform_tree.h"

namespace dr::rules {

/// Whether PS3.15 table E.3.10-1 (Safe Private Attributes) has this element of its creator's block.
bool is_safe_private(std::string_view creator, std::uint16_t group, std::uint8_t element);
/// Rows of that table.
std::size_t safe_private_rows();

/// Who has reserved the block that a private element is in (PS3.5 7.8.1); nullopt: nobody, or it
/// reserves one itself.
std::optional<std::string> creator_of(const DataSet& set, const Item& item, encoding::Tag tag);

/// What one item of a data set says itself about its private elements: Private Data Element
/// Characteristics Sequence (0008,0300), PS3.3 C.12.1.1.7.
class PrivateCharacteristics {
 public:
  PrivateCharacteristics() = default;
  PrivateCharacteristics(const DataSet& set, const Item& item);

  /// kKeep: it is said not to identify anybody; kNone: nothing is said of it; otherwise what is to
  /// be done, kRemove where that is not said.
  ProfileAction of(std::string_view creator, std::uint16_t group, std::uint8_t element) const;

 private:
  struct Block {
    ProfileAction others = ProfileAction::kNone;  // of elements that are not named
    std::map<std::uint8_t, ProfileAction> named;
  };
  std::map<std::pair<std::string, std::uint16_t>, Block, std::less<>> blocks_;
};

}  // namespace dr::rules
