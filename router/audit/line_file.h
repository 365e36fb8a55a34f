#pragma once

#include <string>

#include "dimse/base/file_system.h"
#include "dimse/base/result.h"

namespace dr::audit {

/// The folder of the spool in which the audit keeps its small files.
inline constexpr const char* kHeadFolder = "audit-heads";

/// A file of one line, replaced as a whole: made aside, synced and renamed.
Result<void> write_line(FileSystem& files, const std::string& folder, const std::string& name,
                        const std::string& line);
/// At most 1,024 octets of it. kNotFound: there is none.
Result<std::string> read_line(FileSystem& files, const std::string& folder,
                              const std::string& name);

}  // namespace dr::audit
