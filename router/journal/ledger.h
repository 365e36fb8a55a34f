#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "router/journal/journal.h"
#include "router/journal/segment.h"

namespace dr::journal {

/// The objects that are not finished: where they are, and their state at each destination. Both
/// recovery and the running journal feed it in the order of the records, so that both come to the
/// same. Not thread-safe.
class Ledger {
 public:
  /// An object whose record is durable. Without routes it is unrouted, and kept.
  void add(Sequence instance, const std::vector<RouteRecord>& routes, Place place,
           std::uint64_t octets);
  /// Changes the state at one destination; one that the object did not have is added (reroute),
  /// and an outcome for "" settles an unrouted object. Answers whether nothing is left to do: then
  /// release() follows once the outcome is durable.
  bool apply(const OutcomeRecord& outcome);
  /// Forgets an object that is (still) finished.
  void release(Sequence instance);
  /// The object's octets can not be had: what is open becomes kDamaged.
  void mark_damaged(Sequence instance);
  /// The object's record stands somewhere else now.
  void move(Sequence instance, Place place);

  bool contains(Sequence instance) const { return objects_.contains(instance); }
  /// Nullptr where the object is not in the ledger.
  const Place* place(Sequence instance) const;
  /// Up to `most` objects that the ledger places in `segment`.
  std::vector<Sequence> in_segment(const Segment& segment, std::size_t most) const;
  /// The present states of one object, as outcome records that bring them about.
  std::vector<OutcomeRecord> states(Sequence instance) const;
  std::vector<OpenDelivery> open_deliveries() const;
  std::uint64_t unrouted() const { return unrouted_; }
  std::size_t size() const { return objects_.size(); }

 private:
  struct Delivery {  // 24 octets; its object costs about 120 more
    UtcMicros next_attempt{};
    std::uint32_t attempts = 0;
    std::uint16_t destination = 0;  // index into names_
    DeliveryState state{};
    std::uint8_t priority = 1;
  };
  struct Object {
    Place place;
    std::uint32_t octets = 0;
    bool unrouted = false;
    std::vector<Delivery> deliveries;
  };

  static bool finished(const Object& object);
  Delivery& delivery(Object& object, const std::string& destination);
  std::uint16_t name_index(const std::string& destination);

  std::map<Sequence, Object> objects_;
  std::vector<std::string> names_;
  std::uint64_t unrouted_ = 0;
};

}  // namespace dr::journal
