#pragma once

#include <cstdint>
#include <string>

#include "dimse/base/clock.h"
#include "router/journal/records.h"

namespace dr::delivery {

/// One attempt that ended, as it was written to the journal, and what metrics want beside it.
struct AttemptReport {
  const journal::OutcomeRecord& outcome;
  UtcMicros received{};  // when the object was received: route latency
};

/// Told what the delivery engine does, for logs, metrics and the journal's association records.
/// Called from I/O threads and destinations' own threads, several at once; must not block. Never
/// sees patient data.
class Observer {
 public:
  virtual ~Observer() = default;
  /// A number for an association that is about to be requested, unique in this process.
  virtual std::uint64_t next_association_number() = 0;
  /// An association (also a failed attempt at one) is over. `process_start` is not filled in.
  virtual void association_ended(const journal::AssociationRecord& record) = 0;
  /// After the outcome was written.
  virtual void attempted(const AttemptReport& report) = 0;
  /// One more object waits for `destination`, or waits again from before the start.
  virtual void queued(const std::string& destination, journal::Sequence instance) = 0;
  /// The destination takes objects again, or does not; `reason` is a constant word.
  virtual void destination_changed(const std::string& destination, bool up,
                                   const std::string& reason) = 0;
};

}  // namespace dr::delivery
