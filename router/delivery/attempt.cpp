#include "router/delivery/attempt.h"

#include <array>
#include <utility>

namespace dr::delivery {

using Ending = AttemptResult::Ending;

namespace {

struct Meaning {
  Ending ending;
  const char* outcome;
};

Meaning meaning(Verdict verdict) {
  switch (verdict) {
    case Verdict::kDone:
      return {Ending::kDelivered, "delivered"};
    case Verdict::kTransient:
      return {Ending::kRetry, "busy"};
    case Verdict::kPermanent:
      return {Ending::kRefused, "refused"};
    case Verdict::kHold:
      break;
  }
  return {Ending::kPostponed, "suspended"};
}

}  // namespace

std::string_view word(Errc code) {
  switch (code) {
    case Errc::kTimeout:
      return "timeout";
    case Errc::kClosed:
      return "closed";
    case Errc::kAborted:
      return "aborted";
    case Errc::kRejected:
      return "rejected";
    case Errc::kCancelled:
      return "cancelled";
    case Errc::kMalformed:
    case Errc::kTooLong:
      return "protocol";
    case Errc::kNoSpace:
      return "no_space";
    case Errc::kCorrupt:
      return "damaged";
    default:
      return "io";
  }
}

AttemptResult answered(const service::StoreOutcome& outcome, const StatusMap& map) {
  return answered(outcome.status, outcome.error_comment, outcome.octets, map);
}

AttemptResult answered(std::uint16_t status, std::string comment, std::uint64_t octets,
                       const StatusMap& map) {
  const Meaning what = meaning(map.classify(status));
  AttemptResult result;
  result.ending = what.ending;
  result.outcome = what.outcome;
  result.status = status;
  result.comment = std::move(comment);
  result.octets = octets;
  if (what.ending == Ending::kPostponed) {
    result.fault = "suspended";
    result.slow = true;
  }
  return result;
}

AttemptResult interrupted(const service::StoreOutcome& outcome, bool served) {
  AttemptResult result;
  result.ending = outcome.sent_all ? Ending::kUnknown : Ending::kRetry;
  result.outcome = word(outcome.error->code);
  result.octets = outcome.octets;
  if (!served) result.fault = result.outcome;
  return result;
}

AttemptResult unreadable(const Error& error) {
  AttemptResult result;
  result.outcome = "unreadable";
  const bool gone = error.code == Errc::kNotFound;
  if (gone || error.code == Errc::kCorrupt) {
    result.ending = Ending::kDamaged;
    result.reason = gone ? "missing" : "checksum";
  }
  return result;
}

AttemptResult context_refused() {
  AttemptResult result;
  result.ending = Ending::kHeld;
  result.outcome = "refused";
  result.reason = "context_refused";
  return result;
}

}  // namespace dr::delivery
