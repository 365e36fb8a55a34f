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
constexpr std::string_view kExplain = "/api/v1/explain";
constexpr std::size_t kMostTraced = 10'000;
constexpr std::uint64_t kMostObject = 1ULL << 30;
constexpr unsigned kObjectsAtOnce = 2;  // of the few workers that answer everything else, too

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

/// The octets of an object go to the rules as they come.
class ObjectTaker final : public BodyTaker {
 public:
  ObjectTaker(std::shared_ptr<const rules::RuleSet> rules, Sender sender,
              std::atomic<unsigned>& taken)
      : file_(std::move(rules)), sender_(std::move(sender)), taken_(taken) {}
  ~ObjectTaker() override { --taken_; }

  void take(ByteSpan octets) override {
    if (more_) more_ = file_.feed(octets);
  }
  Response answer() override {
    const auto document = file_.finish(sender_);
    if (document) return admin::answer(*document);
    return error_response(400, "bad_object", document.error().to_string());
  }

 private:
  ExplainedFile file_;
  const Sender sender_;
  std::atomic<unsigned>& taken_;
  bool more_ = true;
};

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
  return std::ranges::find(kPaths, path) != kPaths.end() || path == kExplain ||
         (path.starts_with(kTrace) && path.size() > kTrace.size());
}

}  // namespace

Response error_response(int status, const std::string& code, const std::string& message) {
  return answer({{"error", {{"code", code}, {"message", message}}}}, status);
}

Response Api::handle(const Request& request) {
  if (request.path == kForgetPath) return forget(request);
  if (!is_known(request.path)) return error_response(404, "not_found", "no such path");
  const bool posts = request.path == kExplain;
  if (posts ? request.method != "POST" : request.method != "GET" && request.method != "HEAD") {
    const std::string methods = posts ? "POST" : "GET, HEAD";
    auto response = error_response(405, "method_not_allowed", "this path knows " + methods);
    response.allow = methods;
    return response;
  }
  // A defect behind one question must not take the node down with it.
  try {
    return posts ? explain(request) : get(request);
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

/// {"sop_instance_uid": "1.2.3"}: an object of the journal.
Response Api::explain(const Request& request) {
  if (const auto known = check_names(request.query, {}); !known) return bad_query(known.error());
  const json document = json::parse(request.body, nullptr, false);
  const bool asks = document.is_object() && document.size() == 1 &&
                    document.contains("sop_instance_uid") &&
                    document["sop_instance_uid"].is_string();
  if (!asks) {
    return error_response(400, "bad_request",
                          "the body must be {\"sop_instance_uid\": \"...\"}, or a DICOM object "
                          "with Content-Type: application/dicom");
  }
  const auto text = document["sop_instance_uid"].get<std::string>();
  const auto uid = Uid::parse(text);
  if (!uid) return error_response(400, "bad_uid", "not a UID: \"" + log::escape(text, 80) + "\"");
  const auto explained = node_.explain(uid->str());
  if (explained) return answer(*explained);
  if (explained.error().code == Errc::kNotFound) {
    return error_response(404, "unknown_uid", explained.error().detail);
  }
  return error_response(503, "unavailable", explained.error().to_string());
}

std::uint64_t Api::most_object_octets(std::string_view path) {
  return path == kExplain ? kMostObject : 0;
}

std::variant<std::unique_ptr<BodyTaker>, Response> Api::take_object(const Request& request) {
  const auto known = check_names(request.query, {"calling", "called", "from", "listener"});
  if (!known) return bad_query(known.error());
  auto sender = with_query(node_.unnamed_sender(), request.query);
  if (!sender) return bad_query(sender.error());
  if (++objects_taken_ > kObjectsAtOnce) {
    --objects_taken_;
    return error_response(503, "busy", "other objects are being explained: ask again");
  }
  return std::make_unique<ObjectTaker>(node_.rules(), *std::move(sender), objects_taken_);
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
