#include "router/admin/api.h"

#include <set>

#include <gtest/gtest.h>

#include "test/router/admin/fake_node.h"

namespace dr::admin {
namespace {

using nlohmann::json;

class ApiTest : public testing::Test {
 protected:
  ApiTest() {
    delivery::DestinationStatus orthanc;
    orthanc.name = "orthanc";
    orthanc.up = false;
    orthanc.reason = "connect";
    orthanc.counts.waiting = 3;
    orthanc.oldest = from_micros(1'000'000);
    delivery::DestinationStatus archive;
    archive.name = "archive ä";
    node_.known = {orthanc, archive};
  }

  Response get(const std::string& path, std::map<std::string, std::string> query = {}) {
    Request request;
    request.path = path;
    request.query = std::move(query);
    return api_.handle(request);
  }
  static std::string code(const Response& response) {
    const auto document = json::parse(response.body);
    EXPECT_TRUE(document.at("error").at("message").is_string());
    return document.at("error").at("code");
  }
  static std::string message(const Response& response) {
    return json::parse(response.body).at("error").at("message");
  }

  test::FakeNode node_;
  Api api_{node_};
};

db::TracedObject traced_object() {
  db::TracedObject object;
  auto& row = object.instance;
  row.key = {"router-1", "spool", 7};
  row.sop_instance_uid = "1.2.3";
  row.study_instance_uid = "1.2";
  row.octets = 512;
  row.calling_ae_title = "CT1";
  row.received = from_micros(1'700'000'000'000'001);
  row.state = "routed";
  object.sha256 = "ab";
  object.decisions.push_back({row.key, 1, "all", "a.toml", 2, R"(["orthanc"])", "", "ff"});
  db::DeliveryRow delivery;
  delivery.destination = "orthanc";
  delivery.attempt = 1;
  delivery.started = row.received;
  delivery.finished = row.received;
  delivery.outcome = "refused";
  delivery.status = 0xA700;
  delivery.comment = "bad \xff octet";
  object.deliveries.push_back(delivery);
  db::InstanceStateRow state;
  state.destination = "orthanc";
  state.state = "waiting";
  object.states.push_back(state);
  return object;
}

TEST_F(ApiTest, HealthSaysThatTheProcessLives) {
  const auto response = get("/healthz");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(json::parse(response.body), (json{{"status", "ok"}}));
}

TEST_F(ApiTest, ReadinessIs503WithItsReasons) {
  EXPECT_EQ(get("/readyz").status, 200);
  node_.ready = {false, {"journal fenced", "disk full"}};
  const auto response = get("/readyz");
  EXPECT_EQ(response.status, 503);
  EXPECT_EQ(json::parse(response.body),
            (json{{"ready", false}, {"reasons", {"journal fenced", "disk full"}}}));
}

TEST_F(ApiTest, MetricsAreTextOfPrometheus) {
  const auto response = get("/metrics");
  EXPECT_EQ(response.content_type, "text/plain; version=0.0.4; charset=utf-8");
  EXPECT_EQ(response.body, node_.metrics);
}

TEST_F(ApiTest, StatusIsWhatTheNodeSays) {
  EXPECT_EQ(json::parse(get("/api/v1/status").body).at("node"), "router-1");
}

TEST_F(ApiTest, AStructureSetIsItsDocumentWithWhereItStands) {
  const auto done = get("/api/v1/rtstruct/1.2.3");
  EXPECT_EQ(done.status, 200);
  EXPECT_EQ(json::parse(done.body),
            json::parse(R"({"extraction": {"state": "done"}, "label": "A"})"));
  const auto waiting = get("/api/v1/rtstruct/1.2.4");
  EXPECT_EQ(waiting.status, 202);
  EXPECT_EQ(json::parse(waiting.body)["sop_instance_uid"], "1.2.4");
  EXPECT_EQ(json::parse(waiting.body)["extraction"]["state"], "waiting");
  EXPECT_EQ(get("/api/v1/rtstruct/1.2.5").status, 200) << "nothing more will come";
  EXPECT_EQ(get("/api/v1/rtstruct/9.9").status, 404);
  EXPECT_EQ(get("/api/v1/rtstruct/..").status, 400);
  EXPECT_EQ(get("/api/v1/rtstruct/").status, 404);
  EXPECT_EQ(get("/api/v1/rtstruct/1.2.3", {{"x", "y"}}).status, 400);
}

TEST_F(ApiTest, AMaskIsAFileOfItsRoi) {
  const auto mask = get("/api/v1/rtstruct/1.2.3/masks/-7.nii.gz");
  EXPECT_EQ(mask.status, 200);
  EXPECT_EQ(mask.content_type, "application/gzip");
  EXPECT_EQ(mask.body, std::string("\x1f\0\x8b", 3));
  for (const char* none : {"8.nii.gz", "-7.nii", "x.nii.gz", ".nii.gz", "../1.nii.gz", ""}) {
    EXPECT_EQ(get(std::string("/api/v1/rtstruct/1.2.3/masks/") + none).status, 404) << none;
  }
}

TEST_F(ApiTest, DestinationsAreAListWithQueuesAndHealth) {
  const auto document = json::parse(get("/api/v1/destinations").body);
  EXPECT_TRUE(document.at("next").is_null());
  const auto& first = document.at("items").at(0);
  EXPECT_EQ(first.at("name"), "orthanc");
  EXPECT_EQ(first.at("up"), false);
  EXPECT_EQ(first.at("reason"), "connect");
  EXPECT_EQ(first.at("queue").at("waiting"), 3);
  EXPECT_EQ(first.at("oldest"), "1970-01-01T00:00:01.000000Z");
  EXPECT_TRUE(document.at("items").at(1).at("oldest").is_null());
}

TEST_F(ApiTest, TraceHasEveryKeyThatScriptsRelyOn) {
  node_.objects = {traced_object()};
  const auto response = get("/api/v1/trace/1.2");
  ASSERT_EQ(response.status, 200);
  const auto object = json::parse(response.body).at("objects").at(0);
  for (const char* key : {"sop_instance_uid", "node", "sequence", "received", "durable", "source",
                          "bytes", "sha256", "decisions", "deliveries", "state", "states"}) {
    EXPECT_TRUE(object.contains(key)) << key;
  }
  EXPECT_EQ(object.at("sequence"), 7);
  EXPECT_EQ(object.at("bytes"), 512);
  EXPECT_EQ(object.at("received"), "2023-11-14T22:13:20.000001Z");
  EXPECT_TRUE(object.at("durable").is_null());
  EXPECT_EQ(object.at("source").at("ae_title"), "CT1");
  EXPECT_EQ(object.at("states"), (json{{"orthanc", "waiting"}}));
  EXPECT_EQ(object.at("decisions").at(0).at("destinations"), json::array({"orthanc"}));
  const auto& delivery = object.at("deliveries").at(0);
  for (const char* key :
       {"destination", "attempt", "started", "finished", "outcome", "status", "comment"}) {
    EXPECT_TRUE(delivery.contains(key)) << key;
  }
  EXPECT_EQ(delivery.at("status"), 0xA700);
  EXPECT_EQ(delivery.at("comment"), "bad \xEF\xBF\xBD octet");
}

TEST_F(ApiTest, TraceOfAnUnknownUidIs404) {
  const auto response = get("/api/v1/trace/1.2.3.4");
  EXPECT_EQ(response.status, 404);
  EXPECT_EQ(code(response), "unknown_uid");
}

TEST_F(ApiTest, TraceOfWhatIsNoUidIs400) {
  for (const char* text : {"1..2", "abc", "1.2/3", "../etc/passwd", "1.2;DROP TABLE"}) {
    const auto response = get(std::string("/api/v1/trace/") + text);
    EXPECT_EQ(response.status, 400) << text;
    EXPECT_EQ(code(response), "bad_uid");
  }
  EXPECT_EQ(get("/api/v1/trace/" + std::string(65, '1')).status, 400);
  EXPECT_EQ(get("/api/v1/trace/").status, 404);
}

TEST_F(ApiTest, TraceIs503WhenTheTablesCanNotBeAsked) {
  node_.trace_fails = Error{Errc::kIo, "locked"};
  EXPECT_EQ(get("/api/v1/trace/1.2").status, 503);
  node_.trace_fails = Error{Errc::kNotFound, "none"};
  EXPECT_EQ(get("/api/v1/trace/1.2").status, 404);
}

TEST_F(ApiTest, TraceSaysWhenThereIsMore) {
  node_.objects.assign(10'000, traced_object());
  EXPECT_EQ(json::parse(get("/api/v1/trace/1.2").body).at("truncated"), false);
  node_.objects.push_back(traced_object());
  const auto document = json::parse(get("/api/v1/trace/1.2").body);
  EXPECT_EQ(document.at("truncated"), true);
  EXPECT_EQ(document.at("objects").size(), 10'000U);
}

class QueueTest : public ApiTest {
 protected:
  QueueTest() {
    for (std::uint64_t n = 1; n <= 25; ++n) {
      delivery::QueueItem item;
      item.destination = n <= 5 ? "orthanc" : "archive ä";
      item.sequence = journal::Sequence{n};
      item.sop_instance_uid = "1.2." + std::to_string(n);
      item.state = n % 2 == 0 ? journal::DeliveryState::kHeld : journal::DeliveryState::kWaiting;
      node_.items.push_back(item);
    }
  }
  json list(std::map<std::string, std::string> query) {
    const auto response = get("/api/v1/queue", std::move(query));
    EXPECT_EQ(response.status, 200) << response.body;
    return json::parse(response.body);
  }
};

TEST_F(QueueTest, PagesGiveEachItemOnce) {
  std::set<std::uint64_t> seen;
  std::string after;
  for (int pages = 0;; ++pages) {
    ASSERT_LT(pages, 10);
    const auto page = list({{"limit", "4"}, {"after", after}});
    for (const auto& item : page.at("items")) {
      EXPECT_TRUE(seen.insert(item.at("sequence").get<std::uint64_t>()).second);
    }
    if (page.at("next").is_null()) break;
    EXPECT_EQ(page.at("items").size(), 4U);
    after = page.at("next");
  }
  EXPECT_EQ(seen.size(), 25U);
}

TEST_F(QueueTest, APageThatEndsWithTheQueueHasNoNext) {
  EXPECT_TRUE(list({{"limit", "25"}}).at("next").is_null());
  EXPECT_TRUE(list({{"limit", "24"}}).at("next").is_string());
}

TEST_F(QueueTest, FiltersByDestinationAndState) {
  EXPECT_EQ(list({{"destination", "orthanc"}}).at("items").size(), 5U);
  const auto held = list({{"destination", "orthanc"}, {"state", "held"}}).at("items");
  ASSERT_EQ(held.size(), 2U);
  EXPECT_EQ(held.at(0).at("state"), "held");
  for (const char* key : {"destination", "sequence", "sop_instance_uid", "state", "attempts",
                          "next_attempt", "reason"}) {
    EXPECT_TRUE(held.at(0).contains(key)) << key;
  }
}

TEST_F(QueueTest, UnknownNamesAreRefusedWithTheNearestOne) {
  const auto destination = get("/api/v1/queue", {{"destination", "orthnac"}});
  EXPECT_EQ(destination.status, 400);
  EXPECT_EQ(message(destination), "no destination \"orthnac\"; did you mean \"orthanc\"?");
  const auto state = get("/api/v1/queue", {{"state", "wating"}});
  EXPECT_EQ(state.status, 400);
  EXPECT_NE(message(state).find("did you mean \"waiting\"?"), std::string::npos);
  const auto name = get("/api/v1/queue", {{"destnation", "orthanc"}});
  EXPECT_EQ(name.status, 400);
  EXPECT_NE(message(name).find("did you mean \"destination\"?"), std::string::npos);
  EXPECT_EQ(get("/api/v1/queue", {{"state", "delivered"}}).status, 400);
  EXPECT_EQ(message(get("/api/v1/queue", {{"destination", "zzzzzzzzzz"}})),
            "no destination \"zzzzzzzzzz\"");
}

TEST_F(QueueTest, LimitsOutsideTheirBoundsAreRefused) {
  for (const char* limit : {"0", "1001", "-1", "ten", "1e3", "99999999999999999999", "10 "}) {
    EXPECT_EQ(get("/api/v1/queue", {{"limit", limit}}).status, 400) << limit;
  }
  EXPECT_EQ(get("/api/v1/queue", {{"limit", "1000"}}).status, 200);
}

TEST_F(QueueTest, AFalsifiedPositionIsRefused) {
  for (const char* after :
       {"1", "-", "x-6f", "1-6", "1-zz", "1-", "99999999999999999999-6f", "1-6f727468616e6364"}) {
    EXPECT_EQ(get("/api/v1/queue", {{"after", after}}).status, 400) << after;
  }
  EXPECT_EQ(get("/api/v1/queue", {{"after", "1-6f727468616e63"}}).status, 200);
}

TEST_F(ApiTest, OtherPathsAreNotFound) {
  for (const char* path : {"", "/", "/metrics/", "/api/v1", "/api/v1/queue/purge", "/api/v1/events",
                           "/api/v2/status", "/openapi.json", "//metrics"}) {
    const auto response = get(path);
    EXPECT_EQ(response.status, 404) << path;
    EXPECT_EQ(code(response), "not_found");
  }
}

TEST_F(ApiTest, OtherMethodsAreNotAllowedAndSayWhichAre) {
  for (const char* method : {"POST", "PUT", "DELETE", "PATCH", "OPTIONS", "get", ""}) {
    Request request;
    request.method = method;
    request.path = "/api/v1/status";
    const auto response = api_.handle(request);
    EXPECT_EQ(response.status, 405) << method;
    EXPECT_EQ(response.allow, "GET, HEAD");
    EXPECT_EQ(code(response), "method_not_allowed");
  }
}

TEST_F(ApiTest, ADefectBehindAQuestionIs500AndTellsNothing) {
  node_.metrics.clear();
  const auto response = get("/api/v1/status");
  EXPECT_EQ(response.status, 500);
  EXPECT_EQ(response.body.find("no status"), std::string::npos);
}

TEST_F(ApiTest, UnknownParametersAreRefused) {
  EXPECT_EQ(get("/api/v1/status", {{"verbose", "1"}}).status, 400);
  EXPECT_EQ(get("/api/v1/trace/1.2", {{"limit", "1"}}).status, 400);
}

TEST_F(ApiTest, ForgettingAPatientIsAPostWithTheOperatorsName) {
  Request request;
  request.path = "/api/v1/audit/forget";
  EXPECT_EQ(api_.handle(request).status, 405);
  request.method = "POST";
  request.operator_name = "ops";
  for (const char* body : {"", "[]", "{}", "{\"patient\": 1}", "{\"patient\": \"\"}",
                           "{\"patient\": \"a\", \"more\": 1}"}) {
    request.body = body;
    EXPECT_EQ(api_.handle(request).status, 400) << body;
  }
  EXPECT_EQ(node_.forgotten, "");
  request.body = "{\"patient\": \"4711\"}";
  EXPECT_EQ(api_.handle(request).status, 200);
  EXPECT_EQ(node_.forgotten, "4711");
  EXPECT_EQ(node_.forgotten_by, "ops");
  request.body = "{\"patient\": \"unknown\"}";
  EXPECT_EQ(code(api_.handle(request)), "unsupported");
}

TEST_F(ApiTest, LookUpsOfUidsAreRecorded) {
  Request request;
  request.path = "/api/v1/uid-lookups";
  EXPECT_EQ(api_.handle(request).status, 405);
  request.method = "POST";
  for (const char* body : {"", "[]", "{}", R"({"uids": []})", R"({"uids": ["x"]})",
                           R"({"uids": [1]})", R"({"uids": ["1.2"], "more": 1})"}) {
    request.body = body;
    EXPECT_EQ(api_.handle(request).status, 400) << body;
  }
  EXPECT_TRUE(node_.looked_up.empty());
  request.body = R"({"uids": ["1.2.3", "2.25.7"]})";
  EXPECT_EQ(api_.handle(request).status, 200);
  EXPECT_EQ(node_.looked_up, (std::vector<std::string>{"1.2.3", "2.25.7"}));
}

class OperationTest : public ApiTest {
 protected:
  Response post(const std::string& path, const json& body) {
    Request request;
    request.method = "POST";
    request.path = path;
    request.body = body.dump();
    request.operator_name = "alice";
    return api_.handle(request);
  }
};

TEST_F(OperationTest, ASelectionReachesTheNode) {
  node_.operation->affected = 7;
  const auto answer =
      post("/api/v1/queue/drop",
           {{"destination", "orthanc"}, {"state", "held"}, {"study", "1.2.3"}, {"dry_run", true}});
  ASSERT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(json::parse(answer.body).at("affected"), 7);
  ASSERT_TRUE(node_.operated);
  EXPECT_EQ(node_.operated->kind, delivery::OperationRequest::Kind::kDrop);
  EXPECT_EQ(node_.operated->who, "alice");
  EXPECT_TRUE(node_.operated->dry_run);
  EXPECT_EQ(node_.operated->selection.destination, "orthanc");
  EXPECT_EQ(node_.operated->selection.state, journal::DeliveryState::kHeld);
  EXPECT_EQ(node_.operated->selection.study, *Uid::parse("1.2.3"));
  EXPECT_FALSE(node_.operated->selection.object);
  ASSERT_EQ(post("/api/v1/queue/reroute", {{"state", "unrouted"}}).status, 200);
  EXPECT_TRUE(node_.operated->selection.unrouted);
  ASSERT_EQ(post("/api/v1/destinations/archive ä/pause", json::object()).status, 200);
  EXPECT_EQ(node_.operated->kind, delivery::OperationRequest::Kind::kPause);
  EXPECT_EQ(node_.operated->selection.destination, "archive ä");
}

TEST_F(OperationTest, WhatIsNotUnderstoodIsRefusedWithTheNearestWordAndChangesNothing) {
  struct Case {
    const char* path;
    json body;
    const char* says;
  };
  for (const Case& each : std::vector<Case>{
           {"retry", {{"destination", "orthnac"}}, "did you mean 'orthanc'"},
           {"retry", {{"state", "hled"}}, "did you mean 'held'"},
           {"retry", {{"state", "damaged"}}, "it knows waiting, unknown, held"},
           {"retry", {{"state", "sending"}}, "pause the destination first"},
           {"pause", {{"state", "held"}}, "pause takes no state"},
           {"drop", {{"studdy", "1.2"}}, "did you mean 'study'"},
           {"drop", {{"study", "1..2"}}, "study is not a UID"},
           {"drop", {{"study", 1}}, "study must be a text"},
           {"drop", {{"dry_run", "yes"}}, "dry_run must be true or false"},
           {"drop", json::array(), "must be a JSON object"},
           {"drop", {{"state", "unrouted"}, {"destination", "orthanc"}}, "has no destination"}}) {
    const auto answer = post(std::string("/api/v1/queue/") + each.path, each.body);
    EXPECT_EQ(answer.status, 400) << each.says;
    EXPECT_NE(message(answer).find(each.says), std::string::npos) << message(answer);
  }
  EXPECT_EQ(post("/api/v1/destinations/orthnac/pause", json::object()).status, 404);
  EXPECT_EQ(post("/api/v1/queue/purge", json::object()).status, 404);
  EXPECT_EQ(get("/api/v1/queue/drop").status, 405);
  EXPECT_FALSE(node_.operated);
}

TEST_F(OperationTest, WhatTheNodeCouldNotDoIsTold) {
  node_.operation = Error{Errc::kNotFound, "no such UID"};
  EXPECT_EQ(post("/api/v1/queue/drop", {{"object", "1.2"}}).status, 404);
  delivery::OperationReport half;
  half.affected = 3;
  half.stopped = Error{Errc::kFenced, "disk"};
  node_.operation = half;
  const auto answer = post("/api/v1/queue/drop", {{"object", "1.2"}});
  EXPECT_EQ(answer.status, 503);
  EXPECT_NE(message(answer).find("after 3"), std::string::npos);
}

TEST_F(OperationTest, AReportIsOfADay) {
  EXPECT_EQ(json::parse(get("/api/v1/report", {{"day", "2026-01-31"}}).body).at("day"),
            "2026-01-31");
  EXPECT_EQ(get("/api/v1/report", {{"day", "never"}}).status, 400);
  EXPECT_EQ(get("/api/v1/report", {{"day", "2026-01-02"}}).status, 503);
  EXPECT_EQ(get("/api/v1/report", {{"dya", "2026-01-31"}}).status, 400);
}

}  // namespace
}  // namespace dr::admin
