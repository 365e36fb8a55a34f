#pragma once

#include <memory_resource>
#include <string>
#include <string_view>
#include <vector>

#include "dimse/base/bytes.h"
#include "dimse/encoding/character_set.h"
#include "dimse/encoding/tag.h"

namespace dr::encoding {

/// Brings the text of one data set into Unicode (PS3.5 6.1, PS3.3 C.12.1.1.2), so that rules
/// compare characters, not octets. One thread at a time; opens a converter only when a value is not
/// ASCII.
///
/// Octets that the character set does not explain are kept, each as the private-use character
/// U+10FF00 + octet: nothing is lost, and no text that a rule can sensibly name equals it.
class TextDecoder {
 public:
  /// `specific_character_set`: the value of (0008,0005); empty when absent.
  explicit TextDecoder(ByteSpan specific_character_set);

  /// The values of a text element in UTF-8, separated at backslashes (never inside a character of
  /// several octets; ST, LT, UT and UR hold one value), without padding (PS3.5 6.2: trailing spaces
  /// and NULs; leading spaces too where they carry no meaning). An empty value field has none.
  /// `v`: the dictionary's where the data set has none; unknown and UN are taken as LO.
  std::vector<std::string> values(ByteSpan value, Vr v) const;

 private:
  std::string decode(std::string_view text, Vr v) const;

  CharacterSet character_set_;
};

/// The same values as views of `value`, added to `into`, where the element is ASCII that means the
/// same in every character set; false, and nothing added, where it needs a TextDecoder. For paths
/// that every object takes: allocates nothing but the vector's own memory.
bool plain_values(ByteSpan value, Vr v, std::pmr::vector<std::string_view>& into);

}  // namespace dr::encoding
