#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "router/journal/journal.h"
#include "router/journal/segment.h"
#include "router/journal/sequence_map.h"

namespace dr::journal {

/// The objects that are not finished: where they are, and their state at each destination. Both
/// recovery and the running journal feed it in the order of the records, so that both come to the
/// same. Each segment that it places an object in must outlive it. Not thread-safe.
class Ledger {
 public:
  struct Delivery {
    UtcMicros next_attempt{};
    std::uint32_t attempts = 0;
    std::uint16_t destination = 0;  // index into names()
    DeliveryState state{};
    std::uint8_t priority = 1;
  };
  struct Object {  // with one destination 72 octets, all told
    Sequence instance{};
    Segment* segment = nullptr;
    std::uint32_t place = 0;   // of its record, in units of kRecordAlignment
    std::uint32_t octets = 0;  // of its record
    std::unique_ptr<Delivery[]> deliveries;
    std::uint16_t count = 0;  // of deliveries
    bool unrouted = false;

    std::span<Delivery> all() { return {deliveries.get(), count}; }
    std::span<const Delivery> all() const { return {deliveries.get(), count}; }
  };

  /// Deliveries to one destination, by state: of the objects that are here, and of those that were
  /// forgotten once they were final everywhere, since begin_life().
  struct Tally {
    std::array<std::uint64_t, 9> here{};
    std::array<std::uint64_t, 9> finished{};
  };

  /// An object whose record is durable. Without routes it is unrouted, and kept.
  void add(Sequence instance, const std::vector<RouteRecord>& routes, const Place& place,
           std::uint64_t octets);
  /// An object as it stood when a checkpoint was made; its destinations are names().
  void restore(Object object);
  /// Changes the state at one destination; one that the object did not have is added (reroute),
  /// and an outcome for "" settles an unrouted object. Answers whether nothing is left to do: then
  /// release() follows once the outcome is durable.
  bool apply(const OutcomeRecord& outcome);
  /// Whether this outcome is later than all that the ledger knows of its delivery.
  bool lacks(const OutcomeRecord& outcome) const;
  /// Whether its delivery has had more attempts than `last`, the last of its outcomes, says: then
  /// the ledger does not know of the retry in between.
  bool is_before(const OutcomeRecord& last) const;
  /// Forgets an object that is (still) finished.
  void release(Sequence instance);
  /// Forgets an object in whatever state.
  void forget(Sequence instance);
  /// The object's octets can not be had: what is open becomes kDamaged.
  void mark_damaged(Sequence instance);
  /// The object's record stands somewhere else now.
  void move(Sequence instance, const Place& place, std::uint64_t octets);

  bool contains(Sequence instance) const { return objects_.find(instance) != nullptr; }
  /// Nullopt where the object is not in the ledger.
  std::optional<Place> place(Sequence instance) const;
  /// The objects that the ledger places in `segment`.
  std::vector<Sequence> in_segment(const Segment& segment) const;
  /// The present states of one object, as outcome records that bring them about.
  std::vector<OutcomeRecord> states(Sequence instance) const;
  /// What is open of at most `limit` objects behind `after`.
  std::vector<OpenDelivery> open_deliveries(Sequence after, std::size_t limit) const;
  /// The first object behind `after`.
  std::optional<Sequence> next(Sequence after) const;
  std::uint64_t unrouted() const { return unrouted_; }
  /// At most `limit` of them behind `after`.
  std::vector<Sequence> unrouted(Sequence after, std::size_t limit) const;
  std::size_t size() const { return objects_.size(); }

  /// By the index of names(). A delivery that is forgotten while it is open is in neither part.
  const std::vector<Tally>& tallies() const { return tallies_; }
  /// What finished before is counted no longer.
  void begin_life() {
    for (Tally& tally : tallies_) tally.finished = {};
  }

  const SequenceMap<Object>& objects() const { return objects_; }
  const std::vector<std::string>& names() const { return names_; }
  std::uint16_t name_index(const std::string& destination);

 private:
  Delivery& delivery(Object& object, const std::string& destination);
  std::uint64_t& here(const Delivery& delivery) {
    return tallies_[delivery.destination].here[static_cast<std::size_t>(delivery.state)];
  }

  SequenceMap<Object> objects_;
  std::vector<std::string> names_;
  std::vector<Tally> tallies_;  // as many as names_
  std::uint64_t unrouted_ = 0;
};

}  // namespace dr::journal
