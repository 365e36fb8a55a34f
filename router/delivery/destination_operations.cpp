#include "router/delivery/destination.h"

// What operators do to a destination's queue; operations.cpp decides to what.

namespace dr::delivery {

using journal::DeliveryState;
using journal::OutcomeRecord;
using journal::Sequence;

void Destination::pause(bool paused) {
  {
    const std::scoped_lock lock(mutex_);
    paused_ = paused;
  }
  work();
}

std::vector<Sequence> Destination::select(bool gathered,
                                          const std::function<bool(const Delivery&)>& which) const {
  const std::scoped_lock lock(mutex_);
  return queue_.select(gathered, which);
}

std::vector<Withdrawn> Destination::withdraw(std::span<const Sequence> wanted, bool gathered,
                                             const std::function<bool(const Delivery&)>& which) {
  const std::scoped_lock lock(mutex_);
  return queue_.withdraw(wanted, gathered, which);
}

void Destination::restore(std::span<const Withdrawn> withdrawn) {
  const std::scoped_lock lock(mutex_);
  for (const Withdrawn& each : withdrawn) queue_.restore(each, core_->now());
}

bool Destination::retry(const Withdrawn& withdrawn, const journal::ObjectRecord& record,
                        std::string_view comment) {
  Delivery delivery = withdrawn.delivery;
  delivery.attempts = 0;
  delivery.refused_by = 0;
  delivery.reason = 0;
  delivery.not_before = {};
  delivery.received = record.received;
  if (delivery.state == DeliveryState::kHeld) delivery.state = DeliveryState::kWaiting;
  OutcomeRecord outcome = settled(delivery, delivery.state, "");
  outcome.outcome = "retry";
  outcome.comment = comment;
  outcome.next_attempt = outcome.finished;
  const bool noted = written(outcome);
  const std::scoped_lock lock(mutex_);
  if (noted) {
    queue_.push(delivery, key_of(record), core_->now());
  } else {
    queue_.restore(withdrawn, core_->now());
  }
  return noted;
}

bool Destination::settle_withdrawn(const Withdrawn& withdrawn, DeliveryState state,
                                   std::string_view reason) {
  const OutcomeRecord outcome = settled(withdrawn.delivery, state, reason);
  if (written(outcome)) {
    core_->context.observer.attempted({outcome, withdrawn.delivery.received});
    return true;
  }
  restore({&withdrawn, 1});
  return false;
}

void Destination::ask_now() {
  {
    const std::scoped_lock lock(mutex_);
    health_.ask_now(core_->now());
  }
  work();
}

}  // namespace dr::delivery
