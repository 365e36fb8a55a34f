#pragma once

#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "dimse/base/file_system.h"
#include "router/audit/chain.h"
#include "router/audit/seal.h"
#include "router/journal/journal.h"

namespace dr {

/// How many copies were routed to each destination, by the day of receipt (UTC): the left side of
/// the loss invariant, counted where an object is acknowledged and kept apart from journal and
/// audit, in the file "routed-counts" of the spool (JSON, and a line with its HMAC under [keys]
/// audit). What came after the file was last written is counted again from the journal, which keeps
/// it so long (cursor "routed-counts"). Thread-safe.
class IntakeCount {
 public:
  struct Day {
    std::uint64_t first = 0;  // sequences of its first
    std::uint64_t last = 0;   // and last object
    std::map<std::string, std::uint64_t> routed;
    friend bool operator==(const Day&, const Day&) = default;
  };

  /// Reads the file and what the journal has behind it; a file that is not as it was written is
  /// logged and counts for nothing: then, as in a spool that had none, counting begins here.
  /// Before anything is appended by others. All references must outlive it.
  IntakeCount(journal::Journal& journal, FileSystem& files, const audit::Sealer& sealer);
  ~IntakeCount();
  IntakeCount(const IntakeCount&) = delete;
  IntakeCount& operator=(const IntakeCount&) = delete;

  /// On the journal's writer thread, in the order of the journal.
  void routed(journal::Sequence instance, UtcMicros received,
              const std::vector<std::string>& destinations);
  /// All objects up to `watermark` have been told of. On the same thread.
  void advanced(journal::Sequence watermark);
  /// All objects up to this record are counted.
  journal::Sequence position() const;
  /// Nothing: no object of that day was counted.
  Day day(audit::Day day) const;
  /// Objects up to this one came before counting began.
  journal::Sequence since() const { return since_; }
  /// Writes what is not written yet, and ends the thread.
  void stop();

 private:
  Result<void> read();
  Result<void> catch_up(journal::Sequence watermark);
  Result<void> write();
  void run();
  std::string text() const;

  journal::Journal& journal_;
  FileSystem& files_;
  const audit::Sealer& sealer_;
  journal::Cursor& cursor_;
  mutable std::mutex mutex_;
  std::condition_variable stop_;
  bool stopping_ = false;  // guarded by mutex_, as are
  journal::Sequence position_{};
  std::map<audit::Day, Day> days_;
  journal::Sequence since_{};
  std::optional<journal::Sequence> written_;  // of the thread; none: there is no file
  std::thread thread_;
};

}  // namespace dr
