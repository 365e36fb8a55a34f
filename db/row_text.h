#pragma once

#include "db/rows.h"

namespace dr::db {

/// Whether every database takes all text of `row` unchanged (text.h).
bool is_clean(const Row& row);

/// Makes it so. Every store writes what this leaves, and whoever shows a row that did not come out
/// of a database shows this, so that all of them tell the same.
void clean(Row& row);

}  // namespace dr::db
