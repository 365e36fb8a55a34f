#pragma once

#include <algorithm>
#include <atomic>
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

/// How a consumer that nobody waits for leaves cores, memory and disk to what comes in: it goes on
/// once for a moment no object came, or once it is too far behind.
class StandBack {
 public:
  explicit StandBack(std::uint64_t most_behind) : most_behind_(most_behind) {}

  /// Objects of so many octets have just become durable. Any thread.
  void received(std::uint64_t octets) {
    received_ += octets;
    last_received_ = std::chrono::steady_clock::now();
  }
  /// So many octets are dealt with; what came in before the start does not count. One thread.
  void done(std::uint64_t octets) { done_ = std::min(done_ + octets, received_.load()); }
  void caught_up() { done_ = received_; }
  /// Until it is time to go on, or Wake::stop(). One thread.
  void wait(Wake& wake) {
    while (!wake.stopping() && received_ < done_ + most_behind_ &&
           std::chrono::steady_clock::now() - last_received_.load() < kCalm) {
      wake.pause(kCalm);
    }
  }

 private:
  static constexpr std::chrono::milliseconds kCalm{3};  // without an object: nobody is in a hurry
  const std::uint64_t most_behind_;                     // octets
  std::atomic<std::uint64_t> received_{0};              // octets since the start
  std::atomic<std::chrono::steady_clock::time_point> last_received_{};
  std::uint64_t done_ = 0;  // of them
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
