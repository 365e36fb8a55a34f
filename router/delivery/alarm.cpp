#include "router/delivery/alarm.h"

#include <utility>

#include <asio/post.hpp>

namespace dr::delivery {

Alarm::Alarm(Core& core, std::function<void()> ring)
    : executor_(core.next_executor()),
      timer_(core.context.timers->make(executor_)),
      ring_(std::move(ring)) {}

void Alarm::set(std::optional<SteadyTime> due) {
  {
    const std::scoped_lock lock(mutex_);
    if (!due || *due >= armed_) return;
    armed_ = *due;
  }
  asio::post(executor_, [weak = weak_from_this(), at = *due] {
    const auto self = weak.lock();
    if (!self) return;
    self->timer_->arm(at, [weak] {
      if (const auto due_now = weak.lock()) due_now->ring();
    });
  });
}

void Alarm::stop() {
  {
    const std::scoped_lock lock(mutex_);
    ring_ = nullptr;
  }
  asio::post(executor_, [self = shared_from_this()] { self->timer_->disarm(); });
}

void Alarm::ring() {
  const std::scoped_lock lock(mutex_);
  armed_ = SteadyTime::max();
  if (ring_) ring_();
}

}  // namespace dr::delivery
