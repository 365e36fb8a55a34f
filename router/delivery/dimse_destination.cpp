#include "router/delivery/dimse_destination.h"

#include <algorithm>
#include <utility>

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/post.hpp>

#include "dimse/ul/pdu.h"
#include "router/delivery/lane.h"
#include "router/delivery/transformer.h"

// Which associations there are; lane.cpp holds what one of them does.

namespace dr::delivery {

namespace {

/// An association that others wait to replace serves this many objects first: opening one costs
/// more than sending a small object.
constexpr std::uint32_t kServedBeforeGivingWay = 32;
/// How long a peer that refused one more association is not asked for more.
constexpr std::chrono::seconds kCeilingHolds{60};

constexpr std::chrono::milliseconds kPatience{500};

}  // namespace

DimseDestination::DimseDestination(std::shared_ptr<Core> core, DestinationSettings settings)
    : Destination(std::move(core), std::move(settings)), ceiling_(settings_.associations) {}

DimseDestination::~DimseDestination() = default;

ContextKey DimseDestination::key_of(const journal::ObjectRecord& record) const {
  return {record.sop_class_uid, transfer_syntax_sent(record, name()),
          settings_.calling_from_source ? record.calling_ae_title : AeTitle{}};
}

std::uint32_t DimseDestination::associations() const {
  return static_cast<std::uint32_t>(
      std::count_if(lanes_.begin(), lanes_.end(),
                    [](const LanePtr& lane) { return lane->phase != Lane::Phase::kStarting; }));
}

bool DimseDestination::fits(const Lane& lane, const Delivery& delivery) const {
  if (delivery.refused_by >= lane.number) return false;
  const ContextKey& key = queue_.key(delivery.context);
  if (settings_.calling_from_source && key.calling_ae_title != lane.calling_ae_title) return false;
  const service::ProposedContext wanted{key.abstract_syntax, key.transfer_syntax};
  return std::find(lane.contexts.begin(), lane.contexts.end(), wanted) != lane.contexts.end();
}

std::size_t DimseDestination::limit() const {
  if (stopping_ || paused_ || core_->halted) return 0;
  if (!health_.up()) return health_.may_try(core_->now()) ? 1 : 0;
  return core_->now() < ceiling_until_ ? ceiling_ : settings_.associations;
}

// As many associations as there are objects that nobody is about to take; those that rest first.
DimseDestination::Plan DimseDestination::schedule() {
  Plan plan;
  queue_.promote(core_->now());
  const std::size_t most = limit();
  std::size_t woken = 0;     // will ask for an object at once
  std::size_t starting = 0;  // will ask when the peer has answered, which may take long
  for (const LanePtr& lane : lanes_) {
    if (lane->phase == Lane::Phase::kWoken) ++woken;
    if (lane->phase == Lane::Phase::kStarting) ++starting;
  }
  LanePtr useless;  // rests, and nothing that waits fits it
  for (const LanePtr& lane : lanes_) {
    if (lane->phase != Lane::Phase::kIdle) continue;
    const bool surplus = most == 0;
    if (!surplus && woken >= queue_.ready()) continue;
    if (surplus || queue_.any([&](const Delivery& d) { return fits(*lane, d); })) {
      lane->retire = lane->retire || surplus;
      lane->phase = Lane::Phase::kWoken;
      plan.wake.push_back(lane);
      ++woken;
    } else {
      useless = lane;
    }
  }
  while (woken + starting < queue_.ready() && lanes_.size() < most) {
    plan.start.push_back(open_lane());
    ++starting;
  }
  std::optional<SteadyTime> later;
  if (useless && most > 0) {
    const bool nobody_will = woken + starting < queue_.ready();
    if (!nobody_will) later = patience_ends();
    if (nobody_will || (later && *later <= core_->now())) {
      useless->retire = true;  // its end schedules again
      useless->phase = Lane::Phase::kWoken;
      plan.wake.push_back(useless);
      later.reset();
    }
  }
  arm_timer(later);
  return plan;
}

// There are peers that let a second association wait until the first one ends: when one that was
// requested is not answered, one that rests is in its way.
std::optional<SteadyTime> DimseDestination::patience_ends() const {
  std::optional<SteadyTime> ends;
  for (const LanePtr& lane : lanes_) {
    if (lane->phase != Lane::Phase::kStarting) continue;
    if (!ends || lane->requested + kPatience < *ends) ends = lane->requested + kPatience;
  }
  return ends;
}

DimseDestination::LanePtr DimseDestination::open_lane() {
  auto lane = std::make_shared<Lane>(++last_lane_, core_->next_executor());
  const auto wanted = queue_.wanted(ul::kMaxPresentationContexts);
  for (const ContextKey& key : wanted) {
    lane->contexts.push_back({key.abstract_syntax, key.transfer_syntax});
  }
  lane->calling_ae_title =
      settings_.calling_from_source ? wanted.front().calling_ae_title : settings_.calling_ae_title;
  lane->probe = !health_.up();
  lane->requested = core_->now();
  lanes_.push_back(lane);
  return lane;
}

// Whether an association has served long enough while what is next in turn fits none of those that
// are open, and no further one may be opened.
bool DimseDestination::gives_way(const Lane& lane) const {
  if (lane.served < kServedBeforeGivingWay || lanes_.size() < limit()) return false;
  const Delivery* const best = queue_.best();
  return best != nullptr && std::none_of(lanes_.begin(), lanes_.end(),
                                         [&](const LanePtr& other) { return fits(*other, *best); });
}

DimseDestination::Step DimseDestination::next_step(Lane& lane, std::optional<Delivery>& delivery) {
  if (stopping_ || paused_ || core_->halted || lane.retire || gives_way(lane)) return Step::kLeave;
  queue_.promote(core_->now());
  delivery = queue_.take([&](const Delivery& d) { return fits(lane, d); });
  if (delivery) {
    lane.phase = Lane::Phase::kBusy;
    ++lane.served;
    return Step::kSend;
  }
  lane.phase = Lane::Phase::kIdle;
  lane.served = 0;
  return Step::kWait;
}

void DimseDestination::work() {
  Plan plan;
  {
    const std::scoped_lock lock(mutex_);
    plan = schedule();
  }
  carry_out(plan);
}

void DimseDestination::carry_out(const Plan& plan) {
  const auto self = std::static_pointer_cast<DimseDestination>(shared_from_this());
  for (const LanePtr& lane : plan.wake) wake(lane);
  for (const LanePtr& lane : plan.start) {
    asio::co_spawn(lane->executor, run(self, lane), asio::detached);
  }
}

void DimseDestination::wake(const LanePtr& lane) {
  asio::post(lane->executor, [lane] { lane->signal.cancel(); });
}

bool DimseDestination::established(Lane& lane) {
  const std::scoped_lock lock(mutex_);
  if (stopping_) {
    std::erase_if(lanes_, [&](const LanePtr& other) { return other.get() == &lane; });
    return false;
  }
  lane.phase = Lane::Phase::kBusy;
  return true;
}

void DimseDestination::not_established(const LanePtr& lane, const Error& error) {
  bool others = false;
  {
    const std::scoped_lock lock(mutex_);
    std::erase(lanes_, lane);
    if (stopping_) return;
    others = associations() > 0;
    if (others) {
      // It lives, but takes no more of us.
      ceiling_ = std::max<std::size_t>(lanes_.size(), 1);
      ceiling_until_ = core_->now() + kCeilingHolds;
    }
  }
  report(*lane, word(error.code), error.detail);
  if (!others) {
    // A-ASSOCIATE-RJ with result 1 is permanent (PS3.8 9.3.4): somebody must configure something.
    const bool permanent = error.code == Errc::kRejected && error.detail.starts_with("1/");
    const bool connecting = error.code == Errc::kIo;
    unreachable(connecting ? "connect" : word(error.code), permanent, lane->probe);
  }
  work();
}

void DimseDestination::left(const LanePtr& lane) {
  Plan plan;
  {
    const std::scoped_lock lock(mutex_);
    std::erase(lanes_, lane);
    plan = schedule();
    lane_left_.notify_all();
  }
  carry_out(plan);
}

void DimseDestination::begin_stop() {
  Destination::begin_stop();
  const std::scoped_lock lock(mutex_);
  for (const LanePtr& lane : lanes_) wake(lane);
}

// Those that are still being requested are not waited for: when their answer comes they find that
// all is over, and touch nothing but themselves.
void DimseDestination::finish_stop(std::chrono::steady_clock::time_point deadline) {
  std::unique_lock lock(mutex_);
  const auto none_in_flight = [this] { return associations() == 0; };
  if (lane_left_.wait_until(lock, deadline, none_in_flight)) return;
  for (const LanePtr& lane : lanes_) {
    asio::post(lane->executor, [lane] {
      if (lane->scu) lane->scu->abort();
    });
  }
  lane_left_.wait(lock, none_in_flight);
}

}  // namespace dr::delivery
