#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <vector>

#include <asio/awaitable.hpp>

#include "router/delivery/destination.h"

namespace dr::delivery {

/// Storage as SCU (PS3.4 B) to one peer, over as many associations at once as there is work for, at
/// most DestinationSettings::associations. Each is one coroutine on one I/O thread: it proposes
/// exactly the contexts of the objects that wait, sends one object after the other, and stays open
/// for a while when there are none.
class DimseDestination final : public Destination {
 public:
  DimseDestination(std::shared_ptr<Core> core, DestinationSettings settings);
  ~DimseDestination() override;

  void work() override;
  void begin_stop() override;
  void finish_stop(std::chrono::steady_clock::time_point deadline) override;

 protected:
  ContextKey key_of(const journal::ObjectRecord& record) const override;
  std::uint32_t associations() const override;

 private:
  struct Lane;
  using LanePtr = std::shared_ptr<Lane>;
  /// What schedule() decided; done without the lock, since starting runs code of the lane.
  struct Plan {
    std::vector<LanePtr> start;
    std::vector<LanePtr> wake;
  };
  enum class Step { kSend, kWait, kLeave };

  // Under the lock.
  Plan schedule();
  LanePtr open_lane();
  std::optional<SteadyTime> patience_ends() const;
  bool fits(const Lane& lane, const Delivery& delivery) const;
  bool gives_way(const Lane& lane) const;
  std::size_t limit() const;
  Step next_step(Lane& lane, std::optional<Delivery>& delivery);

  void carry_out(const Plan& plan);
  static void wake(const LanePtr& lane);

  // The coroutine of one association.
  static asio::awaitable<void> run(std::shared_ptr<DimseDestination> self, LanePtr lane);
  asio::awaitable<void> serve(LanePtr lane);
  void note_served(Lane& lane, bool faulty);
  asio::awaitable<std::optional<Delivery>> next_delivery(LanePtr lane);
  asio::awaitable<AttemptResult> send(LanePtr lane, Attempt& attempt);
  bool established(Lane& lane);
  void not_established(const LanePtr& lane, const Error& error);
  void left(const LanePtr& lane);
  void report(Lane& lane, std::string_view outcome, std::string_view reason);

  std::vector<LanePtr> lanes_;  // guarded by mutex_, as the rest
  std::uint32_t last_lane_ = 0;
  std::size_t ceiling_;  // below settings_.associations when the peer refused more
  SteadyTime ceiling_until_{};
  std::condition_variable lane_left_;
};

}  // namespace dr::delivery
