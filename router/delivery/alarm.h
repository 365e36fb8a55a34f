#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>

#include "router/delivery/core.h"

namespace dr::delivery {

/// Wakes a thread at a time, from a timer of an I/O thread, which may outlive it by a moment.
class Alarm : public std::enable_shared_from_this<Alarm> {
 public:
  /// `ring` is called on the timer's thread until stop() has returned.
  Alarm(Core& core, std::function<void()> ring);

  /// At `due`, unless it rings before that anyway: who is woken sets it again.
  void set(std::optional<SteadyTime> due);
  void stop();

 private:
  void ring();

  const asio::any_io_executor executor_;
  const std::unique_ptr<ul::Timer> timer_;  // used on its executor only
  std::mutex mutex_;                        // of what follows
  SteadyTime armed_ = SteadyTime::max();
  std::function<void()> ring_;
};

}  // namespace dr::delivery
