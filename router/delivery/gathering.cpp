#include "router/delivery/gathering.h"

#include <algorithm>

namespace dr::delivery {

using journal::GatheredRecord;
using journal::Sequence;
using std::chrono::microseconds;

namespace {

constexpr std::uint8_t kSeries = 1, kStudy = 2, kReferences = 3;  // WaitRecord::until
constexpr std::uint8_t kSend = 0, kAgain = 1;                     // WaitRecord::late
constexpr std::size_t kMovedAtOnce = 64;

microseconds span(std::uint64_t us) { return microseconds(static_cast<std::int64_t>(us)); }

/// What is left of `length` since `from`. A clock that was set back makes nothing wait longer than
/// the whole of it.
microseconds left(UtcMicros from, microseconds length, UtcMicros now) {
  return std::clamp(from + length - now, microseconds(0), length);
}

}  // namespace

Gathering::Key Gathering::key_of(const std::string& destination, const journal::WaitRecord& wait,
                                 const journal::ObjectRecord& record) {
  switch (wait.until) {
    case kSeries:
      return {destination, wait.until, record.series_instance_uid};
    case kStudy:
      return {destination, wait.until, record.study_instance_uid};
    default:
      return {destination, wait.until, record.sop_instance_uid};
  }
}

GatheredRecord Gathering::record_of(const Node& node) {
  const Whole& whole = node.second;
  return {.destination = node.first.destination,
          .wait = whole.wait,
          .whole = node.first.whole,
          .first_received = whole.first_received,
          .closed = whole.closed,
          .first = whole.first,
          .last = whole.last,
          .round = whole.round,
          .reason = whole.reason};
}

bool Gathering::may_be_sent_again(const Whole& whole) {
  return whole.wait.late == kAgain && whole.wait.until != kReferences;
}

bool Gathering::unfinished(const Whole& whole) {
  return std::ranges::any_of(whole.kept, [](const Kept& k) { return k.again && !k.done; });
}

Gathering::Place Gathering::object(Sequence instance, const std::string& destination,
                                   const journal::WaitRecord& wait,
                                   const journal::ObjectRecord& record, Now now, bool complete) {
  if (wait.until == 0 || (wait.until == kReferences && complete)) return Place::kSend;
  Key key = key_of(destination, wait, record);
  if (key.whole.empty()) return Place::kSend;  // it belongs to nothing
  const auto [at, fresh] = wholes_.try_emplace(std::move(key));
  Node& node = *at;
  Whole& whole = node.second;
  whole.wait = wait;
  if (fresh) {
    whole.first_received = whole.last_received = record.received;
    whole.first = instance;
    whole.octets = octets_;
    if (may_be_sent_again(whole)) set_pin(node, instance);
    forget_oldest();
  }
  if (!whole.open && instance <= whole.last) return Place::kSend;
  if (!whole.open) return late(node, instance, record.received, now);
  wait_for_more(node, instance, record.received, now);
  return Place::kGather;
}

Gathering::Place Gathering::late(Node& node, Sequence instance, UtcMicros received, Now now) {
  Whole& whole = node.second;
  if (whole.wait.late == kSend || whole.wait.until == kReferences) return Place::kSend;
  if (whole.wait.late != kAgain || !may_reopen(whole, received)) return Place::kHold;
  whole.open = true;
  wait_for_more(node, instance, received, now);
  return Place::kGather;
}

bool Gathering::may_reopen(const Whole& whole, UtcMicros received) const {
  return !whole.kept.empty() && whole.round < bounds_.rounds &&
         received - whole.first_received < span(whole.wait.at_most) &&
         octets_ - whole.octets <= bounds_.kept_octets;
}

void Gathering::wait_for_more(Node& node, Sequence instance, UtcMicros received, Now now) {
  Whole& whole = node.second;
  whole.waiting.push_back(instance);
  whole.last_received = whole.round > 0 && whole.waiting.size() == 1
                            ? received
                            : std::max(whole.last_received, received);
  if (!whole.closing) arm_open(node, now);
}

void Gathering::arm_open(Node& node, Now now) {
  const Whole& whole = node.second;
  const bool bounded = whole.wait.at_most > 0;
  const auto most = left(whole.first_received, span(whole.wait.at_most), now.utc);
  if (whole.wait.until == kReferences) {
    return set_timer(node, whole.complete ? now.steady : now.steady + most);
  }
  const auto quiet = left(whole.last_received, span(whole.wait.quiet), now.utc);
  set_timer(node, now.steady + (bounded ? std::min(quiet, most) : quiet));
}

void Gathering::arm_closed(Node& node, Now now) {
  const Whole& whole = node.second;
  const auto window = left(whole.first_received, span(whole.wait.at_most), now.utc);
  if (!whole.kept.empty() && window.count() > 0) return set_timer(node, now.steady + window);
  // What is still to be sent again ends with its outcomes.
  if (!whole.kept.empty()) return set_timer(node, SteadyTime::max());
  const auto remember = std::max<microseconds>(bounds_.remember, span(whole.wait.at_most));
  set_timer(node, now.steady + left(whole.closed, remember, now.utc));
}

Gathering::Actions Gathering::gathered(const GatheredRecord& record, Sequence sequence, Now now) {
  const auto [at, fresh] =
      wholes_.try_emplace(Key{record.destination, record.wait.until, record.whole});
  Node& node = *at;
  Whole& whole = node.second;
  if (fresh) {
    whole.wait = record.wait;
    whole.first_received = record.first_received;
    whole.last_received = record.closed;
    whole.first = record.first;
    whole.octets = octets_;
  }
  whole.recorded = sequence;
  whole.recorded_at = octets_;
  whole.moving = false;
  const bool news = record.round > whole.round;
  Actions actions;
  if (news) {
    whole.round = record.round;
    whole.last = record.last;
    whole.closed = record.closed;
    whole.reason = record.reason;
    whole.open = whole.closing = false;
    release(node, actions);
  }
  if (whole.kept.empty() && !whole.open) set_pin(node, sequence);
  if (!news) return actions;
  arm_closed(node, now);
  // What came while the record was on its way is late.
  for (const Sequence instance : std::exchange(whole.waiting, {})) {
    const Place place = late(node, instance, whole.last_received, now);
    if (place == Place::kGather) continue;
    actions.push_back({place == Place::kSend ? Action::Kind::kSend : Action::Kind::kHold,
                       node.first.destination, instance});
  }
  forget_oldest();
  return actions;
}

/// Names what has waited for this round, and what goes once more.
void Gathering::release(Node& node, Actions& actions) {
  Whole& whole = node.second;
  const std::string& destination = node.first.destination;
  for (Kept& kept : whole.kept) {
    if (!kept.done) continue;  // still in its queue: it is sent then
    kept = {kept.instance, false, true};
    actions.push_back({Action::Kind::kAgain, destination, kept.instance});
  }
  const auto end = std::ranges::upper_bound(whole.waiting, whole.last);
  const bool keeps = may_be_sent_again(whole) && (whole.round == 1 || !whole.kept.empty()) &&
                     kept_.size() + whole.waiting.size() <= bounds_.kept_objects;
  for (auto i = whole.waiting.begin(); i != end; ++i) {
    actions.push_back({Action::Kind::kSend, destination, *i});
    if (!keeps) continue;
    whole.kept.push_back({*i, false, false});
    kept_.emplace(*i, &node);
  }
  whole.waiting.erase(whole.waiting.begin(), end);
}

void Gathering::outcome(const journal::OutcomeRecord& outcome, Now now) {
  using journal::DeliveryState;
  auto [from, to] = kept_.equal_range(outcome.instance);
  for (; from != to; ++from) {
    Node& node = *from->second;
    if (node.first.destination != outcome.destination) continue;
    Whole& whole = node.second;
    const auto kept = std::ranges::lower_bound(whole.kept, outcome.instance, {}, &Kept::instance);
    switch (outcome.state) {
      case DeliveryState::kDelivered:
      case DeliveryState::kVerified:
        kept->done = true;
        break;
      case DeliveryState::kSkipped:
      case DeliveryState::kDropped:
      case DeliveryState::kDamaged:  // never again
        whole.kept.erase(kept);
        kept_.erase(from);
        break;
      case DeliveryState::kWaiting:
      case DeliveryState::kSending:
      case DeliveryState::kUnknown:
      case DeliveryState::kHeld:
        return;
    }
    const bool over = left(whole.first_received, span(whole.wait.at_most), now.utc).count() == 0;
    if (over && !whole.open && !unfinished(whole)) {
      Actions none;
      end_keeping(node, none);
      arm_closed(node, now);
    }
    return;
  }
}

void Gathering::end_keeping(Node& node, Actions& actions) {
  Whole& whole = node.second;
  for (const Kept& kept : whole.kept) {
    if (kept.again && !kept.done) {
      actions.push_back({Action::Kind::kGiveUp, node.first.destination, kept.instance});
    }
    auto [from, to] = kept_.equal_range(kept.instance);
    while (from != to) from = from->second == &node ? kept_.erase(from) : std::next(from);
  }
  whole.kept.clear();
  set_pin(node, whole.recorded);
}

void Gathering::complete(const std::string& destination, const Uid& sop_instance_uid, Now now) {
  const auto at = wholes_.find({destination, kReferences, sop_instance_uid});
  if (at == wholes_.end() || !at->second.open || at->second.complete) return;
  at->second.complete = true;
  if (!at->second.closing) arm_open(*at, now);
}

Gathering::Place Gathering::place(Sequence instance, const std::string& destination,
                                  const journal::WaitRecord& wait,
                                  const journal::ObjectRecord& record) const {
  const auto at = wholes_.find(key_of(destination, wait, record));
  if (at == wholes_.end()) return Place::kSend;
  const Whole& whole = at->second;
  if (std::ranges::binary_search(whole.waiting, instance)) return Place::kGather;
  const bool late = whole.round > 0 && instance > whole.last;
  return late && wait.until != kReferences && whole.wait.late != kSend ? Place::kHold
                                                                       : Place::kSend;
}

Gathering::Actions Gathering::unfinished() const {
  Actions actions;
  for (const auto& [key, whole] : wholes_) {
    for (const Kept& kept : whole.kept) {
      if (!kept.again || kept.done) continue;
      actions.push_back({Action::Kind::kAgain, key.destination, kept.instance});
    }
  }
  return actions;
}

Gathering::Due Gathering::due(Now now) {
  Due due;
  while (!timers_.empty() && timers_.begin()->first <= now.steady) {
    close(*timers_.begin()->second, due, now);
  }
  while (!pins_.empty()) {
    Node& oldest = *pins_.begin()->second;
    Whole& whole = oldest.second;
    if (whole.kept.empty() || octets_ - whole.octets <= bounds_.kept_octets) break;
    end_keeping(oldest, due.actions);
    if (!whole.open) arm_closed(oldest, now);
  }
  return due;
}

/// Its time has come.
void Gathering::close(Node& node, Due& due, Now now) {
  Whole& whole = node.second;
  set_timer(node, SteadyTime::max());
  if (!whole.open) {
    if (whole.kept.empty()) return forget(node);
    if (unfinished(whole)) return;
    end_keeping(node, due.actions);
    return arm_closed(node, now);
  }
  const bool ceiling =
      whole.wait.at_most > 0 && now.utc - whole.first_received >= span(whole.wait.at_most);
  whole.closing = true;
  GatheredRecord record = record_of(node);
  record.closed = now.utc;
  record.last = whole.waiting.back();
  record.round = whole.round + 1;
  record.reason = whole.complete                               ? "references"
                  : ceiling || whole.wait.until == kReferences ? "at_most"
                                                               : "quiet";
  due.records.push_back(std::move(record));
}

std::optional<SteadyTime> Gathering::next_due() const {
  if (timers_.empty()) return std::nullopt;
  return timers_.begin()->first;
}

std::vector<GatheredRecord> Gathering::left_behind(Sequence before) {
  std::vector<GatheredRecord> records;
  for (const auto& [pin, node] : pins_) {
    Whole& whole = node->second;
    const bool far = pin < before || octets_ - whole.recorded_at > bounds_.behind;
    if (!far || records.size() == kMovedAtOnce) break;
    if (!whole.kept.empty() || whole.open || whole.moving) continue;
    whole.moving = true;
    records.push_back(record_of(*node));
  }
  return records;
}

Sequence Gathering::needed_from(Sequence position) const {
  if (pins_.empty()) return position;
  return std::min(position, Sequence{value(pins_.begin()->first) - 1});
}

void Gathering::set_timer(Node& node, SteadyTime at) {
  if (node.second.timer != SteadyTime::max()) timers_.erase({node.second.timer, &node});
  node.second.timer = at;
  if (at != SteadyTime::max()) timers_.emplace(at, &node);
}

void Gathering::set_pin(Node& node, Sequence pin) {
  if (node.second.pin != Sequence::kNone) pins_.erase({node.second.pin, &node});
  node.second.pin = pin;
  if (pin != Sequence::kNone) pins_.emplace(pin, &node);
}

void Gathering::forget(Node& node) {
  set_timer(node, SteadyTime::max());
  set_pin(node, Sequence::kNone);
  wholes_.erase(wholes_.find(node.first));
}

void Gathering::forget_oldest() {
  if (wholes_.size() <= bounds_.wholes) return;
  const auto at = std::ranges::find_if(timers_, [](const auto& timer) {
    const Whole& whole = timer.second->second;
    return !whole.open && whole.kept.empty();
  });
  if (at != timers_.end()) forget(*at->second);
}

}  // namespace dr::delivery
