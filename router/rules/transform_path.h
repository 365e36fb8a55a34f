#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dimse/base/result.h"
#include "router/rules/transform_tree.h"

namespace dr::rules {

/// One name on the way to an element: a tag, or a private one with its creator (PS3.5 7.8.1).
struct ElementName {
  encoding::Tag tag;       // of a private element: xx of (gggg,bbxx)
  std::string creator;     // empty: an element of PS3.6
  encoding::Vr vr{};       // the dictionary's; kUnknown for private ones
  std::uint32_t item = 0;  // of a sequence on the way: from 1; 0: every item
};

/// An element that a transform names: `Modality`, `(0008,0060)`, `(0019,GEMS_ACQU_01,30)`,
/// `Seq.Keyword`, `Seq[1].Keyword`.
struct ElementPath {
  std::vector<ElementName> names;  // at least one; all but the last are sequences
  std::string text;                // canonical

  const ElementName& last() const { return names.back(); }
  /// The error's detail is a message for people.
  static Result<ElementPath> parse(std::string_view text);
};

/// An element's place, and the (0008,0005) that holds for it.
struct ElementPlace {
  Item& item;
  encoding::Tag tag;
  std::string charset;
};

/// The items that hold (or may hold) the path's element, those on the way that are there. Private
/// names lead nowhere where their creator has no block.
Result<void> visit(DataSet& set, const ElementPath& path,
                   const std::function<Result<void>(const ElementPlace&)>& take);
/// The tag that `name` has in this item; nullopt: its creator has no block there.
std::optional<encoding::Tag> tag_in(const DataSet& set, const Item& item, const ElementName& name);
/// The value of (0008,0005) in `item`; where it has none `outer`, for the data set itself what is
/// assumed of it.
std::string charset_of(const DataSet& set, const Item& item, const std::string& outer);

}  // namespace dr::rules
