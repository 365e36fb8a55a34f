#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "dimse/base/file_system.h"

namespace dr::journal {

/// The spool folder as a whole: its lock, its format, its identity.
struct Spool {
  std::unique_ptr<File> lock;
  std::string id;  // a UUID, made with the spool
  std::uint32_t format = 0;
};

/// Locks the spool and reads its identity; makes both, and the folders, in an empty one. kConflict:
/// another process has it. kUnsupported: a newer format; nothing was changed.
Result<Spool> open_spool(FileSystem& files);
/// Brings a spool of an older format to this one; from then on older programs refuse it.
Result<void> upgrade_spool(FileSystem& files, const Spool& spool);

}  // namespace dr::journal
