#pragma once

#include <optional>
#include <string>

#include "dimse/base/clock.h"
#include "router/delivery/backoff.h"

namespace dr::delivery {

/// The memory of a dead destination: whether it takes anything now, and when it is next asked.
/// up → down by failed(); down stays down, with a growing pause, until succeeded(). While it is
/// down a single association probes it. Not thread-safe.
class Health {
 public:
  /// Pause at least this long before a destination is asked again that a person must put right.
  static constexpr std::chrono::milliseconds kSlowProbe{60'000};

  explicit Health(Backoff backoff) : backoff_(std::move(backoff)) {}

  bool up() const noexcept { return !probe_; }
  const std::string& reason() const noexcept { return reason_; }
  /// Up, or down and due to be asked.
  bool may_try(SteadyTime now) const { return !probe_ || now >= *probe_; }
  std::optional<SteadyTime> next_probe() const noexcept { return probe_; }

  /// Where it is down, it is asked as soon as something waits.
  void ask_now(SteadyTime now) {
    if (probe_) probe_ = now;
  }
  /// True when this changed up to down. `slow`: configuration, not weather.
  bool failed(std::string reason, SteadyTime now, bool slow);
  /// True when this changed down to up.
  bool succeeded();

 private:
  Backoff backoff_;
  std::uint32_t failures_ = 0;
  std::optional<SteadyTime> probe_;
  std::string reason_;
};

}  // namespace dr::delivery
