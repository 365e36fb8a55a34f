#include "router/loss_report.h"

#include <array>
#include <cctype>
#include <cstdio>
#include <map>
#include <utility>

#include <nlohmann/json.hpp>

#include "dimse/base/log.h"
#include "router/admin/trace_json.h"

namespace dr {
namespace {

using nlohmann::json;

constexpr const char* kSignature = "signature";

std::string signature(const json& document, const audit::Sealer& sealer) {
  return sealer.mac("loss report " + document.dump(-1, ' ', false, json::error_handler_t::replace));
}

UtcMicros begin_of(audit::Day day) {
  return UtcMicros(std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::days(day)));
}

}  // namespace

audit::Day day_of(UtcMicros time) {
  return std::chrono::floor<std::chrono::days>(time).time_since_epoch().count();
}

Result<audit::Day> parse_day(const std::string& text) {
  int year = 0;
  unsigned month = 0;
  unsigned day = 0;
  int used = 0;
  const bool formed = text.size() == 10 && std::isdigit(static_cast<unsigned char>(text[0])) != 0 &&
                      std::sscanf(text.c_str(), "%4d-%2u-%2u%n", &year, &month, &day, &used) == 3 &&
                      used == 10;
  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(month),
                                         std::chrono::day(day)};
  if (formed && date.ok()) {
    return audit::Day{std::chrono::sys_days(date).time_since_epoch().count()};
  }
  return Error{Errc::kInvalid, "not a day, as in 2026-01-31: \"" + log::escape(text, 40) + "\""};
}

Result<json> loss_report(const LossReportContext& context, const IntakeCount::Day& counted,
                         db::AuditStore& store, const audit::Sealer& sealer) {
  struct Row {
    std::uint64_t routed = 0;
    std::map<std::string, std::uint64_t> states;
  };
  std::map<std::string, Row> rows;
  for (const auto& [destination, count] : counted.routed) rows[destination].routed = count;
  const db::Extent extent{context.node, context.spool_id, counted.first, counted.last};
  const auto states = store.state_counts(extent, begin_of(context.day), begin_of(context.day + 1));
  if (!states) return states.error();
  for (const db::StateCount& each : *states) {
    rows[each.destination].states[each.state] = each.objects;
  }
  bool holds = true;
  json destinations = json::array();
  for (const auto& [destination, row] : rows) {
    auto missing = static_cast<std::int64_t>(row.routed);
    for (const auto& [state, count] : row.states) missing -= static_cast<std::int64_t>(count);
    holds = holds && missing == 0;
    destinations.push_back({{"destination", destination},
                            {"routed", row.routed},
                            {"states", row.states},
                            {"missing", missing}});
  }
  json document = {{"report", "loss invariant"},
                   {"node", context.node},
                   {"spool_id", context.spool_id},
                   {"sink", context.sink},
                   {"day", audit::day_text(context.day)},
                   {"made", admin::utc_text(context.made)},
                   {"counted_after", value(context.since)},
                   {"destinations", std::move(destinations)},
                   {"holds", holds}};
  const std::string made = signature(document, sealer);
  document[kSignature] = made.empty() ? json() : json(made);
  return document;
}

bool signature_holds(json document, const audit::Sealer& sealer) {
  if (!document.is_object() || !document.contains(kSignature)) return false;
  const json given = std::exchange(document[kSignature], json());
  document.erase(kSignature);
  return sealer.has_key() && given.is_string() && given == signature(document, sealer);
}

}  // namespace dr
