#include "router/delivery/lane.h"

#include <utility>

#include <asio/experimental/as_tuple.hpp>
#include <asio/use_awaitable.hpp>

#include "router/delivery/object_source.h"
#include "router/delivery/transformer.h"

// What one association does; dimse_destination.cpp decides how many there are.

namespace dr::delivery {

asio::awaitable<void> DimseDestination::run(std::shared_ptr<DimseDestination> self, LanePtr lane) {
  const DestinationSettings& settings = self->settings_;
  lane->record.number = self->core_->context.observer.next_association_number();
  lane->record.started = self->core_->now_utc();
  service::Peer peer;
  peer.host = settings.host;
  peer.port = settings.port;
  peer.called_ae_title = settings.ae_title;
  peer.calling_ae_title = lane->calling_ae_title;
  peer.max_pdu = settings.max_pdu;
  peer.connect_timeout = settings.connect_timeout;
  peer.response_timeout = settings.response_timeout;
  peer.progress_timeout = settings.progress_timeout;
  auto associated =
      co_await service::StorageScu::associate(lane->executor, std::move(peer), lane->contexts);
  if (!associated) {
    self->not_established(lane, associated.error());
    co_return;
  }
  if (!self->established(*lane)) co_return;
  lane->scu = std::move(*associated);
  lane->idle = self->core_->context.timers->make(lane->executor);
  co_await self->serve(lane);
  lane->idle.reset();
  lane->scu.reset();
  self->left(lane);
}

asio::awaitable<void> DimseDestination::serve(LanePtr lane) {
  while (const auto delivery = co_await next_delivery(lane)) {
    Attempt attempt = begin(*delivery);
    const AttemptResult result = co_await send(lane, attempt);
    if (result.ending == AttemptResult::Ending::kDelivered) ++lane->record.objects;
    lane->record.octets += result.octets;
    const bool faulty = settle(attempt, result, lane->number, lane->probe);
    note_served(*lane, faulty);
    work();  // perhaps others may now do more
  }
  if (lane->scu->open()) {
    co_await lane->scu->release();
    report(*lane, "released", "");
  } else {
    report(*lane, lane->end.empty() ? "closed" : lane->end, "");
  }
}

void DimseDestination::note_served(Lane& lane, bool faulty) {
  const std::scoped_lock lock(mutex_);
  lane.phase = Lane::Phase::kWoken;  // it takes another one next
  lane.probe = lane.probe && !health_.up();
  if (!faulty) return;
  for (const LanePtr& other : lanes_) {
    if (other->phase != Lane::Phase::kStarting) other->retire = true;
  }
}

asio::awaitable<std::optional<Delivery>> DimseDestination::next_delivery(LanePtr lane) {
  constexpr auto kUse = asio::experimental::as_tuple(asio::use_awaitable);
  while (lane->scu->open()) {
    std::optional<Delivery> delivery;
    Step step;
    Plan plan;
    {
      const std::scoped_lock lock(mutex_);
      step = next_step(*lane, delivery);
      // What is ready and does not fit here may need another association.
      if (step == Step::kWait && queue_.ready() > 0) plan = schedule();
    }
    carry_out(plan);
    if (step == Step::kSend) {
      lane->idle->disarm();
      co_return delivery;
    }
    if (step == Step::kLeave) break;
    const auto expired = [this, raw = lane.get()] {
      const std::scoped_lock lock(mutex_);
      raw->retire = true;
      raw->signal.cancel();
    };
    lane->idle->arm(core_->now() + settings_.idle_close, expired);
    (void)co_await lane->signal.async_wait(kUse);
  }
  co_return std::nullopt;
}

asio::awaitable<AttemptResult> DimseDestination::send(LanePtr lane, Attempt& attempt) {
  const Delivery& delivery = attempt.delivery;
  const bool cached = core_->context.journal.in_memory(delivery.instance);
  Result<StoredObject> object = co_await open_object(core_, delivery.instance, cached);
  if (!object) co_return unreadable(object.error());
  if (const auto* const route = route_to(object->record, name())) {
    if (const auto why = why_held(*route, settings_); !why.empty()) co_return held(why);
    if (!route->transform.empty()) {
      std::string transform = route->transform;
      object = co_await open_copy(core_, *std::move(object), std::move(transform));
      if (!object) co_return not_transformed(object.error(), delivery.attempts);
    }
  }
  const journal::ObjectRecord& record = object->record;
  attempt.transfer_syntax_uid = record.transfer_syntax_uid;
  const service::ProposedContext context{record.sop_class_uid, record.transfer_syntax_uid};
  if (!lane->scu->accepted(context)) co_return context_refused();

  core_->loops.sent(name(), record.sop_instance_uid, {object->octets, object->crc});
  ObjectSource source(*core_, *object->body, cached);
  const service::StoreOutcome outcome =
      co_await lane->scu->store(context, record.sop_instance_uid, source);
  if (source.failure()) {
    lane->end = "unreadable";
    co_return unreadable(*source.failure());
  }
  if (!outcome.error) {
    lane->answered = true;
    co_return answered(outcome, status_map_);
  }
  lane->end = word(outcome.error->code);
  co_return interrupted(outcome, lane->answered);
}

void DimseDestination::report(Lane& lane, std::string_view outcome, std::string_view reason) {
  journal::AssociationRecord& record = lane.record;
  record.incoming = false;
  record.listener_or_destination = name();
  record.peer_address = settings_.host;
  record.peer_port = settings_.port;
  record.calling_ae_title = lane.calling_ae_title;
  record.called_ae_title = settings_.ae_title;
  record.ended = core_->now_utc();
  record.outcome = outcome;
  record.reason = reason;
  core_->context.observer.association_ended(record);
}

}  // namespace dr::delivery
