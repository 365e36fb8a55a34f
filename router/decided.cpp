#include "router/decided.h"

#include "router/delivery/decided.h"

namespace dr {
std::string_view text_of(const encoding::HeaderScanner& header, encoding::Tag tag) {
  const auto* element = header.find(tag);
  if (element == nullptr) return {};
  std::string_view text = trim_padding(as_text(element->value));
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  return text;
}

Uid uid_of(const encoding::HeaderScanner& header, encoding::Tag tag) {
  auto uid = Uid::parse(text_of(header, tag));
  return uid ? *uid : Uid{};
}

void decide(const rules::RuleSet& rules, const rules::Facts& facts, journal::ObjectRecord& record,
            admin::Metrics& metrics) {
  const rules::Decision decision = rules.decide(facts);
  delivery::set_decision(record, rules, decision);
  for (const auto& made : record.decisions) metrics.rule_matched(made.rule);
}

}  // namespace dr
