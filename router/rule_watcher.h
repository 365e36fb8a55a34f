#pragma once

#include <filesystem>
#include <functional>
#include <memory>

#include "dimse/base/result.h"

namespace dr {

/// Watches the rule folder (inotify(7)): files written, moved, removed in it, and the folder
/// itself, or the link that leads to it, put in another's place. Waits until whoever writes has
/// been quiet for a moment, so that a copy of several files is one change. A thread of its own.
class RuleWatcher {
 public:
  /// `changed` is called on the watcher's thread, never twice at once. kIo: the folder's parent
  /// can not be watched.
  static Result<std::unique_ptr<RuleWatcher>> start(const std::filesystem::path& folder,
                                                    std::function<void()> changed);
  virtual ~RuleWatcher() = default;
};

}  // namespace dr
