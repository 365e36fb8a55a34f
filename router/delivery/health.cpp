#include "router/delivery/health.h"

#include <algorithm>
#include <utility>

namespace dr::delivery {

bool Health::failed(std::string reason, SteadyTime now, bool slow) {
  const bool was_up = up();
  auto pause = backoff_.delay(++failures_);
  if (slow) pause = std::max(pause, std::min(kSlowProbe, backoff_.most()));
  probe_ = now + pause;
  reason_ = std::move(reason);
  return was_up;
}

bool Health::succeeded() {
  failures_ = 0;
  reason_.clear();
  return std::exchange(probe_, std::nullopt).has_value();
}

}  // namespace dr::delivery
