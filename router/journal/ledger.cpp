#include "router/journal/ledger.h"

#include <algorithm>

namespace dr::journal {
namespace {

void enter(const Ledger::Object& object) {
  Segment& segment = *object.segment;
  segment.live_objects += 1;
  segment.live_octets += object.octets;
  const bool older = object.instance < segment.first_sequence;
  if (older) segment.moved_here.push_back(object.instance);
}

void leave(const Ledger::Object& object) {
  object.segment->live_objects -= 1;
  object.segment->live_octets -= object.octets;
}

bool finished(const Ledger::Object& object) {
  return !object.unrouted && std::ranges::all_of(object.all(), is_final, &Ledger::Delivery::state);
}

void set_place(Ledger::Object& object, const Place& place, std::uint64_t octets) {
  object.segment = place.segment.get();
  object.place = static_cast<std::uint32_t>(place.offset / kRecordAlignment);
  object.octets = static_cast<std::uint32_t>(octets);
}

}  // namespace

void Ledger::add(Sequence instance, const std::vector<RouteRecord>& routes, const Place& place,
                 std::uint64_t octets) {
  Object object;
  object.instance = instance;
  object.unrouted = routes.empty();
  set_place(object, place, octets);
  for (const RouteRecord& route : routes) {
    delivery(object, route.destination).priority = route.priority;
  }
  restore(std::move(object));
}

void Ledger::restore(Object object) {
  enter(object);
  if (object.unrouted) ++unrouted_;
  for (const Delivery& each : object.all()) ++here(each);
  objects_.insert(std::move(object));
}

bool Ledger::apply(const OutcomeRecord& outcome) {
  Object* const object = objects_.find(outcome.instance);
  if (object == nullptr) return false;
  if (object->unrouted && (is_final(outcome.state) || !outcome.destination.empty())) {
    object->unrouted = false;
    --unrouted_;
  }
  if (!outcome.destination.empty()) {
    const std::uint16_t before = object->count;
    Delivery& changed = delivery(*object, outcome.destination);
    if (object->count == before) --here(changed);
    changed.state = outcome.state;
    changed.attempts = outcome.attempt;
    changed.next_attempt = outcome.next_attempt;
    ++here(changed);
  }
  return finished(*object);
}

bool Ledger::lacks(const OutcomeRecord& outcome) const {
  const Object* const object = objects_.find(outcome.instance);
  if (object == nullptr) return false;
  for (const Delivery& each : object->all()) {
    if (names_[each.destination] != outcome.destination) continue;
    if (is_final(each.state)) return false;
    return outcome.attempt > each.attempts ||
           (outcome.attempt == each.attempts && outcome.state != each.state);
  }
  return false;
}

bool Ledger::is_before(const OutcomeRecord& last) const {
  const Object* const object = objects_.find(last.instance);
  if (object == nullptr) return false;
  return std::ranges::any_of(object->all(), [&](const Delivery& each) {
    return names_[each.destination] == last.destination && !is_final(each.state) &&
           each.attempts > last.attempt;
  });
}

void Ledger::release(Sequence instance) {
  const Object* const object = objects_.find(instance);
  if (object != nullptr && finished(*object)) forget(instance);
}

void Ledger::forget(Sequence instance) {
  const Object* const object = objects_.find(instance);
  if (object == nullptr) return;
  if (object->unrouted) --unrouted_;
  for (const Delivery& each : object->all()) {
    --here(each);
    if (!is_final(each.state)) continue;
    ++tallies_[each.destination].finished[static_cast<std::size_t>(each.state)];
  }
  leave(*object);
  objects_.erase(instance);
}

void Ledger::mark_damaged(Sequence instance) {
  Object* const object = objects_.find(instance);
  if (object == nullptr) return;
  for (Delivery& each : object->all()) {
    if (is_final(each.state)) continue;
    --here(each);
    each.state = DeliveryState::kDamaged;
    ++here(each);
  }
}

void Ledger::move(Sequence instance, const Place& place, std::uint64_t octets) {
  Object* const object = objects_.find(instance);
  if (object == nullptr) return;
  leave(*object);
  set_place(*object, place, octets);
  enter(*object);
}

std::optional<Place> Ledger::place(Sequence instance) const {
  const Object* const object = objects_.find(instance);
  if (object == nullptr) return std::nullopt;
  return Place{object->segment->shared_from_this(), object->place * kRecordAlignment};
}

std::vector<Sequence> Ledger::in_segment(const Segment& segment) const {
  std::vector<Sequence> found;
  for (const Sequence sequence : segment.moved_here) {
    const Object* const object = objects_.find(sequence);
    if (object != nullptr && object->segment == &segment) found.push_back(sequence);
  }
  std::ranges::sort(found);
  found.erase(std::unique(found.begin(), found.end()), found.end());
  objects_.each_from(segment.first_sequence, [&](const Object& object) {
    if (object.instance >= segment.end_sequence()) return false;
    if (object.segment == &segment) found.push_back(object.instance);
    return true;
  });
  return found;
}

std::vector<OutcomeRecord> Ledger::states(Sequence instance) const {
  std::vector<OutcomeRecord> outcomes;
  const Object* const object = objects_.find(instance);
  if (object == nullptr) return outcomes;
  for (const Delivery& each : object->all()) {
    OutcomeRecord& outcome = outcomes.emplace_back();
    outcome.instance = instance;
    outcome.destination = names_[each.destination];
    outcome.state = each.state;
    outcome.attempt = each.attempts;
    outcome.next_attempt = each.next_attempt;
  }
  return outcomes;
}

std::vector<OpenDelivery> Ledger::open_deliveries(Sequence after, std::size_t limit) const {
  std::vector<OpenDelivery> open;
  std::size_t objects = 0;
  objects_.each_from(journal::next(after), [&](const Object& object) {
    const std::size_t before = open.size();
    for (const Delivery& each : object.all()) {
      if (is_final(each.state)) continue;
      open.push_back({object.instance, names_[each.destination], each.state, each.priority,
                      each.attempts, each.next_attempt});
    }
    if (open.size() > before) ++objects;
    return objects < limit;
  });
  return open;
}

std::vector<Sequence> Ledger::unrouted(Sequence after, std::size_t limit) const {
  std::vector<Sequence> found;
  if (unrouted_ == 0 || limit == 0) return found;
  objects_.each_from(journal::next(after), [&](const Object& object) {
    if (object.unrouted) found.push_back(object.instance);
    return found.size() < std::min<std::size_t>(limit, unrouted_);
  });
  return found;
}

std::optional<Sequence> Ledger::next(Sequence after) const {
  std::optional<Sequence> found;
  objects_.each_from(journal::next(after), [&](const Object& object) {
    found = object.instance;
    return false;
  });
  return found;
}

Ledger::Delivery& Ledger::delivery(Object& object, const std::string& destination) {
  const std::uint16_t index = name_index(destination);
  const auto at = std::ranges::find(object.all(), index, &Delivery::destination);
  if (at != object.all().end()) return *at;
  auto more = std::make_unique<Delivery[]>(object.count + 1U);
  std::ranges::copy(object.all(), more.get());
  more[object.count].destination = index;
  object.deliveries = std::move(more);
  return object.deliveries[object.count++];
}

std::uint16_t Ledger::name_index(const std::string& destination) {
  const auto at = std::ranges::find(names_, destination);
  if (at != names_.end()) return static_cast<std::uint16_t>(at - names_.begin());
  names_.push_back(destination);
  tallies_.emplace_back();
  return static_cast<std::uint16_t>(names_.size() - 1);
}

}  // namespace dr::journal
