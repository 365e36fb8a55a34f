#include "router/delivery/decided.h"

#include <utility>

namespace dr::delivery {
namespace {

journal::RouteRecord to_record(const rules::Route& route) {
  const auto micros = [](std::chrono::microseconds us) {
    return static_cast<std::uint64_t>(us.count());
  };
  return {route.destination,
          static_cast<std::uint8_t>(route.priority),
          route.transform,
          route.held,
          {static_cast<std::uint8_t>(route.wait.until), micros(route.wait.quiet),
           micros(route.wait.at_most), static_cast<std::uint8_t>(route.wait.late)}};
}

}  // namespace

void set_decision(journal::ObjectRecord& record, const rules::RuleSet& rules,
                  const rules::Decision& decision) {
  record.rules_sha256 = rules.sha256();
  record.decisions.clear();
  record.routes.clear();
  record.extract = false;
  for (const std::uint32_t index : decision.matched) {
    const rules::RuleInfo& rule = rules.rules()[index];
    record.decisions.push_back(
        {rule.name, rule.file, rule.line, index + 1, rule.route, rule.transform});
  }
  if (decision.refuse) {
    record.status = *decision.refuse;
    return;
  }
  for (const rules::Route& route : decision.routes) record.routes.push_back(to_record(route));
  record.extract = decision.extract;
}

journal::Journal::Done counted(const journal::ObjectRecord& record, const Routed& routed,
                               journal::Journal::Done done) {
  if (!routed) return done;
  std::vector<std::string> destinations;
  for (const journal::RouteRecord& route : record.routes) destinations.push_back(route.destination);
  return [&routed, received = record.received, destinations = std::move(destinations),
          done = std::move(done)](Result<journal::Sequence> sequence) {
    if (sequence) routed(*sequence, received, destinations);
    done(std::move(sequence));
  };
}

}  // namespace dr::delivery
