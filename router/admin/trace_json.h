#pragma once

#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "db/audit_store.h"
#include "router/delivery/engine.h"

namespace dr::admin {

/// `{"objects": […]}` as `trace --json` and GET /api/v1/trace give it. Times are UTC text,
/// "2026-01-31T12:00:00.000000Z". An object's own "state" is the one in the audit tables (routed,
/// unrouted, rejected); "states" has its present state at each destination.
nlohmann::json to_json(const std::vector<db::TracedObject>& objects);

/// One item as `queue list --json` and GET /api/v1/queue give it.
nlohmann::json to_json(const delivery::QueueItem& item);

/// "2026-01-31T12:00:00.000000Z"
std::string utc_text(UtcMicros time);

}  // namespace dr::admin
