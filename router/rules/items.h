#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string_view>

#include "dimse/base/bytes.h"
#include "dimse/encoding/element_header.h"
#include "router/rules/program.h"

namespace dr::rules {

/// An element, item or delimiter, at any level.
struct Part {
  encoding::ElementHeader header;
  ByteSpan value;      // without a delimiter
  bool whole = false;  // otherwise the octets end inside of it
};
/// Takes the next one off `octets`; nullopt at their end. Of undefined length: up to its delimiter,
/// 32 levels deep at most.
std::optional<Part> next_part(ByteSpan& octets, encoding::Encoding encoding);
/// How what `header` stands before is encoded inside (PS3.5 6.2.2).
encoding::Encoding encoding_inside(const encoding::ElementHeader& header,
                                   encoding::Encoding outside);

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
