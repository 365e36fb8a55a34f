#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>

#include <asio/any_io_executor.hpp>

#include "dimse/base/clock.h"

namespace dr::ul {

/// One timer of an executor. Destroying it disarms it.
class Timer {
 public:
  virtual ~Timer() = default;
  /// Calls `expired` once on the executor, at `at` or soon after; replaces what was armed before.
  virtual void arm(SteadyTime at, std::function<void()> expired) = 0;
  virtual void disarm() = 0;
};

/// Where an association gets its time from: a seam, so that tests step ARTIM by hand. Thread-safe.
class Timers {
 public:
  virtual ~Timers() = default;
  virtual SteadyTime now() const = 0;
  virtual std::unique_ptr<Timer> make(asio::any_io_executor executor) = 0;
};

/// Those of the machine's monotonic clock.
Timers& system_timers();

/// The deadlines of one association on one timer. Moving a deadline further away, which happens
/// with every PDU, costs a comparison: the timer runs on and is set anew only when it fires early.
class Watchdog {
 public:
  enum Slot : std::size_t { kRead, kWrite, kResponse };

  /// `expired` is called on the executor, with the slot that ran out already cleared.
  Watchdog(Timers& timers, asio::any_io_executor executor, std::function<void(Slot)> expired);

  SteadyTime now() const { return timers_.now(); }
  void set(Slot slot, std::chrono::milliseconds from_now);
  void set_at(Slot slot, SteadyTime at);
  void clear(Slot slot) noexcept { deadlines_[slot] = SteadyTime::max(); }

 private:
  void arm(SteadyTime at);
  void on_timer();

  Timers& timers_;
  std::unique_ptr<Timer> timer_;
  std::function<void(Slot)> expired_;
  std::array<SteadyTime, 3> deadlines_;
  SteadyTime armed_ = SteadyTime::max();
};

}  // namespace dr::ul
