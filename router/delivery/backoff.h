#pragma once

#include <functional>
#include <optional>
#include <string_view>

#include "router/delivery/settings.h"

namespace dr::delivery {

/// A number in [0, 1); injected, so that tests know what comes.
using Random = std::function<double()>;

/// Of the calling thread; not for secrets.
double random_fraction();

/// How long to wait after the n-th failure in a row, and when to stop trying: exponential with
/// jitter, so that what failed together does not come back together.
class Backoff {
 public:
  Backoff(const RetrySettings& settings, Random random);

  /// `failures` from 1: first * factor^(failures-1), at most `most`, less a random part of up to a
  /// half.
  std::chrono::milliseconds delay(std::uint32_t failures) const;
  /// Why no further attempt is made, after `attempts` of them and `age` since receipt.
  std::optional<std::string_view> exhausted(std::uint32_t attempts,
                                            std::chrono::microseconds age) const;
  std::chrono::milliseconds most() const noexcept { return settings_.most; }

 private:
  RetrySettings settings_;
  Random random_;
};

}  // namespace dr::delivery
