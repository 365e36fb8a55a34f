#pragma once

#include <string>

namespace dr::cli {

/// `journal export`: every object of the spool as a Part 10 file in `folder`, and a list of them.
/// The exit code: kNo where something is damaged.
int export_journal(const std::string& config, const std::string& folder);

}  // namespace dr::cli
