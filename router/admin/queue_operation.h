#pragma once

#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "dimse/base/result.h"
#include "router/admin/api.h"
#include "router/delivery/engine.h"

namespace dr::admin {

/// POST /api/v1/queue/retry|drop|pause|resume|reroute and /api/v1/destinations/NAME/pause|resume.
bool is_queue_operation(const std::string& path);

/// What such a request asks for. Its body is {"destination", "object", "study", "series", "state",
/// "dry_run"}, each optional; of a destination's own path at most {"dry_run"}. kInvalid with a
/// sentence for people, with the nearest name where one is not known; kNotFound: no such
/// destination in the path.
Result<delivery::OperationRequest> parse_queue_operation(
    const Request& request, const std::vector<std::string>& destinations);

/// {"operation", "dry_run", "affected", …}: the counts of the report.
nlohmann::json to_json(const delivery::OperationRequest& request,
                       const delivery::OperationReport& report);

}  // namespace dr::admin
