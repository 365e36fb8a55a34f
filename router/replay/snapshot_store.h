#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>

#include "dimse/base/result.h"
#include "router/replay/snapshot.h"

namespace dr::replay {

/// Snapshots in one SQLite file of the spool (format: README.md). One thread; others, and other
/// processes, may have it open for reading at the same time.
class SnapshotStore {
 public:
  /// Opens it for writing; made (0600) where it is missing.
  static Result<std::unique_ptr<SnapshotStore>> open(const std::string& path);
  /// Only to read. kNotFound: there is none.
  static Result<std::unique_ptr<SnapshotStore>> open_to_read(const std::string& path);
  virtual ~SnapshotStore() = default;

  /// All in one transaction; one that is there already is replaced.
  virtual Result<void> write(std::span<const Snapshot> snapshots, Keep keep) = 0;
  /// Removes what was received before; answers how many.
  virtual Result<std::uint64_t> purge(UtcMicros before) = 0;
  /// Those received from `since` on, in order of sequence, each with what was kept of it, until
  /// `take` says false. One that can not be read is counted, and passed over.
  struct Read {
    std::uint64_t read = 0;
    std::uint64_t unreadable = 0;
  };
  virtual Result<Read> each(UtcMicros since,
                            const std::function<bool(const Snapshot&, Keep)>& take) = 0;
};

/// The store's file in a spool folder.
inline constexpr const char* kSnapshotFile = "snapshots.sqlite";

}  // namespace dr::replay
