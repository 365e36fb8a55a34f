#pragma once

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "dimse/base/clock.h"
#include "router/rules/transform.h"
#include "router/rules/transform_pseudonym.h"
#include "router/rules/transform_tree.h"

namespace dr::rules {

/// What a transform needs beside the object.
struct TransformContext {
  const Pseudonymizer& pseudonyms;
  std::vector<std::map<std::string, std::string>> maps;  // one for each of Transform::maps()
  UtcMicros time{};                                      // of OriginalAttributesSequence
  std::string system;                                    // its ModifyingSystem
};

/// What a transform did beside changing the object.
struct Applied {
  std::set<std::pair<std::string, std::string>>
      uids;  // original and new, where they are to be kept
};

/// Does what the transform says, in its order. Errors hold the copy; the first word of the detail
/// is the reason (`value`, `character_set`, `map_missing`, `burned_in_annotation`,
/// `secondary_capture`, `encapsulated_document`, `key_missing`, `malformed`), what follows names
/// the element, never its value.
Result<Applied> apply(const Transform& transform, DataSet& set, const TransformContext& context);

/// The object while it is transformed: what all actions share.
class Workpiece {
 public:
  Workpiece(DataSet& set, const TransformContext& context);

  DataSet& set() noexcept { return set_; }
  const TransformContext& context() const noexcept { return context_; }
  int days() const noexcept { return days_; }
  Applied& applied() noexcept { return applied_; }
  /// The object as it came.
  const DataSet& before() const noexcept { return before_; }

  Result<std::vector<std::string>> values(const Item& item, encoding::Tag tag,
                                          const std::string& charset) const;
  /// The element's new values; nothing happens where they are those that it has.
  Result<void> assign(const ElementPlace& place, encoding::Vr vr,
                      const std::vector<std::string>& values);
  /// Goes through every element at any depth, with its item and the character set there.
  using Visit = std::function<Result<void>(Item&, Element&, const std::string& charset)>;
  Result<void> each(const Visit& visit);
  /// Every value that names an instance becomes another.
  Result<void> remap_uids(Element& element, bool reversible);
  /// Text that was written in a character set that is only assumed can be read once it is named.
  void name_character_set();

 private:
  Result<void> each(Item& item, const std::string& outer, const Visit& visit);

  DataSet& set_;
  const DataSet before_;
  const TransformContext& context_;
  int days_ = 0;
  bool wrote_assumed_ = false;
  Applied applied_;
};

/// Whether this UI element names instances, and not classes, encodings or terminologies.
bool names_instances(encoding::Tag tag);

Result<void> deidentify(const DeidentifyAction& action, Workpiece& work);
/// Adds an item to OriginalAttributesSequence (PS3.3 C.12.1.1.9) with the top-level elements that
/// differ by now, as they were.
Result<void> add_original_attributes(const OriginalAttributesAction& action, Workpiece& work);

}  // namespace dr::rules
