#pragma once

#include <optional>
#include <string_view>

#include "dimse/base/bytes.h"
#include "dimse/encoding/character_set.h"
#include "dimse/encoding/tag.h"

namespace dr::rules {

/// `utf8` as a value of `vr`, with the code extensions that the set announces (PS3.5 6.1.2.5);
/// nullopt where the set has no such character.
std::optional<Bytes> encode_text(std::string_view utf8, const encoding::CharacterSet& set,
                                 encoding::Vr vr);

/// Loads what encode_text() and decoding need from files, for a process that will not open any.
void load_character_sets();

}  // namespace dr::rules
