#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "dimse/base/ae_title.h"
#include "dimse/base/clock.h"
#include "dimse/base/uid.h"
#include "router/journal/records.h"

namespace dr::delivery {

/// What an association must offer for an object: its class and syntax, and the calling AE title
/// where the destination passes the sender's on (else empty).
struct ContextKey {
  Uid abstract_syntax;
  Uid transfer_syntax;
  AeTitle calling_ae_title;
  friend bool operator==(const ContextKey&, const ContextKey&) = default;
};

/// A ContextKey's number in one queue; never used twice.
using ContextId = std::uint32_t;

/// One object that is not final at one destination: all that memory holds of it.
struct Delivery {
  journal::Sequence instance{};
  UtcMicros received{};
  SteadyTime not_before{};       // of the next attempt
  std::uint64_t ticket = 0;      // place in line; set by the queue
  std::uint32_t attempts = 0;    // made so far
  std::uint32_t refused_by = 0;  // association that answered "permanent"; it is not asked again
  ContextId context = 0;         // set by the queue
  std::uint16_t reason = 0;      // Queue::reason(); why it waits or is held
  std::uint8_t priority = 1;     // 0 high, 1 normal, 2 low
  journal::DeliveryState state = journal::DeliveryState::kWaiting;
};
static_assert(sizeof(Delivery) <= 56, "a million of them wait in memory");

/// One that was taken out of a queue, with what it takes to put it back as it was.
struct Withdrawn {
  Delivery delivery;
  ContextKey key;
  bool gathered = false;  // it waited for others
};

/// The deliveries of one destination that are not final. Ready ones stand in lines: a line for each
/// priority, context, and for fresh and returning objects apart, so that an object that must wait
/// never stands before one that need not. Lines are served in arrival order; priorities share by
/// weight (16:4:1, and 4:1 fresh to returning), so that none starves. What may not be tried yet
/// stands in a heap by time. Not thread-safe.
class Queue {
 public:
  Queue();

  /// A delivery that is new here; ready at once, or once its not_before is past.
  void push(Delivery delivery, const ContextKey& key, SteadyTime now);
  /// Moves what is due into the lines.
  void promote(SteadyTime now);
  /// When promote() has something to do next.
  std::optional<SteadyTime> next_due() const;

  std::size_t ready() const noexcept { return ready_; }
  /// The delivery whose turn it is, whatever its context. Valid until the next change.
  const Delivery* best() const;
  /// Takes the next one that `fits` (asked once a line, with the line's first). It counts as
  /// sending until it is given back by one of the methods below.
  std::optional<Delivery> take(const std::function<bool(const Delivery&)>& fits);

  /// Whether take() would find one.
  bool any(const std::function<bool(const Delivery&)>& fits) const;

  /// Nothing became of it: back to the head of its line.
  void put_back(const Delivery& taken);
  /// Tried again after its not_before.
  void defer(Delivery taken, std::string_view reason);
  /// Held or damaged: out of the lines, kept to be shown.
  void park(Delivery taken, std::string_view reason);
  /// Final.
  void finish(const Delivery& taken);
  /// Takes one that waits or is held out of the queue, wherever it stands; nullopt when it is not
  /// there, is being sent or is damaged already.
  std::optional<Delivery> withdraw(journal::Sequence instance);
  /// Those in state kWaiting, kUnknown, kHeld or kDamaged that `which` says, in order of sequence:
  /// what is being sent, and where `gathered` is false what waits for others, is not among them.
  std::vector<journal::Sequence> select(bool gathered,
                                        const std::function<bool(const Delivery&)>& which) const;
  /// Takes out all of `wanted` (ascending) of which select() would say so, in one pass.
  std::vector<Withdrawn> withdraw(std::span<const journal::Sequence> wanted, bool gathered,
                                  const std::function<bool(const Delivery&)>& which);
  /// Back to where it was withdrawn from, at the end of its line.
  void restore(const Withdrawn& withdrawn, SteadyTime now);
  /// One that is new here and waits for others: shown as waiting for `reason`, until not_before at
  /// the latest (none where that is not set), and not sent before release().
  void gather(Delivery delivery, const ContextKey& key, std::string_view reason);
  /// Into the lines with it. False: it does not stand among those that were gathered.
  bool release(journal::Sequence instance);
  bool has(journal::Sequence instance) const;
  /// Held or damaged since before the start.
  void push_parked(Delivery delivery, std::string_view reason);

  const ContextKey& key(ContextId id) const { return contexts_.at(id).key; }
  /// Contexts of ready deliveries, those first whose turn comes first; at most `limit`, all with
  /// the calling AE title of the first.
  std::vector<ContextKey> wanted(std::size_t limit) const;

  std::uint64_t count(journal::DeliveryState state) const {
    return counts_[static_cast<std::size_t>(state)];
  }
  /// Receipt of the oldest that is neither held nor damaged.
  std::optional<UtcMicros> oldest() const;
  const std::string& reason(const Delivery& delivery) const { return reasons_[delivery.reason]; }
  /// At most `limit` deliveries behind `after` in order of sequence; those that are being sent with
  /// state kSending.
  std::vector<Delivery> list(std::optional<journal::DeliveryState> state, journal::Sequence after,
                             std::size_t limit) const;

 private:
  using Lines = std::map<ContextId, std::deque<Delivery>>;
  struct Band {
    Lines lines;
    std::uint64_t pass = 0;  // stride scheduling: the band with the least is next
  };
  struct Context {
    ContextKey key;
    std::size_t users = 0;
  };
  struct KeyHash {
    std::size_t operator()(const ContextKey& key) const noexcept;
  };

  static std::size_t band_of(const Delivery& delivery);
  void stand(Delivery delivery, bool at_head);
  void wait(Delivery delivery);
  ContextId use(const ContextKey& key);
  void leave(ContextId id);
  void forget_taken(journal::Sequence instance);
  std::uint16_t intern(std::string_view reason);
  void change(journal::DeliveryState state, int by);
  template <class Visit>
  void for_each(Visit visit) const;

  std::array<Band, 6> bands_;
  std::uint64_t virtual_time_ = 0;
  std::uint64_t next_ticket_ = 1;
  std::size_t ready_ = 0;
  std::vector<Delivery> deferred_;  // a heap, earliest not_before first
  std::vector<Delivery> taken_;     // few: what the open associations send
  std::map<journal::Sequence, Delivery> parked_;
  std::map<journal::Sequence, Delivery> gathered_;
  std::unordered_map<ContextId, Context> contexts_;
  std::unordered_map<ContextKey, ContextId, KeyHash> ids_;
  ContextId next_context_ = 1;
  std::vector<std::string> reasons_;
  std::array<std::uint64_t, 9> counts_{};  // by DeliveryState
};

}  // namespace dr::delivery
