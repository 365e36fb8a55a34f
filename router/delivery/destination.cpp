#include "router/delivery/destination.h"

#include <algorithm>
#include <utility>

#include <asio/post.hpp>

#include "dimse/base/log.h"
#include "router/delivery/transformer.h"

namespace dr::delivery {

using journal::DeliveryState;
using journal::OutcomeRecord;
using journal::Sequence;
using Ending = AttemptResult::Ending;

namespace {

bool counts(Ending ending) { return ending != Ending::kPostponed; }

void set_held(OutcomeRecord& record, std::string_view reason) {
  record.state = DeliveryState::kHeld;
  record.reason = reason;
}

}  // namespace

Destination::Destination(std::shared_ptr<Core> core, DestinationSettings settings)
    : core_(std::move(core)),
      settings_(std::move(settings)),
      status_map_(settings_.profile, settings_.status),
      backoff_(settings_.retry, random_fraction),
      health_(backoff_),
      timer_executor_(core_->next_executor()),
      timer_(core_->context.timers->make(timer_executor_)) {}

void Destination::add(Delivery delivery, const journal::ObjectRecord& record) {
  delivery.received = record.received;
  {
    const std::scoped_lock lock(mutex_);
    queue_.push(delivery, key_of(record), core_->now());
  }
  core_->context.observer.queued(name(), delivery.instance);
}

void Destination::gather(Delivery delivery, const journal::ObjectRecord& record,
                         std::string_view reason) {
  delivery.received = record.received;
  {
    const std::scoped_lock lock(mutex_);
    queue_.gather(delivery, key_of(record), reason);
  }
  core_->context.observer.queued(name(), delivery.instance);
}

void Destination::release(Sequence instance) {
  const std::scoped_lock lock(mutex_);
  queue_.release(instance);
}

bool Destination::has(Sequence instance) const {
  const std::scoped_lock lock(mutex_);
  return queue_.has(instance);
}

OutcomeRecord Destination::settled(const Delivery& delivery, DeliveryState state,
                                   std::string_view reason) const {
  OutcomeRecord outcome;
  outcome.instance = delivery.instance;
  outcome.destination = name();
  outcome.state = state;
  outcome.attempt = delivery.attempts;
  outcome.started = outcome.finished = core_->now_utc();
  outcome.outcome = journal::name(state);
  outcome.reason = reason;
  return outcome;
}

void Destination::skip(const Delivery& delivery, std::string_view reason) {
  const OutcomeRecord outcome = settled(delivery, DeliveryState::kSkipped, reason);
  if (written(outcome)) core_->context.observer.attempted({outcome, delivery.received});
}

void Destination::give_up(Sequence instance, std::string_view reason) {
  std::optional<Delivery> found;
  {
    const std::scoped_lock lock(mutex_);
    found = queue_.withdraw(instance);
  }
  if (found) skip(*found, reason);
}

void Destination::hold(Sequence instance, std::string_view reason) {
  std::optional<Delivery> found;
  {
    const std::scoped_lock lock(mutex_);
    found = queue_.withdraw(instance);
  }
  if (found) hold(*found, reason);
}

void Destination::hold(Delivery delivery, std::string_view reason) {
  const OutcomeRecord outcome = settled(delivery, DeliveryState::kHeld, reason);
  if (!written(outcome)) return;
  delivery.state = outcome.state;
  {
    const std::scoped_lock lock(mutex_);
    queue_.push_parked(delivery, reason);
  }
  core_->context.observer.attempted({outcome, delivery.received});
}

bool Destination::written(const OutcomeRecord& record) {
  const auto appended = core_->context.journal.append(record);
  if (appended) return true;
  core_->halted = true;
  log::event(log::Level::kError, "delivery.halted",
             {{"destination", name()}, {"error", appended.error().to_string()}});
  return false;
}

void Destination::add_parked(const Delivery& delivery) {
  const std::scoped_lock lock(mutex_);
  queue_.push_parked(delivery, "");
}

void Destination::add_damaged(Delivery delivery, const Error& error) {
  const OutcomeRecord record = decide(begin(delivery), unreadable(error), 0).record;
  if (!core_->context.journal.append(record)) return;
  delivery.state = record.state;
  delivery.attempts = record.attempt;
  {
    const std::scoped_lock lock(mutex_);
    queue_.push_parked(delivery, record.reason);
  }
  core_->context.observer.attempted({record, delivery.received});
}

void Destination::damaged(Sequence instance, const Error& error) {
  std::optional<Delivery> found;
  {
    const std::scoped_lock lock(mutex_);
    found = queue_.withdraw(instance);
  }
  if (found) add_damaged(*found, error);
}

Destination::Decision Destination::decide(const Attempt& attempt, const AttemptResult& result,
                                          std::uint32_t association) const {
  Decision decision{attempt.delivery, {}};
  Delivery& delivery = decision.delivery;
  OutcomeRecord& record = decision.record;
  if (counts(result.ending)) ++delivery.attempts;
  record.instance = delivery.instance;
  record.destination = name();
  record.attempt = delivery.attempts;
  record.started = attempt.started;
  record.finished = core_->now_utc();
  record.has_status = result.status.has_value();
  record.status = result.status.value_or(0);
  record.outcome = result.outcome;
  record.comment = result.comment;
  record.octets = result.octets;
  record.transfer_syntax_uid = attempt.transfer_syntax_uid;

  std::chrono::milliseconds pause{0};
  switch (result.ending) {
    case Ending::kDelivered:
      record.state = result.verified ? DeliveryState::kVerified : DeliveryState::kDelivered;
      return decision;
    case Ending::kDamaged:
      record.state = DeliveryState::kDamaged;
      record.reason = result.reason;
      return decision;
    case Ending::kHeld:
      set_held(record, result.reason);
      return decision;
    case Ending::kRefused:
      if (delivery.refused_by != 0) {
        set_held(record, "refused");
        return decision;
      }
      delivery.refused_by = association;
      break;
    case Ending::kRetry:
    case Ending::kUnknown:
      pause = backoff_.delay(delivery.attempts);
      break;
    case Ending::kPostponed:  // lets another object be the one that asks next
      if (!result.fault.empty()) pause = backoff_.delay(1);
      break;
  }
  if (const auto why = backoff_.exhausted(delivery.attempts, record.finished - delivery.received)) {
    set_held(record, *why);
    return decision;
  }
  const bool unknown =
      result.ending == Ending::kUnknown ||
      (result.ending == Ending::kPostponed && attempt.delivery.state == DeliveryState::kUnknown);
  record.state = unknown ? DeliveryState::kUnknown : DeliveryState::kWaiting;
  record.next_attempt = record.finished + pause;
  delivery.not_before = core_->now() + pause;
  return decision;
}

std::variant<StoredObject, AttemptResult> Destination::to_send(Attempt& attempt) {
  auto object = open_object(core_->context.journal, attempt.delivery.instance);
  if (!object) return unreadable(object.error());
  if (const auto* const route = route_to(object->record, name())) {
    if (const auto why = why_held(*route, settings_); !why.empty()) return held(why);
    if (!route->transform.empty()) {
      Transformer* const transformer = core_->context.transformer;
      if (transformer == nullptr) return held("no_transformer");
      const std::string transform = route->transform;
      object = transformer->transform(*std::move(object), transform);
      if (!object) return not_transformed(object.error(), attempt.delivery.attempts);
    }
  }
  attempt.transfer_syntax_uid = object->record.transfer_syntax_uid;
  return *std::move(object);
}

bool Destination::settle(Attempt attempt, const AttemptResult& result, std::uint32_t association,
                         bool probe) {
  Decision decision = decide(attempt, result, association);
  const OutcomeRecord& record = decision.record;
  // Written before anything is done on the ground of it. What is not written is done again.
  const bool noted = written(record);
  bool went_down = false;
  bool came_up = false;
  {
    const std::scoped_lock lock(mutex_);
    if (noted) {
      replace(attempt, decision);
    } else {
      queue_.put_back(attempt.delivery);
    }
    if (!result.fault.empty()) {
      went_down = note_fault(result.fault, result.slow, probe);
    } else if (result.ending == Ending::kDelivered || result.status) {
      came_up = health_.succeeded();
    }
  }
  Observer& observer = core_->context.observer;
  if (noted) observer.attempted({record, attempt.delivery.received});
  if (went_down) observer.destination_changed(name(), false, result.fault);
  if (came_up) observer.destination_changed(name(), true, "");
  return !result.fault.empty();
}

void Destination::replace(const Attempt& attempt, const Decision& decision) {
  const OutcomeRecord& record = decision.record;
  Delivery delivery = decision.delivery;
  delivery.state = record.state;
  if (journal::is_final(record.state)) {
    queue_.finish(attempt.delivery);
  } else if (record.state == DeliveryState::kHeld || record.state == DeliveryState::kDamaged) {
    queue_.park(delivery, record.reason);
  } else {
    queue_.defer(delivery, record.outcome);
    queue_.promote(core_->now());
  }
}

bool Destination::note_fault(const std::string& why, bool slow, bool probe) {
  // Several associations that break together are one failure.
  if (!health_.up() && !probe) return false;
  return health_.failed(why, core_->now(), slow);
}

void Destination::unreachable(std::string_view why, bool slow, bool probe) {
  const std::string reason(why);
  bool went_down = false;
  {
    const std::scoped_lock lock(mutex_);
    went_down = note_fault(reason, slow, probe);
  }
  if (went_down) core_->context.observer.destination_changed(name(), false, reason);
}

std::optional<SteadyTime> Destination::next_due() const {
  // While it is down and not to be asked, nothing else matters.
  return health_.may_try(core_->now()) ? queue_.next_due() : health_.next_probe();
}

void Destination::arm_timer(std::optional<SteadyTime> also) {
  auto due = next_due();
  if (also && (!due || *also < *due)) due = also;
  if (!due || stopping_ || *due >= armed_) return;
  armed_ = *due;
  asio::post(timer_executor_, [weak = weak_from_this(), at = *due] {
    const auto self = weak.lock();
    if (!self) return;
    self->timer_->arm(at, [weak] {
      if (const auto due_now = weak.lock()) due_now->on_timer();
    });
  });
}

void Destination::on_timer() {
  {
    const std::scoped_lock lock(mutex_);
    armed_ = SteadyTime::max();
    if (stopping_) return;
  }
  work();
}

void Destination::begin_stop() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  asio::post(timer_executor_, [self = shared_from_this()] { self->timer_->disarm(); });
}

std::vector<QueueItem> Destination::list(std::optional<DeliveryState> state, Sequence after,
                                         std::size_t limit) const {
  std::vector<QueueItem> items;
  const std::scoped_lock lock(mutex_);
  const auto now = core_->now();
  const auto now_utc = core_->now_utc();
  for (const Delivery& delivery : queue_.list(state, after, limit)) {
    QueueItem& item = items.emplace_back();
    item.destination = name();
    item.sequence = delivery.instance;
    item.state = delivery.state;
    item.attempts = delivery.attempts;
    item.reason = queue_.reason(delivery);
    const bool waits =
        delivery.state == DeliveryState::kWaiting || delivery.state == DeliveryState::kUnknown;
    if (waits && delivery.not_before > now) {
      item.next_attempt = now_utc + std::chrono::duration_cast<std::chrono::microseconds>(
                                        delivery.not_before - now);
    }
  }
  return items;
}

DestinationStatus Destination::status() const {
  const std::scoped_lock lock(mutex_);
  DestinationStatus status;
  status.name = name();
  status.up = health_.up();
  status.paused = paused_;
  status.reason = health_.reason();
  status.counts.waiting = queue_.count(DeliveryState::kWaiting);
  status.counts.sending = queue_.count(DeliveryState::kSending);
  status.counts.unknown = queue_.count(DeliveryState::kUnknown);
  status.counts.held = queue_.count(DeliveryState::kHeld);
  status.counts.damaged = queue_.count(DeliveryState::kDamaged);
  status.oldest = queue_.oldest();
  status.associations = associations();
  return status;
}

}  // namespace dr::delivery
