#pragma once

#include <optional>

#include "dimse/base/result.h"
#include "dimse/base/uid.h"
#include "router/journal/journal.h"
#include "rtstruct/image_grid.h"

namespace dr::extraction {

/// What an RT Plan or RT Dose says about its structure set (PS3.3 C.8.8.9, C.8.8.3).
struct Links {
  Uid frame_of_reference;
  Uid plan;           // of a dose: the first of Referenced RT Plan Sequence
  Uid structure_set;  // the first of Referenced Structure Set Sequence
};

// Both read the head of an object that has passed, as intake's rules do: no tree is built.
// Blocking. Errors: the journal's own; a head that can not be read says nothing.

/// Where an image lies in the patient; nullopt for what has no such place.
Result<std::optional<rtstruct::ImageSlice>> read_slice(journal::Journal& journal,
                                                       journal::Sequence instance,
                                                       const Uid& transfer_syntax_uid);
Result<Links> read_links(journal::Journal& journal, journal::Sequence instance,
                         const Uid& transfer_syntax_uid);

}  // namespace dr::extraction
