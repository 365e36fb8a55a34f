#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "dimse/base/bytes.h"
#include "dimse/base/result.h"
#include "router/rules/transform_tree.h"

namespace dr::rules {

/// Whether new values of this VR can be written as text: all but sequences and bulk data.
bool is_writable(encoding::Vr vr);
/// Whether this VR is text in the object's character set (PS3.5 6.1.2.2).
bool is_charset_text(encoding::Vr vr);
/// Why `utf8` is no value of `vr` (PS3.5 table 6.2-1), such as "is longer than 16 characters";
/// empty where it is one. An empty text always is.
std::string why_no_value(encoding::Vr vr, std::string_view utf8);

/// An element's values in UTF-8, without padding; numbers in decimal. Bulk data have none.
Result<std::vector<std::string>> read_values(const DataSet& set, const Element& element,
                                             const std::string& charset);
/// Values as the octets of a `vr` element. kInvalid `value`: one that the VR can not hold;
/// kUnsupported `character_set`: the object's set has no such character.
Result<Bytes> write_values(const std::vector<std::string>& values, encoding::Vr vr,
                           const std::string& charset, bool big_endian);

}  // namespace dr::rules
