#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "dimse/base/file_system.h"
#include "router/journal/segment_files.h"

namespace dr::journal {

/// Files of one segment's size that hold nothing needed: recycled, or zero-filled ahead by a thread
/// of its own while the writer leaves the disk alone. A burst that finds none ready raises the
/// number kept, so that the next one like it does: writing into new space costs three times the
/// time. The last file is a reserve: only records that nobody may refuse get it. Thread-safe.
class SegmentPool {
 public:
  struct Size {
    std::uint64_t segment = 0;     // octets
    std::uint64_t ahead = 0;       // octets kept ready from the start
    std::uint64_t ahead_most = 0;  // and after bursts; never more than 1/16 of the free disk
  };

  SegmentPool(FileSystem& files, Size octets);
  ~SegmentPool();

  /// Takes over files from recovery; those of another size are deleted. Makes the first one where
  /// there is none.
  Result<void> start(std::vector<FreeFile> found);
  void stop();

  /// A file to write on: the oldest free one, else a new one that is not zeroed. kNoSpace: there is
  /// only the reserve left, or not even that with `may_use_reserve`.
  Result<FreeFile> take(bool may_use_reserve);
  /// A segment that nobody needs any more. Files beyond what is kept ready are deleted.
  void give_back(FreeFile file);
  std::size_t size() const;
  /// The writer is busy now: zero-filling waits a moment.
  void writer_busy() { busy_.store(true, std::memory_order_relaxed); }

 private:
  Result<FreeFile> create(bool zeroed);
  Result<void> lay_out(File& file);
  Result<void> fill(File& file);
  void run();
  void discard(FreeFile file);

  FileSystem& files_;
  const std::uint64_t segment_octets_;
  std::size_t most_;  // the greatest target
  mutable std::mutex mutex_;
  std::size_t target_;  // files to keep ready; guarded by mutex_
  std::condition_variable wake_;
  std::deque<FreeFile> free_;
  std::atomic<bool> stopping_{false};
  std::atomic<bool> busy_{false};
  std::atomic<std::uint64_t> next_name_{1};
  std::thread filler_;
};

}  // namespace dr::journal
