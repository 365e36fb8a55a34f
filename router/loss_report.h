#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

#include "db/audit_store.h"
#include "router/audit/seal.h"
#include "router/intake_count.h"

namespace dr {

/// What one day's report is about.
struct LossReportContext {
  std::string node, spool_id, sink;
  audit::Day day{};
  UtcMicros made{};
  journal::Sequence since{};  // objects up to this one were not counted
};

/// The loss invariant for each destination and the objects that were received on one day: what was
/// counted when they were acknowledged, beside their present states in the audit. {"report",
/// "node", "spool_id", "sink", "day", "made", "counted_after", "destinations": [{"destination",
/// "routed", "states": {state: objects}, "missing"}], "holds", "signature"}; `missing` is negative
/// where the audit has more. `store` must have everything up to the count's last object.
Result<nlohmann::json> loss_report(const LossReportContext& context,
                                   const IntakeCount::Day& counted, db::AuditStore& store,
                                   const audit::Sealer& sealer);

/// Whether the signature is that of the document under this key.
bool signature_holds(nlohmann::json document, const audit::Sealer& sealer);

/// Days since 1970-01-01 of "2026-01-31"; kInvalid for anything else.
Result<audit::Day> parse_day(const std::string& text);
audit::Day day_of(UtcMicros time);

}  // namespace dr
