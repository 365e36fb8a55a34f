#include "router/journal/ledger.h"

#include <algorithm>

namespace dr::journal {

void Ledger::add(Sequence instance, const std::vector<RouteRecord>& routes, Place place,
                 std::uint64_t octets) {
  Object object;
  object.octets = static_cast<std::uint32_t>(octets);
  object.unrouted = routes.empty();
  object.deliveries.reserve(routes.size());
  for (const RouteRecord& route : routes) {
    delivery(object, route.destination).priority = route.priority;
  }
  place.segment->live_objects += 1;
  place.segment->live_octets += octets;
  object.place = std::move(place);
  if (object.unrouted) ++unrouted_;
  objects_.emplace(instance, std::move(object));
}

bool Ledger::apply(const OutcomeRecord& outcome) {
  const auto at = objects_.find(outcome.instance);
  if (at == objects_.end()) return false;
  Object& object = at->second;
  if (object.unrouted && (is_final(outcome.state) || !outcome.destination.empty())) {
    object.unrouted = false;
    --unrouted_;
  }
  if (!outcome.destination.empty()) {
    Delivery& changed = delivery(object, outcome.destination);
    changed.state = outcome.state;
    changed.attempts = outcome.attempt;
    changed.next_attempt = outcome.next_attempt;
  }
  return finished(object);
}

void Ledger::release(Sequence instance) {
  const auto at = objects_.find(instance);
  if (at == objects_.end() || !finished(at->second)) return;
  Segment& segment = *at->second.place.segment;
  segment.live_objects -= 1;
  segment.live_octets -= at->second.octets;
  objects_.erase(at);
}

void Ledger::mark_damaged(Sequence instance) {
  const auto at = objects_.find(instance);
  if (at == objects_.end()) return;
  for (Delivery& each : at->second.deliveries) {
    if (!is_final(each.state)) each.state = DeliveryState::kDamaged;
  }
}

void Ledger::move(Sequence instance, Place place) {
  const auto at = objects_.find(instance);
  if (at == objects_.end()) return;
  Object& object = at->second;
  object.place.segment->live_objects -= 1;
  object.place.segment->live_octets -= object.octets;
  object.place = std::move(place);
  object.place.segment->live_objects += 1;
  object.place.segment->live_octets += object.octets;
}

const Place* Ledger::place(Sequence instance) const {
  const auto at = objects_.find(instance);
  return at == objects_.end() ? nullptr : &at->second.place;
}

std::vector<Sequence> Ledger::in_segment(const Segment& segment, std::size_t most) const {
  std::vector<Sequence> found;
  for (const auto& [sequence, object] : objects_) {
    if (found.size() == most) break;
    if (object.place.segment.get() == &segment) found.push_back(sequence);
  }
  return found;
}

std::vector<OutcomeRecord> Ledger::states(Sequence instance) const {
  std::vector<OutcomeRecord> outcomes;
  const auto at = objects_.find(instance);
  if (at == objects_.end()) return outcomes;
  for (const Delivery& each : at->second.deliveries) {
    OutcomeRecord& outcome = outcomes.emplace_back();
    outcome.instance = instance;
    outcome.destination = names_[each.destination];
    outcome.state = each.state;
    outcome.attempt = each.attempts;
    outcome.next_attempt = each.next_attempt;
  }
  return outcomes;
}

std::vector<OpenDelivery> Ledger::open_deliveries() const {
  std::vector<OpenDelivery> open;
  for (const auto& [sequence, object] : objects_) {
    for (const Delivery& each : object.deliveries) {
      if (is_final(each.state)) continue;
      open.push_back({sequence, names_[each.destination], each.state, each.priority, each.attempts,
                      each.next_attempt});
    }
  }
  return open;
}

bool Ledger::finished(const Object& object) {
  return !object.unrouted && std::all_of(object.deliveries.begin(), object.deliveries.end(),
                                         [](const Delivery& d) { return is_final(d.state); });
}

Ledger::Delivery& Ledger::delivery(Object& object, const std::string& destination) {
  const std::uint16_t index = name_index(destination);
  const auto at = std::find_if(object.deliveries.begin(), object.deliveries.end(),
                               [&](const Delivery& d) { return d.destination == index; });
  if (at != object.deliveries.end()) return *at;
  Delivery& added = object.deliveries.emplace_back();
  added.destination = index;
  return added;
}

std::uint16_t Ledger::name_index(const std::string& destination) {
  const auto at = std::find(names_.begin(), names_.end(), destination);
  if (at != names_.end()) return static_cast<std::uint16_t>(at - names_.begin());
  names_.push_back(destination);
  return static_cast<std::uint16_t>(names_.size() - 1);
}

}  // namespace dr::journal
