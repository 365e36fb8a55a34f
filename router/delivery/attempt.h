#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "dimse/base/clock.h"
#include "dimse/service/storage_scu.h"
#include "router/delivery/queue.h"
#include "router/delivery/status_map.h"

namespace dr::delivery {

/// One object on its way to one destination.
struct Attempt {
  Delivery delivery;
  UtcMicros started{};
  Uid transfer_syntax_uid;
};

/// What an attempt came to.
struct AttemptResult {
  enum class Ending : std::uint8_t {
    kDelivered,  // stored
    kRetry,      // may be taken later; counts as an attempt
    kUnknown,    // all octets left, no answer came: sent again, as archives know the SOP Instance
    kRefused,    // not this object: one more try on a fresh association, then held
    kHeld,       // a person must decide; `reason` says why
    kDamaged,    // the journal's octets are not those that were received
    kPostponed,  // nothing was learned about the object: does not count as an attempt
  };

  Ending ending = Ending::kRetry;
  std::string outcome;  // the word of OutcomeRecord::outcome
  std::string reason;   // of kHeld and kDamaged
  std::optional<std::uint16_t> status;
  std::string comment;
  std::uint64_t octets = 0;
  std::string fault;  // why the destination takes nothing now; empty: it may take the next object
  bool slow = false;  // the fault needs a person
  bool verified = false;  // of kDelivered: the destination has shown that it has what was sent
};

/// The result of a C-STORE whose answer came (PS3.4 B.2.3).
AttemptResult answered(const service::StoreOutcome& outcome, const StatusMap& map);
/// The same of a status (or failure reason) that came in another way.
AttemptResult answered(std::uint16_t status, std::string comment, std::uint64_t octets,
                       const StatusMap& map);
/// One whose association broke. `served`: the association has answered before, so the destination
/// lives.
AttemptResult interrupted(const service::StoreOutcome& outcome, bool served);
/// The journal could not give the object's octets.
AttemptResult unreadable(const Error& error);
/// The acceptor does not take the object's class in its transfer syntax.
AttemptResult context_refused();

/// "timeout", "aborted", …: what OutcomeRecord and AssociationRecord call a failure of this kind.
std::string_view word(Errc code);

}  // namespace dr::delivery
