#pragma once

#include <vector>

#include "router/journal/records.h"
#include "rtstruct/extract.h"

namespace dr::extraction {

/// The result as the journal keeps it, in parts of about a MiB. What only the node knows (instance,
/// times, attempts) is left empty; the outcome is "done".
std::vector<journal::ExtractionRecord> records_of(const rtstruct::Extraction& extraction);

}  // namespace dr::extraction
