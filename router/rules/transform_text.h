#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "dimse/base/bytes.h"

namespace dr::rules {

/// `utf8` in the character set that `specific_character_set` (the value of (0008,0005)) starts
/// with; nullopt where that has no such character. Code extensions (PS3.5 6.1.2.5) are not used for
/// new text: what the first set can not say is not said.
std::optional<Bytes> encode_text(std::string_view utf8, std::string_view specific_character_set);

/// Loads what encode_text() and decoding need from files, for a process that will not open any.
void load_character_sets();

}  // namespace dr::rules
