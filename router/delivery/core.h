#pragma once

#include <atomic>
#include <memory>
#include <utility>

#include <asio/thread_pool.hpp>

#include "router/delivery/engine.h"
#include "router/delivery/loop_guard.h"

namespace dr::delivery {

/// What all destinations of one engine stand on.
struct Core {
  static constexpr std::size_t kDiskThreads = 2;

  explicit Core(EngineContext given) : context(std::move(given)), loops(context.spool) {}

  SteadyTime now() const { return context.timers->now(); }
  UtcMicros now_utc() const { return context.clock.now_utc(); }
  /// Associations are shared out among the I/O threads.
  asio::any_io_executor next_executor() {
    return context
        .executors[next_.fetch_add(1, std::memory_order_relaxed) % context.executors.size()];
  }

  EngineContext context;
  LoopGuard loops;
  asio::thread_pool disk{kDiskThreads};  // for reads that may wait
  /// The journal takes no outcomes any more: nothing is sent whose end could not be written.
  std::atomic<bool> halted{false};

 private:
  std::atomic<std::size_t> next_{0};
};

}  // namespace dr::delivery
