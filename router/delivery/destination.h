#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "router/delivery/attempt.h"
#include "router/delivery/backoff.h"
#include "router/delivery/core.h"
#include "router/delivery/health.h"
#include "router/delivery/object_source.h"
#include "router/delivery/queue.h"

namespace dr::delivery {

/// One destination: its queue, its health, and what becomes of each attempt. How an object gets
/// there is the business of the kinds below it. Thread-safe.
class Destination : public std::enable_shared_from_this<Destination> {
 public:
  Destination(std::shared_ptr<Core> core, DestinationSettings settings);
  virtual ~Destination() = default;
  Destination(const Destination&) = delete;
  Destination& operator=(const Destination&) = delete;

  const std::string& name() const noexcept { return settings_.name; }
  const DestinationSettings& settings() const noexcept { return settings_; }

  /// One more object that waits; work() follows.
  void add(Delivery delivery, const journal::ObjectRecord& record);
  /// One more that waits for others, until release() or, shown only, `not_before` at the latest.
  void gather(Delivery delivery, const journal::ObjectRecord& record, std::string_view reason);
  /// What was gathered may be sent; work() follows.
  void release(journal::Sequence instance);
  /// What was gathered, or is new here, is held; written down with the reason.
  void hold(journal::Sequence instance, std::string_view reason);
  void hold(Delivery delivery, std::string_view reason);
  /// Whether it waits here, in whatever state.
  bool has(journal::Sequence instance) const;
  /// Takes one that waits out of the queue: it is not sent. Nothing is written where it is not
  /// here.
  void give_up(journal::Sequence instance, std::string_view reason);
  /// Not sent, for good; written down with the reason.
  void skip(const Delivery& delivery, std::string_view reason);
  /// Held or damaged since before the start.
  void add_parked(const Delivery& delivery);
  /// One whose record can not be read any more (kCorrupt, kNotFound): written down as damaged.
  void add_damaged(Delivery delivery, const Error& error);
  /// The octets of one that may wait here have been found damaged.
  void damaged(journal::Sequence instance, const Error& error);

  // What operators do (destination_operations.cpp).
  /// While it is paused no new attempt is made; what is being sent ends.
  void pause(bool paused);
  /// Queue::select(), without the lock for longer than one pass.
  std::vector<journal::Sequence> select(bool gathered,
                                        const std::function<bool(const Delivery&)>& which) const;
  /// Queue::withdraw(): until settled or restored they stand nowhere in memory, only in the
  /// journal.
  std::vector<Withdrawn> withdraw(std::span<const journal::Sequence> wanted, bool gathered,
                                  const std::function<bool(const Delivery&)>& which);
  void restore(std::span<const Withdrawn> withdrawn);
  /// What was withdrawn waits again, from the first attempt on, at once: written down. False: the
  /// journal takes no outcomes, and it stands where it stood.
  bool retry(const Withdrawn& withdrawn, const journal::ObjectRecord& record,
             std::string_view comment);
  /// What was withdrawn is final (kDropped, kSkipped): written down. False: as with retry().
  bool settle_withdrawn(const Withdrawn& withdrawn, journal::DeliveryState state,
                        std::string_view reason);
  /// Asks a destination that is down without waiting for its next probe; work() follows.
  void ask_now();

  virtual void start() {}
  /// Does what can be done now: after add(), or when time has passed.
  virtual void work() = 0;
  /// No new attempt.
  virtual void begin_stop();
  /// Returns when no attempt is in flight; after `deadline` those that are get aborted.
  virtual void finish_stop(std::chrono::steady_clock::time_point deadline) = 0;

  std::vector<QueueItem> list(std::optional<journal::DeliveryState> state, journal::Sequence after,
                              std::size_t limit) const;
  DestinationStatus status() const;

 protected:
  /// What `record` needs of an association; the empty key where any will do.
  virtual ContextKey key_of(const journal::ObjectRecord&) const { return {}; }
  virtual std::uint32_t associations() const { return 0; }  // under the lock

  Attempt begin(const Delivery& delivery) const { return {delivery, core_->now_utc(), {}}; }
  /// Blocking: the octets that go there, those received or the copy that the route's transform
  /// makes; else what the attempt came to.
  std::variant<StoredObject, AttemptResult> to_send(Attempt& attempt);
  /// Writes the outcome, then moves the object in the queue and the destination in its health.
  /// `association`: that was used, from 1; with one that is `probe` a further failure counts as
  /// one. Not under the lock. True: the destination takes nothing now.
  bool settle(Attempt attempt, const AttemptResult& result, std::uint32_t association, bool probe);
  /// The destination could not be reached at all: nothing about any object.
  void unreachable(std::string_view why, bool slow, bool probe);
  /// work() is called when queue or health have something to do next, and at `also`. Under the
  /// lock.
  void arm_timer(std::optional<SteadyTime> also = {});

  const std::shared_ptr<Core> core_;
  const DestinationSettings settings_;
  const StatusMap status_map_;
  const Backoff backoff_;

  mutable std::mutex mutex_;
  Queue queue_;  // guarded by mutex_, as the rest
  Health health_;
  bool stopping_ = false;
  bool paused_ = false;

 private:
  struct Decision {
    Delivery delivery;
    journal::OutcomeRecord record;
  };
  Decision decide(const Attempt& attempt, const AttemptResult& result,
                  std::uint32_t association) const;
  /// False: the journal takes no outcomes any more, and nothing more is sent.
  bool written(const journal::OutcomeRecord& record);
  /// An outcome without an attempt.
  journal::OutcomeRecord settled(const Delivery& delivery, journal::DeliveryState state,
                                 std::string_view reason) const;
  void replace(const Attempt& attempt, const Decision& decision);
  std::optional<SteadyTime> next_due() const;
  void on_timer();
  /// True when this changed up to down.
  bool note_fault(const std::string& why, bool slow, bool probe);

  SteadyTime armed_ = SteadyTime::max();  // guarded by mutex_
  const asio::any_io_executor timer_executor_;
  const std::unique_ptr<ul::Timer> timer_;  // used on its executor only
};

}  // namespace dr::delivery
