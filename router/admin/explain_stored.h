#pragma once

#include <memory>
#include <span>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "db/audit_store.h"
#include "router/admin/explain.h"
#include "router/journal/journal.h"
#include "router/rules/rule_set.h"

namespace dr::admin {

/// What `rules` say of an object that the journal still has, beside what was decided when it came
/// ("sequence", "received", "decided"). Of several with this SOP Instance UID the one received
/// last. `traced`: all that is known of the UID. kNotFound: none of them has its octets any more,
/// or it was refused and they were never kept. Blocking: page cache or disk, and the workers in
/// which transformed copies are tried.
Result<nlohmann::json> explain_stored(journal::Journal& journal,
                                      std::shared_ptr<const rules::RuleSet> rules,
                                      const Trials& trials,
                                      std::span<const db::TracedObject> traced,
                                      const std::string& sop_instance_uid);

}  // namespace dr::admin
