#include "router/delivery/queue.h"

#include <algorithm>
#include <utility>

namespace dr::delivery {

using journal::DeliveryState;
using journal::Sequence;

namespace {

// Bands: priority high, normal, low; in each, fresh and returning. A stride is what a take costs:
// 64 / weight.
constexpr std::array<std::uint64_t, 6> kStrides = {64 / 64, 64 / 16, 64 / 16,
                                                   64 / 4,  64 / 4,  64 / 1};
constexpr std::size_t kMaxReasons = 1000;

bool later(const Delivery& a, const Delivery& b) { return a.not_before > b.not_before; }

}  // namespace

std::size_t Queue::KeyHash::operator()(const ContextKey& key) const noexcept {
  const std::hash<std::string_view> hash;
  std::size_t mixed = hash(key.abstract_syntax.view());
  mixed = mixed * 31 + hash(key.transfer_syntax.view());
  return mixed * 31 + hash(key.calling_ae_title.view());
}

Queue::Queue() : reasons_{""} {}

std::size_t Queue::band_of(const Delivery& delivery) {
  return std::min<std::size_t>(delivery.priority, 2) * 2 + (delivery.attempts > 0 ? 1 : 0);
}

void Queue::push(Delivery delivery, const ContextKey& key, SteadyTime now) {
  delivery.context = use(key);
  change(delivery.state, +1);
  if (delivery.not_before > now) {
    wait(delivery);
  } else {
    stand(delivery, false);
  }
}

void Queue::push_parked(Delivery delivery, std::string_view reason) {
  delivery.context = 0;
  delivery.reason = intern(reason);
  change(delivery.state, +1);
  parked_.insert_or_assign(delivery.instance, delivery);
}

void Queue::gather(Delivery delivery, const ContextKey& key, std::string_view reason) {
  delivery.context = use(key);
  delivery.reason = intern(reason);
  change(delivery.state, +1);
  gathered_.insert_or_assign(delivery.instance, delivery);
}

bool Queue::release(Sequence instance) {
  const auto found = gathered_.find(instance);
  if (found == gathered_.end()) return false;
  Delivery released = found->second;
  gathered_.erase(found);
  released.reason = 0;
  released.not_before = {};
  stand(released, false);
  return true;
}

template <class Visit>
void Queue::for_each(Visit visit) const {
  for (const Band& band : bands_) {
    for (const auto& [id, line] : band.lines) std::for_each(line.begin(), line.end(), visit);
  }
  std::for_each(deferred_.begin(), deferred_.end(), visit);
  for (Delivery sending : taken_) {
    sending.state = DeliveryState::kSending;
    visit(sending);
  }
  for (const auto& [sequence, parked] : parked_) visit(parked);
  for (const auto& [sequence, gathered] : gathered_) visit(gathered);
}

bool Queue::has(Sequence instance) const {
  bool found = false;
  for_each([&](const Delivery& delivery) { found = found || delivery.instance == instance; });
  return found;
}

void Queue::stand(Delivery delivery, bool at_head) {
  Band& band = bands_[band_of(delivery)];
  // A band that was empty does not catch up on turns that it could not have used.
  if (band.lines.empty()) band.pass = std::max(band.pass, virtual_time_);
  auto& line = band.lines[delivery.context];
  if (at_head) {
    line.push_front(delivery);
  } else {
    delivery.ticket = next_ticket_++;
    line.push_back(delivery);
  }
  ++ready_;
}

void Queue::wait(Delivery delivery) {
  deferred_.push_back(delivery);
  std::push_heap(deferred_.begin(), deferred_.end(), later);
}

void Queue::promote(SteadyTime now) {
  while (!deferred_.empty() && deferred_.front().not_before <= now) {
    std::pop_heap(deferred_.begin(), deferred_.end(), later);
    const Delivery due = deferred_.back();
    deferred_.pop_back();
    stand(due, false);
  }
}

std::optional<SteadyTime> Queue::next_due() const {
  if (deferred_.empty()) return std::nullopt;
  return deferred_.front().not_before;
}

const Delivery* Queue::best() const {
  const Band* next = nullptr;
  for (const Band& band : bands_) {
    if (!band.lines.empty() && (next == nullptr || band.pass < next->pass)) next = &band;
  }
  if (next == nullptr) return nullptr;
  const Delivery* first = nullptr;
  for (const auto& [id, line] : next->lines) {
    if (first == nullptr || line.front().ticket < first->ticket) first = &line.front();
  }
  return first;
}

std::optional<Delivery> Queue::take(const std::function<bool(const Delivery&)>& fits) {
  std::size_t from = bands_.size();
  Lines::iterator line;
  for (std::size_t b = 0; b < bands_.size(); ++b) {
    if (from < bands_.size() && bands_[b].pass >= bands_[from].pass) continue;
    Lines& lines = bands_[b].lines;
    auto first = lines.end();
    for (auto i = lines.begin(); i != lines.end(); ++i) {
      const bool earlier =
          first == lines.end() || i->second.front().ticket < first->second.front().ticket;
      if (earlier && fits(i->second.front())) first = i;
    }
    if (first == lines.end()) continue;
    from = b;
    line = first;
  }
  if (from == bands_.size()) return std::nullopt;
  Band& band = bands_[from];
  virtual_time_ = std::max(virtual_time_, band.pass);
  band.pass += kStrides[from];
  const Delivery taken = line->second.front();
  line->second.pop_front();
  if (line->second.empty()) band.lines.erase(line);
  --ready_;
  change(taken.state, -1);
  change(DeliveryState::kSending, +1);
  taken_.push_back(taken);
  return taken;
}

bool Queue::any(const std::function<bool(const Delivery&)>& fits) const {
  return std::any_of(bands_.begin(), bands_.end(), [&](const Band& band) {
    return std::any_of(band.lines.begin(), band.lines.end(),
                       [&](const auto& line) { return fits(line.second.front()); });
  });
}

void Queue::forget_taken(Sequence instance) {
  const auto found = std::find_if(taken_.begin(), taken_.end(),
                                  [&](const Delivery& d) { return d.instance == instance; });
  if (found == taken_.end()) return;
  *found = taken_.back();
  taken_.pop_back();
  change(DeliveryState::kSending, -1);
}

void Queue::put_back(const Delivery& taken) {
  forget_taken(taken.instance);
  change(taken.state, +1);
  stand(taken, true);
}

void Queue::defer(Delivery taken, std::string_view reason) {
  forget_taken(taken.instance);
  taken.reason = intern(reason);
  change(taken.state, +1);
  wait(taken);
}

void Queue::park(Delivery taken, std::string_view reason) {
  finish(taken);
  push_parked(taken, reason);
}

void Queue::finish(const Delivery& taken) {
  forget_taken(taken.instance);
  leave(taken.context);
}

std::optional<Delivery> Queue::withdraw(Sequence instance) {
  const auto is_it = [&](const Delivery& d) { return d.instance == instance; };
  std::optional<Delivery> found;
  for (Band& band : bands_) {
    for (auto line = band.lines.begin(); line != band.lines.end() && !found;) {
      const auto at = std::ranges::find_if(line->second, is_it);
      if (at != line->second.end()) {
        found = *at;
        line->second.erase(at);
        --ready_;
      }
      line = line->second.empty() ? band.lines.erase(line) : std::next(line);
    }
  }
  if (const auto at = std::ranges::find_if(deferred_, is_it); at != deferred_.end()) {
    found = *at;
    deferred_.erase(at);
    std::make_heap(deferred_.begin(), deferred_.end(), later);
  }
  const auto parked = parked_.find(instance);
  if (parked != parked_.end() && parked->second.state == DeliveryState::kHeld) {
    found = parked->second;
    parked_.erase(parked);
  }
  if (const auto at = gathered_.find(instance); at != gathered_.end()) {
    found = at->second;
    gathered_.erase(at);
  }
  if (!found) return found;
  change(found->state, -1);
  leave(found->context);
  return found;
}

std::vector<Sequence> Queue::select(bool gathered,
                                    const std::function<bool(const Delivery&)>& which) const {
  std::vector<Sequence> found;
  for_each([&](const Delivery& delivery) {
    const bool sending = delivery.state == DeliveryState::kSending;
    if (!sending && which(delivery) && (gathered || !gathered_.contains(delivery.instance))) {
      found.push_back(delivery.instance);
    }
  });
  std::ranges::sort(found);
  return found;
}

std::vector<Withdrawn> Queue::withdraw(std::span<const Sequence> wanted, bool gathered,
                                       const std::function<bool(const Delivery&)>& which) {
  std::vector<Withdrawn> taken;
  if (wanted.empty()) return taken;
  const auto take = [&](const Delivery& d, bool waits_for_others) {
    if (d.instance < wanted.front() || d.instance > wanted.back()) return false;
    if (!std::ranges::binary_search(wanted, d.instance) || !which(d)) return false;
    const auto context = contexts_.find(d.context);
    taken.push_back(
        {d, context == contexts_.end() ? ContextKey{} : context->second.key, waits_for_others});
    return true;
  };
  const auto waits = [&](const Delivery& d) { return take(d, false); };
  for (Band& band : bands_) {
    for (auto line = band.lines.begin(); line != band.lines.end();) {
      ready_ -= std::erase_if(line->second, waits);
      line = line->second.empty() ? band.lines.erase(line) : std::next(line);
    }
  }
  if (std::erase_if(deferred_, waits) > 0) {
    std::make_heap(deferred_.begin(), deferred_.end(), later);
  }
  for (const Sequence instance : wanted) {
    const auto parked = parked_.find(instance);
    if (parked != parked_.end() && take(parked->second, false)) parked_.erase(parked);
    const auto at = gathered ? gathered_.find(instance) : gathered_.end();
    if (at != gathered_.end() && take(at->second, true)) gathered_.erase(at);
  }
  for (const Withdrawn& each : taken) {
    change(each.delivery.state, -1);
    leave(each.delivery.context);
  }
  return taken;
}

void Queue::restore(const Withdrawn& withdrawn, SteadyTime now) {
  const Delivery& delivery = withdrawn.delivery;
  const std::string why = reason(delivery);
  if (delivery.state == DeliveryState::kHeld || delivery.state == DeliveryState::kDamaged) {
    push_parked(delivery, why);
  } else if (withdrawn.gathered) {
    gather(delivery, withdrawn.key, why);
  } else {
    push(delivery, withdrawn.key, now);
  }
}

std::vector<ContextKey> Queue::wanted(std::size_t limit) const {
  const Delivery* const first = best();
  if (first == nullptr) return {};
  std::map<ContextId, std::uint64_t> tickets;
  for (const Band& band : bands_) {
    for (const auto& [id, line] : band.lines) {
      const auto [at, fresh] = tickets.try_emplace(id, line.front().ticket);
      if (!fresh) at->second = std::min(at->second, line.front().ticket);
    }
  }
  std::vector<std::pair<std::uint64_t, ContextId>> order;
  for (const auto& [id, ticket] : tickets) {
    if (key(id).calling_ae_title == key(first->context).calling_ae_title) {
      order.emplace_back(id == first->context ? 0 : ticket, id);
    }
  }
  const auto kept = order.begin() + static_cast<std::ptrdiff_t>(std::min(limit, order.size()));
  std::partial_sort(order.begin(), kept, order.end());
  std::vector<ContextKey> keys;
  for (auto i = order.begin(); i != kept; ++i) keys.push_back(key(i->second));
  return keys;
}

ContextId Queue::use(const ContextKey& key) {
  const auto [at, fresh] = ids_.try_emplace(key, next_context_);
  if (fresh) contexts_.emplace(next_context_++, Context{key, 0});
  ++contexts_.at(at->second).users;
  return at->second;
}

// Contexts come from the wire: one that nothing waits for any more is forgotten, so that a sender
// of ever new classes does not fill memory.
void Queue::leave(ContextId id) {
  const auto found = contexts_.find(id);
  if (found == contexts_.end() || --found->second.users > 0) return;
  ids_.erase(found->second.key);
  contexts_.erase(found);
}

std::uint16_t Queue::intern(std::string_view reason) {
  const auto found = std::find(reasons_.begin(), reasons_.end(), reason);
  if (found != reasons_.end()) return static_cast<std::uint16_t>(found - reasons_.begin());
  if (reasons_.size() == kMaxReasons) return intern(reasons_.back());
  reasons_.emplace_back(reason);
  return static_cast<std::uint16_t>(reasons_.size() - 1);
}

void Queue::change(DeliveryState state, int by) {
  counts_[static_cast<std::size_t>(state)] += static_cast<std::uint64_t>(by);
}

std::optional<UtcMicros> Queue::oldest() const {
  std::optional<UtcMicros> oldest;
  for_each([&](const Delivery& delivery) {
    const bool parked =
        delivery.state == DeliveryState::kHeld || delivery.state == DeliveryState::kDamaged;
    if (!parked && (!oldest || delivery.received < *oldest)) oldest = delivery.received;
  });
  return oldest;
}

// Looks at all of them: a listing is rare, and an index by sequence would cost every delivery.
std::vector<Delivery> Queue::list(std::optional<DeliveryState> state, Sequence after,
                                  std::size_t limit) const {
  const auto earlier = [](const Delivery& a, const Delivery& b) { return a.instance < b.instance; };
  std::vector<Delivery> found;  // a heap, the latest of the `limit` earliest first
  for_each([&](const Delivery& delivery) {
    if (delivery.instance <= after || (state && delivery.state != *state)) return;
    if (found.size() == limit) {
      if (limit == 0 || !earlier(delivery, found.front())) return;
      std::pop_heap(found.begin(), found.end(), earlier);
      found.pop_back();
    }
    found.push_back(delivery);
    std::push_heap(found.begin(), found.end(), earlier);
  });
  std::sort_heap(found.begin(), found.end(), earlier);
  return found;
}

}  // namespace dr::delivery
