#include "dimse/ul/timer.h"

#include <algorithm>
#include <utility>

#include <asio/steady_timer.hpp>

namespace dr::ul {
namespace {

class AsioTimer final : public Timer {
 public:
  explicit AsioTimer(const asio::any_io_executor& executor)
      : state_(std::make_shared<State>(executor)) {}
  ~AsioTimer() override { disarm(); }

  void arm(SteadyTime at, std::function<void()> expired) override {
    state_->expired = std::move(expired);
    const std::uint64_t generation = ++state_->generation;
    state_->timer.expires_at(at);
    // A handler that is queued already can not be cancelled; the generation tells that it is late.
    state_->timer.async_wait([state = state_, generation](const std::error_code& ec) {
      if (!ec && state->generation == generation) std::exchange(state->expired, nullptr)();
    });
  }
  void disarm() override {
    ++state_->generation;
    state_->expired = nullptr;
    state_->timer.cancel();
  }

 private:
  struct State {
    explicit State(const asio::any_io_executor& executor) : timer(executor) {}
    asio::steady_timer timer;
    std::function<void()> expired;
    std::uint64_t generation = 0;
  };
  std::shared_ptr<State> state_;
};

class SystemTimers final : public Timers {
 public:
  SteadyTime now() const override { return std::chrono::steady_clock::now(); }
  std::unique_ptr<Timer> make(asio::any_io_executor executor) override {
    return std::make_unique<AsioTimer>(executor);
  }
};

}  // namespace

Timers& system_timers() {
  static SystemTimers timers;
  return timers;
}

Watchdog::Watchdog(Timers& timers, asio::any_io_executor executor,
                   std::function<void(Slot)> expired)
    : timers_(timers), timer_(timers.make(std::move(executor))), expired_(std::move(expired)) {
  deadlines_.fill(SteadyTime::max());
}

void Watchdog::set(Slot slot, std::chrono::milliseconds from_now) {
  set_at(slot, timers_.now() + from_now);
}

void Watchdog::set_at(Slot slot, SteadyTime at) {
  deadlines_[slot] = at;
  if (at < armed_) arm(at);
}

void Watchdog::arm(SteadyTime at) {
  armed_ = at;
  timer_->arm(at, [this] { on_timer(); });
}

void Watchdog::on_timer() {
  armed_ = SteadyTime::max();
  const SteadyTime now = timers_.now();
  std::array<bool, 3> due{};
  for (std::size_t slot = 0; slot < deadlines_.size(); ++slot) {
    due[slot] = deadlines_[slot] <= now;
    if (due[slot]) deadlines_[slot] = SteadyTime::max();
  }
  const SteadyTime next = *std::min_element(deadlines_.begin(), deadlines_.end());
  if (next != SteadyTime::max()) arm(next);
  // Last, since what they call may set slots anew.
  for (std::size_t slot = 0; slot < due.size(); ++slot) {
    if (due[slot]) expired_(static_cast<Slot>(slot));
  }
}

}  // namespace dr::ul
