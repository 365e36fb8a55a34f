#pragma once

#include "dimse/encoding/header_scanner.h"
#include "router/admin/metrics.h"
#include "router/journal/records.h"
#include "router/rules/rule_set.h"

namespace dr {

/// Fills in what the rules decide about an object whose facts they are given: status, decisions,
/// routes, extract; and counts the rules that matched.
void decide(const rules::RuleSet& rules, const rules::Facts& facts, journal::ObjectRecord& record,
            admin::Metrics& metrics);

/// The element's first value without padding; empty where it is absent.
std::string_view text_of(const encoding::HeaderScanner& header, encoding::Tag tag);
/// Empty where the element is absent or no legal UID.
Uid uid_of(const encoding::HeaderScanner& header, encoding::Tag tag);

}  // namespace dr
