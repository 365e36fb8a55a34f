#include "router/delivery/follower.h"

#include <algorithm>

#include <asio/post.hpp>

#include "dimse/base/log.h"

namespace dr::delivery {

using journal::DeliveryState;
using journal::Sequence;

namespace {

constexpr std::size_t kRecordsATurn = 256;
constexpr std::chrono::seconds kPauseAfterError{1};
// Behind the newest record by more than this, what gathering knows is written again.
constexpr std::uint64_t kFarBehind = 100'000;

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

/// Wakes the follower, from a timer that may outlive it by a moment.
class Follower::Alarm : public std::enable_shared_from_this<Alarm> {
 public:
  Alarm(Follower& follower, Core& core)
      : executor_(core.next_executor()),
        timer_(core.context.timers->make(executor_)),
        follower_(&follower) {}

  void set(std::optional<SteadyTime> due) {
    if (!due || *due >= armed_.load()) return;
    armed_ = *due;
    asio::post(executor_, [weak = weak_from_this(), at = *due] {
      const auto self = weak.lock();
      if (!self) return;
      self->timer_->arm(at, [weak] {
        if (const auto due_now = weak.lock()) due_now->ring();
      });
    });
  }
  void stop() {
    {
      const std::scoped_lock lock(mutex_);
      follower_ = nullptr;
    }
    asio::post(executor_, [self = shared_from_this()] { self->timer_->disarm(); });
  }

 private:
  void ring() {
    armed_ = SteadyTime::max();
    const std::scoped_lock lock(mutex_);
    if (follower_ != nullptr) follower_->time_has_come();
  }

  const asio::any_io_executor executor_;
  const std::unique_ptr<ul::Timer> timer_;  // used on its executor only
  std::atomic<SteadyTime> armed_{SteadyTime::max()};
  std::mutex mutex_;
  Follower* follower_;
};

Follower::Follower(std::shared_ptr<Core> core, const Destinations& destinations)
    : core_(std::move(core)), alarm_(std::make_shared<Alarm>(*this, *core_)) {
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
      if (open.instance > retraced_) retrace(watermark);
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
    for (const journal::RouteRecord& route : object->routes) {
      gathering_.object(retraced_, route.destination, route.wait, *object, now());
    }
  }
  retraced_ = watermark;
  return true;
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
    read_ = open.instance;
  }
  const journal::WaitRecord wait = untouched_wait(record_, open);
  if (wait.until != 0 && !all_retraced_) {
    gathering_.object(open.instance, open.destination, wait, record_, now());
    postponed_.push_back(open);
    return true;
  }
  // A clock that was set back must not make an object wait longer than its pause could be.
  const auto pause = std::clamp<std::chrono::microseconds>(open.next_attempt - core_->now_utc(),
                                                           std::chrono::microseconds(0),
                                                           destination->settings().retry.most);
  delivery.not_before = core_->now() + pause;
  place(*destination, delivery, record_, wait,
        gathering_.place(open.instance, open.destination, wait, record_));
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
  for (const journal::RouteRecord& route : object->routes) {
    Destination* const destination = find(route.destination);
    if (destination == nullptr) continue;
    Delivery delivery;
    delivery.instance = record.sequence;
    delivery.received = object->received;
    delivery.priority = route.priority;
    if (core_->loops.returned(destination->settings(), *object,
                              {record.body_octets, record.body_crc})) {
      destination->skip(delivery, "loop");
      continue;
    }
    place(*destination, delivery, *object, route.wait,
          gathering_.object(record.sequence, route.destination, route.wait, *object, now()));
  }
}

/// What gathering wants to know beside objects.
void Follower::remember(const journal::Record& record) {
  if (record.type == journal::RecordType::kGathered) {
    const auto gathered = journal::decode_gathered(record.head);
    if (!gathered) return;
    const auto actions = gathering_.gathered(*gathered, record.sequence, now());
    // At a start the queues come after all that is known.
    if (all_retraced_) act(actions);
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

void Follower::act(const Gathering::Actions& actions) {
  using enum Gathering::Action::Kind;
  for (const Gathering::Action& action : actions) {
    const auto found = destinations_.find(action.destination);
    if (found == destinations_.end()) continue;
    Destination& destination = *found->second;
    touched_.insert(&destination);
    switch (action.kind) {
      case kSend:
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
  if (value(position_) > kFarBehind) {
    auto moved = gathering_.left_behind(Sequence{value(position_) - kFarBehind});
    std::ranges::move(moved, std::back_inserter(due.records));
  }
  for (const journal::GatheredRecord& record : due.records) {
    if (const auto appended = journal.append(record); !appended) {
      log::event(log::Level::kError, "delivery.halted", {{"error", appended.error().to_string()}});
      return;
    }
  }
  act(due.actions);
  cursor_->advance(gathering_.needed_from(position_));
  alarm_->set(gathering_.next_due());
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
