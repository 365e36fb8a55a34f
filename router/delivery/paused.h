#pragma once

#include <set>
#include <string>
#include <utility>

#include "dimse/base/file_system.h"

namespace dr::delivery {

/// The destinations that operators have paused, in the file "paused" of the spool: a JSON array of
/// names. Written aside, synced and renamed, so that after a crash it is as before or as after. Not
/// thread-safe.
class PausedFile {
 public:
  /// Without `files` it is kept in memory only.
  explicit PausedFile(FileSystem* files) : files_(files) {}
  /// kCorrupt: there is a file, and it is not what write() wrote.
  Result<void> read();
  const std::set<std::string>& names() const { return names_; }
  /// In place of what could not be read; the file stays as it is until the next change.
  void assume(std::set<std::string> names) { names_ = std::move(names); }
  /// Durable when it returns; nothing has changed where it fails.
  Result<void> set(const std::string& name, bool paused);

 private:
  Result<void> write(const std::set<std::string>& names);

  FileSystem* const files_;
  std::set<std::string> names_;
};

}  // namespace dr::delivery
