#pragma once

#include <memory>
#include <vector>

#include "router/delivery/core.h"
#include "router/delivery/destination.h"

namespace dr::delivery {

/// The reason of a copy that is not sent since the object was settled at that destination before it
/// was rerouted. A route that is `held` for it is skipped from the start.
constexpr std::string_view kSettledBefore = "settled_before";

/// Decides anew, with OperationRequest::rules, about every object that is not settled somewhere and
/// that the selection means (by one of its open deliveries), or that no rule had matched. What the
/// rules say is a record of its own, as if the object had been received now: octets, sender and
/// time of receipt are those of then, the new sequence is not. What the old one waited for is
/// `skipped` (`rerouted`, or `not_chosen` where the rules no longer name the destination), and only
/// once the new one is durable; a crash in between sends twice, and never loses. Where the object
/// is settled already it is not sent again. Nothing is deferred any more. Objects of which the
/// rules say what they said, that they send nowhere, or that are being sent just now, stay as they
/// are. What is not recorded of a sender (certificate, user) counts as absent.
OperationReport reroute(Core& core, const std::vector<std::shared_ptr<Destination>>& destinations,
                        const OperationRequest& request);

}  // namespace dr::delivery
