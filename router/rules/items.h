#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string_view>

#include "dimse/base/bytes.h"
#include "dimse/encoding/element_header.h"
#include "router/rules/program.h"

namespace dr::rules {

/// An element inside of an item; its value as it lies.
struct NestedElement {
  encoding::Vr vr{};
  bool big_endian = false;
  ByteSpan value;
  /// The item's own (0008,0005), or the next one's outside of it; nullopt: the data set's holds.
  std::optional<ByteSpan> character_set;
};

/// Whether the value of a private creator element is `name`.
bool names_creator(ByteSpan value, std::string_view name);

/// Goes through the items of a sequence (PS3.5 7.5) along the path of `field`, whose first step is
/// the sequence that `items` is the value of, and takes each element that it comes to. Private
/// elements are found in the block that their creator has in the same item. Octets that are no
/// items, that end too early or nest deeper than 32 end the walk: what stands before them counts.
void visit_items(ByteSpan items, encoding::Encoding encoding, const Field& field,
                 std::span<const PrivateCreator> creators,
                 const std::function<void(const NestedElement&)>& take);

}  // namespace dr::rules
