#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>

#include "router/journal/journal.h"

namespace dr::journal {

struct ScrubOptions {
  std::uint64_t octets_per_second = 16U << 20;
  std::chrono::milliseconds every = std::chrono::hours(24);    // from one pass to the next
  std::chrono::milliseconds first = std::chrono::minutes(1);   // after the start
  std::chrono::milliseconds spare = std::chrono::minutes(15);  // younger objects are left in memory
};

/// Finds what rots on the disk before somebody needs it: reads every object that is not finished,
/// from the disk and not from what memory holds of it, at a bounded rate, and compares checksums.
/// What it finds it leaves to the journal, which tells its listener.
class Scrubber {
 public:
  struct Progress {
    std::uint64_t octets = 0;           // read since the start
    std::optional<UtcMicros> finished;  // the last whole pass
  };

  Scrubber(Journal& journal, const Clock& clock, ScrubOptions options);
  ~Scrubber();
  Scrubber(const Scrubber&) = delete;
  Scrubber& operator=(const Scrubber&) = delete;

  Progress progress() const;
  /// Ends its thread within one read.
  void stop();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace dr::journal
