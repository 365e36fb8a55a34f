#pragma once

#include <chrono>
#include <cstdint>

namespace dr {

/// UTC, microseconds since 1970-01-01: what records and audit rows carry.
using UtcMicros = std::chrono::time_point<std::chrono::system_clock, std::chrono::microseconds>;
/// For intervals and deadlines: never jumps.
using SteadyTime = std::chrono::steady_clock::time_point;

/// The two clocks of the node. Injected, so that tests step time by hand.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual UtcMicros now_utc() const = 0;
  virtual SteadyTime now_steady() const = 0;
};

class SystemClock final : public Clock {
 public:
  UtcMicros now_utc() const override {
    return std::chrono::time_point_cast<std::chrono::microseconds>(
        std::chrono::system_clock::now());
  }
  SteadyTime now_steady() const override { return std::chrono::steady_clock::now(); }
};

inline std::int64_t to_micros(UtcMicros t) { return t.time_since_epoch().count(); }
inline UtcMicros from_micros(std::int64_t us) { return UtcMicros(std::chrono::microseconds(us)); }

}  // namespace dr
