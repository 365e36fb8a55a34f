#include "router/delivery/backoff.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <utility>

namespace dr::delivery {

double random_fraction() {
  thread_local std::minstd_rand generator{std::random_device{}()};
  return std::uniform_real_distribution<double>(0.0, 1.0)(generator);
}

Backoff::Backoff(const RetrySettings& settings, Random random)
    : settings_(settings), random_(std::move(random)) {}

std::chrono::milliseconds Backoff::delay(std::uint32_t failures) const {
  const double most = static_cast<double>(settings_.most.count());
  // pow overflows to infinity, which min() brings back to `most`.
  const double grown = static_cast<double>(settings_.first.count()) *
                       std::pow(settings_.factor, std::max(failures, 1U) - 1);
  const double pause = std::min(grown, most) * (1.0 - random_() / 2);
  return std::chrono::milliseconds(static_cast<std::int64_t>(pause));
}

std::optional<std::string_view> Backoff::exhausted(std::uint32_t attempts,
                                                   std::chrono::microseconds age) const {
  if (attempts >= settings_.attempts) return "attempts_exhausted";
  if (age >= settings_.give_up_after) return "gave_up";
  return std::nullopt;
}

}  // namespace dr::delivery
