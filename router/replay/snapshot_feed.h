#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "router/journal/journal.h"
#include "router/replay/snapshot.h"

namespace dr::replay {

struct SnapshotSettings {
  Keep keep = Keep::kKeyedHash;
  std::string key;                                                   // of the hashes
  std::chrono::milliseconds retention{std::chrono::hours(24 * 30)};  // 0: for ever
};

/// Follows the journal with the cursor "snapshots" and keeps the head of each object's data set,
/// behind the acknowledgement, on a thread of its own with low priority. While objects keep coming
/// in it stands back, but never further than kMostBehind. What it can not write it tries again; it
/// never holds the journal for long: what lies too far back is passed over, and told.
class SnapshotFeed {
 public:
  static constexpr const char* kCursor = "snapshots";
  static constexpr std::uint64_t kMostBehind = 1ULL << 30;  // octets that came in since the start
  static constexpr std::uint64_t kMostKept = 200'000;       // records, while nothing can be written

  SnapshotFeed(journal::Journal& journal, const Clock& clock, std::string path,
               SnapshotSettings settings);
  ~SnapshotFeed();
  SnapshotFeed(const SnapshotFeed&) = delete;
  SnapshotFeed& operator=(const SnapshotFeed&) = delete;

  /// From journal::Listener: only wakes.
  void advanced(journal::Sequence watermark);
  /// From journal::Listener: objects of so many octets have just become durable.
  void received(std::uint64_t octets);
  void stop();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace dr::replay
