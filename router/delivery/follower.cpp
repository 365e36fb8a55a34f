#include "router/delivery/follower.h"

#include <algorithm>

#include "dimse/base/log.h"
#include "dimse/base/thread_name.h"
#include "router/delivery/reroute.h"
#include "router/delivery/transformer.h"

namespace dr::delivery {

using journal::DeliveryState;
using journal::Sequence;

namespace {

constexpr std::size_t kRecordsATurn = 256;
constexpr std::chrono::seconds kPauseAfterError{1};

/// The wait of a route that nobody has touched since it was decided; else none.
journal::WaitRecord untouched_wait(const journal::ObjectRecord& object,
                                   const journal::OpenDelivery& open) {
  const bool touched = open.state != DeliveryState::kWaiting || open.attempts > 0 ||
                       open.next_attempt != UtcMicros{};
  if (touched) return {};
  const auto route =
      std::ranges::find(object.routes, open.destination, &journal::RouteRecord::destination);
  return route == object.routes.end() ? journal::WaitRecord{} : route->wait;
}

}  // namespace

Follower::Follower(std::shared_ptr<Core> core, const Destinations& destinations)
    : core_(std::move(core)),
      references_(core_->context.spool),
      alarm_(std::make_shared<Alarm>(*core_, [this] { time_has_come(); })) {
  for (const auto& destination : destinations) {
    destinations_.emplace(destination->name(), destination.get());
  }
}

Follower::~Follower() { stop(); }

void Follower::start() {
  thread_ = std::thread([this] { run(); });
}

void Follower::stop() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
    wake_.notify_one();
  }
  if (!thread_.joinable()) return;
  thread_.join();
  alarm_->stop();
}

void Follower::time_has_come() {
  const std::scoped_lock lock(mutex_);
  time_has_come_ = true;
  wake_.notify_one();
}

void Follower::advanced(Sequence watermark) {
  const std::scoped_lock lock(mutex_);
  watermark_ = std::max(watermark_, watermark);
  wake_.notify_one();
}

void Follower::damaged(Sequence instance, const Error& why) {
  const std::scoped_lock lock(mutex_);
  damaged_.emplace_back(instance, why);
  wake_.notify_one();
}

void Follower::tell_damaged() {
  std::vector<std::pair<Sequence, Error>> damaged;
  {
    const std::scoped_lock lock(mutex_);
    damaged.swap(damaged_);
  }
  for (const auto& [instance, why] : damaged) {
    for (const auto& [name, destination] : destinations_) destination->damaged(instance, why);
  }
}

bool Follower::stopping() {
  const std::scoped_lock lock(mutex_);
  return stopping_;
}

bool Follower::pause() {
  std::unique_lock lock(mutex_);
  return wake_.wait_for(lock, kPauseAfterError, [this] { return stopping_; });
}

void Follower::run() {
  name_thread("follower");
  // What is durable by now stands among the open deliveries, unless it is final; what comes later
  // is read below.
  cursor_ = &core_->context.journal.cursor("delivery");
  retraced_ = cursor_->position();
  position_ = core_->context.journal.watermark();
  resume(position_);
  advanced(core_->context.journal.watermark());
  while (true) {
    gather_due();
    tell_touched();
    Sequence durable;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] {
        return stopping_ || watermark_ > position_ || !damaged_.empty() || time_has_come_;
      });
      if (stopping_) return;
      durable = watermark_;
      time_has_come_ = false;
    }
    const bool readable = follow_some(durable);
    tell_touched();
    tell_damaged();
    if (!readable && pause()) return;
  }
}

void Follower::resume(Sequence watermark) {
  for (Sequence after = Sequence::kNone; !stopping();) {
    const auto some = core_->context.journal.open_deliveries(after, kRecordsATurn);
    for (const journal::OpenDelivery& open : some) {
      if (open.instance > watermark) break;
      while (!resume_one(open)) {
        if (pause()) return;
      }
    }
    tell_touched();
    if (some.empty() || some.back().instance >= watermark) break;
    after = some.back().instance;
  }
  retrace(watermark);
  act(gathering_.unfinished());
}

// False: the record could not be read for now.
bool Follower::resume_one(const journal::OpenDelivery& open) {
  Destination* const destination = find(open.destination);
  if (destination == nullptr) return true;
  Delivery delivery;
  delivery.instance = open.instance;
  delivery.state = open.state;
  delivery.priority = open.priority;
  delivery.attempts = open.attempts;
  if (open.state == DeliveryState::kHeld || open.state == DeliveryState::kDamaged) {
    destination->add_parked(delivery);
    return true;
  }
  if (read_ != open.instance) {
    auto record = core_->context.journal.read(open.instance);
    auto object = record ? journal::decode_object(record->head)
                         : Result<journal::ObjectRecord>(record.error());
    if (!object) {
      const Errc code = object.error().code;
      if (code != Errc::kCorrupt && code != Errc::kNotFound) return false;
      destination->add_damaged(delivery, object.error());
      return true;
    }
    record_ = std::move(*object);
    octets_ = {record->body_octets, record->body_crc};
    read_ = open.instance;
  }
  // What came back just before the end of an earlier life.
  const bool fresh = open.state == DeliveryState::kWaiting && open.attempts == 0;
  if (fresh && core_->loops.returned(destination->settings(), record_, octets_)) {
    delivery.received = record_.received;
    destination->skip(delivery, "loop");
    return true;
  }
  const journal::RouteRecord* const route = route_to(record_, open.destination);
  if (route != nullptr && route->held == kSettledBefore) {
    destination->skip(delivery, kSettledBefore);
    return true;
  }
  const journal::WaitRecord wait = untouched_wait(record_, open);
  // Only what waits needs to know what the records behind the cursor say; all else leaves at once.
  if (wait.until != 0 && !all_retraced_) {
    if (open.instance <= retraced_) {
      gathering_.object(open.instance, open.destination, wait, record_, now());
    }
    postponed_.push_back(open);
    return true;
  }
  // A clock that was set back must not make an object wait longer than its pause could be.
  const auto pause = std::clamp<std::chrono::microseconds>(open.next_attempt - core_->now_utc(),
                                                           std::chrono::microseconds(0),
                                                           destination->settings().retry.most);
  delivery.not_before = core_->now() + pause;
  const auto where = gathering_.place(open.instance, open.destination, wait, record_);
  place(*destination, delivery, record_, wait, where);
  if (where == Gathering::Place::kGather &&
      references_here(open.instance, open.destination, wait, record_)) {
    gathering_.complete(open.destination, record_.sop_instance_uid, now());
  }
  return true;
}

bool Follower::follow_some(Sequence durable) {
  for (std::size_t i = 0; i < kRecordsATurn; ++i) {
    const auto record = core_->context.journal.read_after(position_);
    if (!record) {
      log::event(log::Level::kError, "delivery.journal", {{"error", record.error().to_string()}});
      return false;
    }
    if (!record->has_value()) {
      position_ = std::max(position_, durable);  // what is missing up to there can not be read
      return true;
    }
    position_ = (*record)->sequence;
    if ((*record)->type == journal::RecordType::kObject) {
      distribute(**record);
    } else {
      remember(**record);
    }
  }
  return true;
}

void Follower::distribute(const journal::Record& record) {
  gathering_.passed(record.body_octets);
  const auto object = journal::decode_object(record.head);
  if (!object) {
    log::event(log::Level::kError, "delivery.journal", {{"error", object.error().to_string()}});
    return;
  }
  passed(*object);
  for (const journal::RouteRecord& route : object->routes) {
    Destination* const destination = find(route.destination);
    if (destination == nullptr) continue;
    Delivery delivery;
    delivery.instance = record.sequence;
    delivery.received = object->received;
    delivery.priority = route.priority;
    if (route.held == kSettledBefore) {
      destination->skip(delivery, kSettledBefore);
      continue;
    }
    if (core_->loops.returned(destination->settings(), *object,
                              {record.body_octets, record.body_crc})) {
      destination->skip(delivery, "loop");
      continue;
    }
    if (const auto why = why_held(route, destination->settings()); !why.empty()) {
      destination->hold(delivery, why);
      continue;
    }
    const bool complete = references_here(record.sequence, route.destination, route.wait, *object);
    place(*destination, delivery, *object, route.wait,
          gathering_.object(record.sequence, route.destination, route.wait, *object, now(),
                            complete));
  }
}

Destination* Follower::find(const std::string& name) {
  const auto found = destinations_.find(name);
  if (found != destinations_.end()) return found->second;
  ++orphans_;
  return nullptr;
}

void Follower::tell_touched() {
  for (Destination* destination : std::exchange(touched_, {})) destination->work();
}

}  // namespace dr::delivery
