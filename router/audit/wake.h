#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>

#include "router/journal/records.h"

namespace dr::audit {

/// How a consumer's thread waits for the journal: the watermark, and whether to stop. A notice that
/// does not reach what is waited for wakes nobody, so gathering costs no thread switches.
class Wake {
 public:
  /// Everything up to `watermark` is durable. Any thread.
  void advanced(journal::Sequence watermark) {
    const std::scoped_lock lock(mutex_);
    if (watermark <= watermark_) return;
    watermark_ = watermark;
    if (watermark_ >= wanted_) changed_.notify_one();
  }
  /// From now on nothing waits. Any thread.
  void stop() {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
    changed_.notify_one();
  }
  bool stopping() const {
    const std::scoped_lock lock(mutex_);
    return stopping_;
  }

  /// Until `wanted` is durable, or stop(). One thread.
  void wait(journal::Sequence wanted) {
    std::unique_lock lock(mutex_);
    wanted_ = wanted;
    changed_.wait(lock, [this] { return stopping_ || watermark_ >= wanted_; });
  }
  /// The same, at most so long.
  void wait(journal::Sequence wanted, std::chrono::milliseconds at_most) {
    std::unique_lock lock(mutex_);
    wanted_ = wanted;
    changed_.wait_for(lock, at_most, [this] { return stopping_ || watermark_ >= wanted_; });
  }
  /// So long, or until stop().
  void pause(std::chrono::milliseconds length) { wait(journal::Sequence{~0ULL}, length); }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  journal::Sequence watermark_{};
  journal::Sequence wanted_{};
  bool stopping_ = false;
};

/// Growing waits between tries of what fails for a while.
class Pause {
 public:
  /// The wait before the next try: 100 ms, then twice as long each time, at most 30 s.
  std::chrono::milliseconds next() {
    const auto now = length_;
    length_ = std::min(length_ * 2, kMost);
    return now;
  }
  void reset() { length_ = kFirst; }

 private:
  static constexpr std::chrono::milliseconds kFirst{100};
  static constexpr std::chrono::milliseconds kMost{30'000};
  std::chrono::milliseconds length_ = kFirst;
};

}  // namespace dr::audit
