#include <algorithm>
#include <iterator>
#include <utility>

#include "dimse/base/log.h"
#include "router/delivery/follower.h"
#include "router/rules/rule_set.h"

// What the follower does about copies that wait; gathering.cpp decides.

namespace dr::delivery {

using journal::Sequence;

namespace {

// Behind the newest record by more than this, what gathering knows is written again.
constexpr std::uint64_t kFarBehind = 100'000;

}  // namespace

/// What waits of objects before the cursor is told to gathering first, by resume(); then the
/// records behind it, in their order; then it is known who waits on.
void Follower::retrace(Sequence watermark) {
  if (all_retraced_) return;
  while (!retrace_some(watermark)) {
    if (pause()) return;
  }
  all_retraced_ = true;
  for (const journal::OpenDelivery& open : std::exchange(postponed_, {})) {
    while (!resume_one(open)) {
      if (pause()) return;
    }
  }
}

bool Follower::retrace_some(Sequence watermark) {
  while (retraced_ < watermark && !stopping()) {
    const auto record = core_->context.journal.read_after(retraced_);
    if (!record) {
      log::event(log::Level::kError, "delivery.journal", {{"error", record.error().to_string()}});
      return false;
    }
    if (!record->has_value()) break;
    retraced_ = (*record)->sequence;
    if ((*record)->type != journal::RecordType::kObject) {
      remember(**record);
      continue;
    }
    gathering_.passed((*record)->body_octets);
    const auto object = journal::decode_object((*record)->head);
    if (!object) continue;  // damage is told where it is to be sent
    passed(*object);
    for (const journal::RouteRecord& route : object->routes) {
      gathering_.object(retraced_, route.destination, route.wait, *object, now());
    }
  }
  retraced_ = watermark;
  return true;
}

/// What gathering wants to know beside objects.
void Follower::remember(const journal::Record& record) {
  if (record.type == journal::RecordType::kGathered) {
    const auto gathered = journal::decode_gathered(record.head);
    if (!gathered) return;
    const auto actions = gathering_.gathered(*gathered, record.sequence, now());
    if (!all_retraced_) return;  // at a start the queues come after all that is known
    if (!actions.empty()) {
      log::event(log::Level::kInfo, "delivery.complete",
                 {{"destination", gathered->destination},
                  {"waited", journal::reason(gathered->wait)},
                  {"reason", gathered->reason},
                  {"round", gathered->round},
                  {"objects", actions.size()}});
    }
    act(actions);
  } else if (record.type == journal::RecordType::kOutcome && gathering_.wants_outcomes()) {
    const auto outcome = journal::decode_outcome(record.head);
    if (outcome) gathering_.outcome(*outcome, now());
  }
}

void Follower::place(Destination& destination, Delivery delivery,
                     const journal::ObjectRecord& object, const journal::WaitRecord& wait,
                     Gathering::Place place) {
  using std::chrono::microseconds;
  touched_.insert(&destination);
  switch (place) {
    case Gathering::Place::kSend:
      return destination.add(delivery, object);
    case Gathering::Place::kHold:
      delivery.received = object.received;
      return destination.hold(delivery, "late");
    case Gathering::Place::kGather:
      break;
  }
  const microseconds most(static_cast<std::int64_t>(wait.at_most));
  delivery.not_before = {};
  if (wait.at_most > 0) {
    const auto left = std::clamp(object.received + most - core_->now_utc(), microseconds(0), most);
    delivery.not_before = core_->now() + left;
  }
  destination.gather(delivery, object, journal::reason(wait));
}

/// Others may have waited for it.
void Follower::passed(const journal::ObjectRecord& object) {
  for (const References::Waiter& waiter :
       references_.passed(object.sop_instance_uid, object.series_instance_uid)) {
    gathering_.complete(waiter.destination, waiter.sop_instance_uid, now());
  }
}

/// Whether what it refers to has passed, where that is waited for. One that can not be read refers
/// to nothing here: its delivery will tell.
bool Follower::references_here(Sequence instance, const std::string& destination,
                               const journal::WaitRecord& wait,
                               const journal::ObjectRecord& object) {
  if (wait.until != static_cast<std::uint8_t>(rules::Wait::Until::kReferences)) return false;
  auto wanted = references_of(core_->context.journal, instance, object.transfer_syntax_uid);
  if (!wanted) return true;
  return references_.here(instance, {destination, object.sop_instance_uid}, std::move(*wanted));
}

void Follower::act(const Gathering::Actions& actions) {
  using enum Gathering::Action::Kind;
  for (const Gathering::Action& action : actions) {
    const auto found = destinations_.find(action.destination);
    if (found == destinations_.end()) continue;
    Destination& destination = *found->second;
    touched_.insert(&destination);
    switch (action.kind) {
      case kSend:
        references_.forget(action.instance, action.destination);
        destination.release(action.instance);
        break;
      case kHold:
        destination.hold(action.instance, "late");
        break;
      case kAgain:
        send_again(destination, action.instance);
        break;
      case kGiveUp:
        destination.give_up(action.instance, "not_sent_again");
        break;
    }
  }
}

void Follower::send_again(Destination& destination, Sequence instance) {
  if (destination.has(instance)) return;
  const auto record = core_->context.journal.read(instance);
  const auto object =
      record ? journal::decode_object(record->head) : Result<journal::ObjectRecord>(record.error());
  if (!object) {
    log::event(log::Level::kError, "delivery.not_sent_again",
               {{"destination", destination.name()},
                {"sequence", value(instance)},
                {"error", object.error().to_string()}});
    return;
  }
  Delivery delivery;
  delivery.instance = instance;
  const auto route =
      std::ranges::find(object->routes, destination.name(), &journal::RouteRecord::destination);
  if (route != object->routes.end()) delivery.priority = route->priority;
  destination.add(delivery, *object);
}

/// Writes down what is complete; it is acted on when it is read back, durable.
void Follower::gather_due() {
  journal::Journal& journal = core_->context.journal;
  Gathering::Due due = gathering_.due(now());
  const std::uint64_t far = std::min(kFarBehind, value(position_));
  auto moved = gathering_.left_behind(Sequence{value(position_) - far});
  std::ranges::move(moved, std::back_inserter(due.records));
  for (const journal::GatheredRecord& record : due.records) {
    if (const auto appended = journal.append(record); !appended) {
      log::event(log::Level::kError, "delivery.halted", {{"error", appended.error().to_string()}});
      return;
    }
  }
  act(due.actions);
  references_.store();  // before the cursor says that it was
  cursor_->advance(gathering_.needed_from(position_));
  alarm_->set(gathering_.next_due());
}

}  // namespace dr::delivery
