#pragma once

#include <functional>
#include <string>
#include <vector>

#include "router/journal/journal.h"
#include "router/rules/rule_set.h"

namespace dr::delivery {

/// Writes what the rules say into the record: rules_sha256, decisions, and, unless they refuse it
/// (then its status says so), routes and `extract`.
void set_decision(journal::ObjectRecord& record, const rules::RuleSet& rules,
                  const rules::Decision& decision);

/// Told of every object once it is durable, on the journal's writer thread: where it goes.
using Routed = std::function<void(journal::Sequence, UtcMicros received,
                                  const std::vector<std::string>& destinations)>;

/// `done`, which is told after `routed`. Without `routed` only `done`.
journal::Journal::Done counted(const journal::ObjectRecord& record, const Routed& routed,
                               journal::Journal::Done done);

}  // namespace dr::delivery
