#include "router/admin/api.h"

#include <algorithm>
#include <array>
#include <exception>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "dimse/base/log.h"
#include "dimse/base/uid.h"
#include "dimse/base/write_all.h"
#include "router/admin/queue_operation.h"
#include "router/admin/queue_query.h"
#include "router/admin/rtstruct_api.h"
#include "router/admin/trace_json.h"

namespace dr::admin {
namespace {

using nlohmann::json;

constexpr std::string_view kTrace = "/api/v1/trace/";
constexpr const char* kReport = "/api/v1/report";
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

/// One of the few objects that are explained at a time.
class Turn {
 public:
  explicit Turn(std::atomic<unsigned>& taken) : taken_(taken), mine_(++taken <= kObjectsAtOnce) {}
  ~Turn() { --taken_; }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
  bool mine() const { return mine_; }

 private:
  std::atomic<unsigned>& taken_;
  const bool mine_;
};

bool transforms(const rules::RuleSet& rules) {
  return std::ranges::any_of(rules.rules(),
                             [](const rules::RuleInfo& rule) { return !rule.transform.empty(); });
}

/// The octets of an object go to the rules as they come, and to a file where a rule may transform
/// them.
class ObjectTaker final : public BodyTaker {
 public:
  ObjectTaker(NodeView& node, Sender sender, std::unique_ptr<Turn> turn)
      : node_(node),
        rules_(node.rules()),
        sender_(std::move(sender)),
        turn_(std::move(turn)),
        explained_(rules_) {
    if (transforms(*rules_)) sample_ = node.sample_file(kMostObject);
  }

  void take(ByteSpan octets) override {
    if (more_) more_ = explained_.feed(octets);
    if (!sample_) return;
    if (auto kept = write_all(sample_->get(), octets); !kept) sample_ = kept.error();
  }
  Response answer() override {
    const auto open = [this]() -> Result<delivery::Sample> {
      if (!sample_) return sample_.error();
      return delivery::part10_sample(std::move(sample_).value(), sender_.received,
                                     sender_.character_set);
    };
    const auto document = explained_.finish(sender_, node_.try_copies(open));
    if (document) return admin::answer(*document);
    return error_response(400, "bad_object", document.error().to_string());
  }

 private:
  NodeView& node_;
  const std::shared_ptr<const rules::RuleSet> rules_;
  const Sender sender_;
  const std::unique_ptr<Turn> turn_;
  ExplainedFile explained_;
  Result<worker::Descriptor> sample_;  // an error where none is needed, or had
  bool more_ = true;
};

Response busy() {
  return error_response(503, "busy", "other objects are being explained: ask again");
}

Response bad_query(const Error& error) { return error_response(400, "bad_query", error.detail); }

json to_json(const delivery::DestinationStatus& status) {
  const auto& counts = status.counts;
  return {{"name", status.name},
          {"up", status.up},
          {"reason", status.reason},
          {"paused", status.paused},
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
constexpr std::string_view kLookupsPath = "/api/v1/uid-lookups";
constexpr std::size_t kMostLookups = 1'000;

bool is_known(std::string_view path) {
  static constexpr std::array<std::string_view, 6> kPaths = {
      "/metrics", "/healthz", "/readyz", "/api/v1/status", "/api/v1/destinations", "/api/v1/queue"};
  return std::ranges::find(kPaths, path) != kPaths.end() || path == kExplain || path == kReport ||
         is_rtstruct_path(path) || is_queue_operation(std::string(path)) ||
         (path.starts_with(kTrace) && path.size() > kTrace.size());
}

}  // namespace

Response error_response(int status, const std::string& code, const std::string& message) {
  return answer({{"error", {{"code", code}, {"message", message}}}}, status);
}

Response Api::handle(const Request& request) {
  if (request.path == kForgetPath) return forget(request);
  if (request.path == kLookupsPath) return record_lookups(request);
  if (!is_known(request.path)) return error_response(404, "not_found", "no such path");
  const bool operates = is_queue_operation(request.path);
  const bool posts = request.path == kExplain || operates;
  if (posts ? request.method != "POST" : request.method != "GET" && request.method != "HEAD") {
    const std::string methods = posts ? "POST" : "GET, HEAD";
    auto response = error_response(405, "method_not_allowed", "this path knows " + methods);
    response.allow = methods;
    return response;
  }
  // A defect behind one question must not take the node down with it.
  try {
    if (operates) return operate(request);
    return posts ? explain(request) : get(request);
  } catch (const std::exception& defect) {
    log::event(log::Level::kError, "admin.defect", {{"what", defect.what()}});
    return error_response(500, "internal", "the node failed to answer; its log says more");
  }
}

namespace {

Response posts_only() {
  auto response = error_response(405, "method_not_allowed", "this path knows POST");
  response.allow = "POST";
  return response;
}

}  // namespace

/// {"uids": ["1.2.3", …]}: what somebody is about to look up in the map of UIDs.
Response Api::record_lookups(const Request& request) {
  if (request.method != "POST") return posts_only();
  const json body = json::parse(request.body, nullptr, false);
  const bool asks = body.is_object() && body.size() == 1 && body.contains("uids") &&
                    body["uids"].is_array() && !body["uids"].empty() &&
                    body["uids"].size() <= kMostLookups;
  std::vector<std::string> uids;
  if (asks) {
    for (const json& each : body["uids"]) {
      const auto uid =
          each.is_string() ? Uid::parse(each.get_ref<const std::string&>()) : Result<Uid>(Error{});
      if (uid) uids.push_back(uid->str());
    }
  }
  if (!asks || uids.size() != body["uids"].size()) {
    return error_response(
        400, "bad_body",
        "expected {\"uids\": [\"1.2.3\", ...]}, at most " + std::to_string(kMostLookups));
  }
  const auto recorded = node_.uids_looked_up(uids, request.operator_name);
  if (recorded) return answer({{"recorded", uids.size()}});
  return error_response(503, "unavailable", recorded.error().detail);
}

Response Api::forget(const Request& request) {
  if (request.method != "POST") return posts_only();
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
  if (path == kReport) return report(request);
  if (const auto known = check_names(request.query, {}); !known) return bad_query(known.error());
  if (path == "/api/v1/status") return answer(node_.status());
  if (path == "/api/v1/destinations") return destinations();
  if (is_rtstruct_path(path)) return rtstruct(node_, request);
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
  const Turn turn(objects_taken_);
  if (!turn.mine()) return busy();
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
  auto sender = node_.sender(request.query);
  if (!sender) return bad_query(sender.error());
  auto turn = std::make_unique<Turn>(objects_taken_);
  if (!turn->mine()) return busy();
  return std::make_unique<ObjectTaker>(node_, *std::move(sender), std::move(turn));
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

Response Api::report(const Request& request) {
  if (const auto known = check_names(request.query, {"day"}); !known) {
    return bad_query(known.error());
  }
  const auto day = request.query.find("day");
  const auto report = node_.loss_report(day == request.query.end() ? "" : day->second);
  if (report) return answer(*report);
  const Error& why = report.error();
  const bool asked_wrong = why.code == Errc::kInvalid || why.code == Errc::kUnsupported;
  if (asked_wrong) return bad_query(why);
  return error_response(503, "unavailable", why.to_string());
}

std::vector<std::string> Api::destination_names() {
  std::vector<std::string> names;
  for (const auto& status : node_.destinations()) names.push_back(status.name);
  return names;
}

Response Api::operate(const Request& request) {
  if (const auto known = check_names(request.query, {}); !known) return bad_query(known.error());
  const auto asked = parse_queue_operation(request, destination_names());
  if (!asked && asked.error().code == Errc::kNotFound) {
    return error_response(404, "unknown_destination", asked.error().detail);
  }
  if (!asked) return error_response(400, "bad_request", asked.error().detail);
  const auto report = node_.operate(*asked);
  if (report && !report->stopped) return answer(admin::to_json(*asked, *report));
  if (report) {
    return error_response(
        503, "stopped",
        "stopped after " + std::to_string(report->affected) + ": " + report->stopped->to_string());
  }
  const Error& why = report.error();
  if (why.code == Errc::kInvalid) return error_response(400, "bad_request", why.detail);
  if (why.code == Errc::kNotFound) return error_response(404, "unknown_uid", why.detail);
  return error_response(503, "unavailable", why.to_string());
}

Response Api::queue(const Request& request) {
  const auto known = check_names(
      request.query, {"destination", "state", "object", "series", "study", "limit", "after"});
  if (!known) return bad_query(known.error());
  const auto query = parse_queue_query(request.query, destination_names());
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
