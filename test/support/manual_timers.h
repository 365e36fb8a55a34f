#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>

#include "dimse/ul/timer.h"

namespace dr::test {

/// Time that passes only when a test says so. advance() may be called from any thread; what is due
/// is called on its executor.
class ManualTimers final : public ul::Timers {
 public:
  SteadyTime now() const override;
  std::unique_ptr<ul::Timer> make(asio::any_io_executor executor) override;

  void advance(std::chrono::milliseconds time);
  /// Blocks until some timer is armed to expire within this time from now.
  bool wait_until_armed_within(std::chrono::milliseconds time);

 private:
  class ManualTimer;
  struct Armed {
    asio::any_io_executor executor;
    SteadyTime at;
    std::shared_ptr<std::function<void()>> expired;
  };

  mutable std::mutex mutex_;
  std::condition_variable armed_changed_;
  SteadyTime now_{std::chrono::hours(1)};
  std::map<const ManualTimer*, Armed> armed_;
};

}  // namespace dr::test
