#pragma once

#include <memory>
#include <string>

#include "dimse/base/file_system.h"

namespace dr::journal {

/// The spool folder as a whole: its lock, its format, its identity.
struct Spool {
  std::unique_ptr<File> lock;
  std::string id;  // a UUID, made with the spool
};

/// Locks the spool and reads its identity; makes both, and the folders, in an empty one. kConflict:
/// another process has it. kUnsupported: a newer format; nothing was changed.
Result<Spool> open_spool(FileSystem& files);

}  // namespace dr::journal
