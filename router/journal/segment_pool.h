#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "dimse/base/file_system.h"
#include "router/journal/recovery.h"

namespace dr::journal {

/// Files of one segment's size that hold nothing needed: recycled, or zero-filled ahead by a thread
/// of its own while the writer leaves the disk alone. The last one is a reserve: only records that
/// nobody may refuse get it. Thread-safe.
class SegmentPool {
 public:
  SegmentPool(FileSystem& files, std::uint64_t segment_octets, std::uint64_t ahead_octets);
  ~SegmentPool();

  /// Takes over files from recovery; those of another size are deleted. Makes the first two files
  /// where there are none.
  Result<void> start(std::vector<FreeFile> found);
  void stop();

  /// A file to write on: the oldest free one, else a new one that is not zeroed. kNoSpace: there is
  /// only the reserve left, or not even that with `may_use_reserve`.
  Result<FreeFile> take(bool may_use_reserve);
  /// A segment whose end is on disk. Beyond `ahead_octets` files are deleted.
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
  const std::size_t target_;  // files to keep ready
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<FreeFile> free_;
  bool stopping_ = false;
  std::atomic<bool> busy_{false};
  std::atomic<std::uint64_t> next_name_{1};
  std::thread filler_;
};

}  // namespace dr::journal
