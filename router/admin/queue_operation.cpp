#include "router/admin/queue_operation.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

#include <nlohmann/json.hpp>

#include "dimse/base/log.h"
#include "router/rules/suggest.h"

namespace dr::admin {
namespace {

using delivery::OperationRequest;
using delivery::Selection;
using journal::DeliveryState;
using nlohmann::json;
using Kind = OperationRequest::Kind;

constexpr std::string_view kQueue = "/api/v1/queue/";
constexpr std::string_view kDestinations = "/api/v1/destinations/";
constexpr std::array kKinds = {Kind::kRetry, Kind::kDrop, Kind::kPause, Kind::kResume,
                               Kind::kReroute};
constexpr std::string_view kUnrouted = "unrouted";

struct Target {
  Kind kind{};
  std::string destination;  // of a destination's own path
};

std::optional<Kind> kind_of(std::string_view word) {
  const auto at = std::ranges::find(kKinds, word, [](Kind kind) { return name(kind); });
  return at == kKinds.end() ? std::nullopt : std::optional(*at);
}

std::optional<Target> target_of(std::string_view path) {
  if (path.starts_with(kQueue)) {
    const auto kind = kind_of(path.substr(kQueue.size()));
    return kind ? std::optional(Target{*kind, {}}) : std::nullopt;
  }
  if (!path.starts_with(kDestinations)) return std::nullopt;
  const auto rest = path.substr(kDestinations.size());
  const auto slash = rest.rfind('/');
  if (slash == std::string_view::npos || slash == 0) return std::nullopt;
  const auto kind = kind_of(rest.substr(slash + 1));
  if (kind != Kind::kPause && kind != Kind::kResume) return std::nullopt;
  return Target{*kind, std::string(rest.substr(0, slash))};
}

Error invalid(std::string text) { return {Errc::kInvalid, std::move(text)}; }

Error unknown(std::string_view what, const std::string& word,
              std::span<const std::string_view> known) {
  return invalid("no " + std::string(what) + " \"" + log::escape(word, 64) + "\"" +
                 rules::suggestion(word.substr(0, 64), known));
}

/// The states of what the operation changes.
std::vector<DeliveryState> states_of(Kind kind) {
  using enum DeliveryState;
  if (kind == Kind::kDrop) return {kWaiting, kUnknown, kHeld, kDamaged};
  if (kind == Kind::kPause || kind == Kind::kResume) return {};
  return {kWaiting, kUnknown, kHeld};
}

Result<void> parse_state(const std::string& text, Kind kind, Selection& selection) {
  std::vector<std::string_view> known;
  for (const DeliveryState state : states_of(kind)) {
    known.push_back(journal::name(state));
    if (text == known.back()) selection.state = state;
  }
  if (kind == Kind::kDrop || kind == Kind::kReroute) known.push_back(kUnrouted);
  selection.unrouted = text == kUnrouted && known.back() == kUnrouted;
  if (selection.state || selection.unrouted) return {};
  if (known.empty()) return invalid(std::string(name(kind)) + " takes no state");
  if (text == journal::name(DeliveryState::kSending)) {
    return invalid("what is being sent can not be changed: pause the destination first");
  }
  std::string all;
  for (const auto word : known) all += (all.empty() ? "" : ", ") + std::string(word);
  auto error = unknown("state for " + std::string(name(kind)), text, known);
  error.detail += "; it knows " + all;
  return error;
}

Result<std::optional<Uid>> parse_uid(const char* what, const std::string& text) {
  auto uid = Uid::parse(text);
  if (uid) return std::optional<Uid>(*uid);
  return invalid(std::string(what) + " is not a UID: \"" + log::escape(text, 80) + "\"");
}

Result<void> set(OperationRequest& request, const std::string& key, const std::string& text,
                 const std::vector<std::string>& destinations) {
  Selection& selection = request.selection;
  if (key == "state") return parse_state(text, request.kind, selection);
  if (key == "destination") {
    selection.destination = text;
    if (std::ranges::find(destinations, text) != destinations.end()) return {};
    const std::vector<std::string_view> known(destinations.begin(), destinations.end());
    return unknown("destination", text, known);
  }
  auto uid = parse_uid(key.c_str(), text);
  if (!uid) return uid.error();
  (key == "object"   ? selection.object
   : key == "series" ? selection.series
                     : selection.study) = *uid;
  return {};
}

}  // namespace

bool is_queue_operation(const std::string& path) { return target_of(path).has_value(); }

Result<OperationRequest> parse_queue_operation(const Request& asked,
                                               const std::vector<std::string>& destinations) {
  static constexpr std::array<std::string_view, 6> kKeys = {"destination", "object", "series",
                                                            "study",       "state",  "dry_run"};
  const auto target = target_of(asked.path);
  if (!target) return Error{Errc::kNotFound, "no such path"};
  OperationRequest request;
  request.kind = target->kind;
  request.who = asked.operator_name.empty() ? "loopback" : asked.operator_name;
  const bool own_path = !target->destination.empty();
  if (own_path) {
    auto found = set(request, "destination", target->destination, destinations);
    if (!found) return Error{Errc::kNotFound, found.error().detail};
  }
  const json body = asked.body.empty() ? json::object() : json::parse(asked.body, nullptr, false);
  if (!body.is_object()) return invalid("the body must be a JSON object");
  for (const auto& [key, value] : body.items()) {
    if (std::ranges::find(kKeys, key) == kKeys.end()) return unknown("field", key, kKeys);
    if (key == "dry_run") {
      if (!value.is_boolean()) return invalid("dry_run must be true or false");
      request.dry_run = value.get<bool>();
      continue;
    }
    if (own_path) return invalid("the path says which destination; the body says only dry_run");
    if (!value.is_string()) return invalid(key + " must be a text");
    if (value.get_ref<const std::string&>().empty()) continue;  // as good as none
    if (auto good = set(request, key, value, destinations); !good) return good.error();
  }
  if (request.selection.unrouted && !request.selection.destination.empty()) {
    return invalid("what is unrouted has no destination");
  }
  return request;
}

json to_json(const OperationRequest& request, const delivery::OperationReport& report) {
  json document = {{"operation", name(request.kind)},
                   {"dry_run", request.dry_run},
                   {"affected", report.affected},
                   {"damaged", report.damaged}};
  if (request.kind == Kind::kReroute) {
    document["unchanged"] = report.unchanged;
    document["unmatched"] = report.unmatched;
    document["busy"] = report.busy;
  }
  return document;
}

}  // namespace dr::admin
