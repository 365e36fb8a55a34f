#include "router/admin/trace_json.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>
#include <optional>
#include <string>

#include <nlohmann/json.hpp>

namespace dr::admin {
namespace {

using nlohmann::json;

json utc_or_null(const std::optional<UtcMicros>& time) {
  return time ? json(utc_text(*time)) : json();
}

json text_or_null(const std::string& text) { return text.empty() ? json() : json(text); }

/// The audit tables keep a decision's destinations as a JSON array; the text itself where they do
/// not.
json destinations(const std::string& text) {
  auto parsed = json::parse(text, nullptr, false);
  return parsed.is_array() ? parsed : json(text);
}

json decision(const db::DecisionRow& row) {
  return {{"rule", row.rule},
          {"file", row.file},
          {"line", row.line},
          {"ordinal", row.rule_ordinal},
          {"destinations", destinations(row.destinations)},
          {"transform", text_or_null(row.transform)},
          {"rules_sha256", row.rules_sha256}};
}

json delivery(const db::DeliveryRow& row) {
  return {{"destination", row.destination},
          {"sequence", row.key.sequence},
          {"attempt", row.attempt},
          {"started", utc_text(row.started)},
          {"finished", utc_text(row.finished)},
          {"outcome", row.outcome},
          {"status", row.status ? json(*row.status) : json()},
          {"comment", row.comment},
          {"bytes", row.octets},
          {"transfer_syntax_uid", text_or_null(row.transfer_syntax_uid)}};
}

/// Deferred only as long as every copy waits for what it was to wait for.
std::string state_of(const db::TracedObject& traced) {
  const bool waits = std::ranges::all_of(traced.states, [](const db::InstanceStateRow& row) {
    return row.state == "waiting" && row.attempts == 0 && !row.reason.empty();
  });
  return traced.instance.state == "deferred" && !waits ? "routed" : traced.instance.state;
}

json object(const db::TracedObject& traced) {
  const auto& row = traced.instance;
  json all = {{"sop_instance_uid", row.sop_instance_uid},
              {"sop_class_uid", row.sop_class_uid},
              {"transfer_syntax_uid", row.transfer_syntax_uid},
              {"series_instance_uid", text_or_null(row.series_instance_uid)},
              {"study_instance_uid", text_or_null(row.study_instance_uid)},
              {"node", row.key.node},
              {"spool_id", row.key.spool_id},
              {"sequence", row.key.sequence},
              {"received", utc_text(row.received)},
              {"durable", utc_or_null(row.durable)},
              {"bytes", row.octets},
              {"sha256", text_or_null(traced.sha256)},
              {"status", row.status},
              {"state", state_of(traced)}};
  all["source"] = {{"ae_title", row.calling_ae_title},
                   {"called_ae_title", row.called_ae_title},
                   {"address", row.peer_address},
                   {"listener", row.listener},
                   {"association", row.association}};
  all["decisions"] = json::array();
  for (const auto& made : traced.decisions) all["decisions"].push_back(decision(made));
  all["deliveries"] = json::array();
  for (const auto& made : traced.deliveries) all["deliveries"].push_back(delivery(made));
  all["states"] = json::object();
  all["reasons"] = json::object();
  all["next_attempts"] = json::object();
  for (const auto& state : traced.states) {
    all["states"][state.destination] = state.state;
    if (!state.reason.empty()) all["reasons"][state.destination] = state.reason;
    if (state.next_attempt) {
      all["next_attempts"][state.destination] = utc_text(*state.next_attempt);
    }
  }
  return all;
}

}  // namespace

std::string utc_text(UtcMicros time) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  const std::time_t whole = seconds.time_since_epoch().count();
  std::tm parts{};
  if (gmtime_r(&whole, &parts) == nullptr) return {};
  std::array<char, 32> text{};
  const auto length = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &parts);
  std::array<char, 16> micros{};
  std::snprintf(micros.data(), micros.size(), ".%06dZ", static_cast<int>((time - seconds).count()));
  return std::string(text.data(), length) + micros.data();
}

json to_json(const std::vector<db::TracedObject>& objects) {
  json all = {{"objects", json::array()}};
  for (const auto& traced : objects) all["objects"].push_back(object(traced));
  return all;
}

json to_json(const delivery::QueueItem& item) {
  return {{"destination", item.destination},
          {"sequence", journal::value(item.sequence)},
          {"sop_instance_uid", text_or_null(item.sop_instance_uid)},
          {"state", journal::name(item.state)},
          {"attempts", item.attempts},
          {"next_attempt", utc_or_null(item.next_attempt)},
          {"reason", item.reason}};
}

}  // namespace dr::admin
