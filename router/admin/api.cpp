#include "router/admin/api.h"

#include <algorithm>
#include <array>
#include <exception>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "dimse/base/log.h"
#include "dimse/base/uid.h"
#include "router/admin/queue_query.h"
#include "router/admin/trace_json.h"

namespace dr::admin {
namespace {

using nlohmann::json;

constexpr std::string_view kTrace = "/api/v1/trace/";
constexpr std::size_t kMostTraced = 10'000;

/// What is no UTF-8 (a peer's comment, a path) becomes U+FFFD.
std::string text_of(const json& document) {
  return document.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}

Response answer(const json& document, int status = 200) {
  Response response;
  response.status = status;
  response.body = text_of(document);
  return response;
}

Response bad_query(const Error& error) { return error_response(400, "bad_query", error.detail); }

json to_json(const delivery::DestinationStatus& status) {
  const auto& counts = status.counts;
  return {{"name", status.name},
          {"up", status.up},
          {"reason", status.reason},
          {"queue",
           {{"waiting", counts.waiting},
            {"sending", counts.sending},
            {"unknown", counts.unknown},
            {"held", counts.held},
            {"damaged", counts.damaged}}},
          {"oldest", status.oldest ? json(utc_text(*status.oldest)) : json()},
          {"associations", status.associations}};
}

constexpr std::string_view kForgetPath = "/api/v1/audit/forget";

bool is_known(std::string_view path) {
  static constexpr std::array<std::string_view, 6> kPaths = {
      "/metrics", "/healthz", "/readyz", "/api/v1/status", "/api/v1/destinations", "/api/v1/queue"};
  return std::ranges::find(kPaths, path) != kPaths.end() ||
         (path.starts_with(kTrace) && path.size() > kTrace.size());
}

}  // namespace

Response error_response(int status, const std::string& code, const std::string& message) {
  return answer({{"error", {{"code", code}, {"message", message}}}}, status);
}

Response Api::handle(const Request& request) {
  if (request.path == kForgetPath) return forget(request);
  if (!is_known(request.path)) return error_response(404, "not_found", "no such path");
  if (request.method != "GET" && request.method != "HEAD") {
    auto response = error_response(405, "method_not_allowed", "this path knows GET and HEAD");
    response.allow = "GET, HEAD";
    return response;
  }
  // A defect behind one question must not take the node down with it.
  try {
    return get(request);
  } catch (const std::exception& defect) {
    log::event(log::Level::kError, "admin.defect", {{"what", defect.what()}});
    return error_response(500, "internal", "the node failed to answer; its log says more");
  }
}

Response Api::forget(const Request& request) {
  if (request.method != "POST") {
    auto response = error_response(405, "method_not_allowed", "this path knows POST");
    response.allow = "POST";
    return response;
  }
  const json body = json::parse(request.body, nullptr, false);
  if (!body.is_object() || body.size() != 1 || !body.contains("patient") ||
      !body["patient"].is_string() || body["patient"].get_ref<const std::string&>().empty()) {
    return error_response(400, "bad_body", "expected {\"patient\": \"ID\"}");
  }
  const auto recorded = node_.forget(body["patient"], request.operator_name);
  if (recorded) return answer({{"recorded", true}});
  const bool unsupported = recorded.error().code == Errc::kUnsupported;
  return error_response(unsupported ? 400 : 503, unsupported ? "unsupported" : "unavailable",
                        recorded.error().detail);
}

Response Api::get(const Request& request) {
  const auto& path = request.path;
  if (path == "/metrics") {
    Response response;
    response.content_type = "text/plain; version=0.0.4; charset=utf-8";
    response.body = node_.metrics_text();
    return response;
  }
  if (path == "/healthz") return answer({{"status", "ok"}});
  if (path == "/readyz") return readyz();
  if (path == "/api/v1/queue") return queue(request);
  if (const auto known = check_names(request.query, {}); !known) return bad_query(known.error());
  if (path == "/api/v1/status") return answer(node_.status());
  if (path == "/api/v1/destinations") return destinations();
  return trace(path.substr(kTrace.size()));
}

Response Api::readyz() {
  const auto readiness = node_.readiness();
  return answer({{"ready", readiness.ready}, {"reasons", readiness.reasons}},
                readiness.ready ? 200 : 503);
}

Response Api::destinations() {
  auto items = json::array();
  for (const auto& status : node_.destinations()) items.push_back(to_json(status));
  return answer({{"items", std::move(items)}, {"next", nullptr}});
}

Response Api::trace(const std::string& text) {
  const auto uid = Uid::parse(text);
  if (!uid) return error_response(400, "bad_uid", "not a UID: \"" + log::escape(text, 80) + "\"");
  auto objects = node_.trace(uid->str(), kMostTraced + 1);
  if (!objects && objects.error().code != Errc::kNotFound) {
    return error_response(503, "unavailable", objects.error().to_string());
  }
  if (!objects || objects->empty()) {
    return error_response(404, "unknown_uid", "no object, series or study has this UID");
  }
  const bool truncated = objects->size() > kMostTraced;
  if (truncated) objects->resize(kMostTraced);
  auto document = admin::to_json(*objects);
  document["truncated"] = truncated;
  return answer(document);
}

Response Api::queue(const Request& request) {
  const auto known = check_names(request.query, {"destination", "state", "limit", "after"});
  if (!known) return bad_query(known.error());
  std::vector<std::string> names;
  for (const auto& status : node_.destinations()) names.push_back(status.name);
  const auto query = parse_queue_query(request.query, names);
  if (!query) return bad_query(query.error());
  // One more than asked for says whether there is a next page.
  auto items = node_.queue(query->filter, query->limit + 1, query->after);
  json next;
  if (items.size() > query->limit) {
    items.resize(query->limit);
    next = position_text({items.back().destination, items.back().sequence});
  }
  auto list = json::array();
  for (const auto& item : items) list.push_back(admin::to_json(item));
  return answer({{"items", std::move(list)}, {"next", std::move(next)}});
}

}  // namespace dr::admin
