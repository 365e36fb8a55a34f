// What operators do to the queues of the running node, and the account of it: pause, retry, drop,
// reroute, each recorded; the loss invariant, live and as the day's signed report, across kill -9.
#include <fstream>

#include <SQLiteCpp/SQLiteCpp.h>
#include <gtest/gtest.h>

#include "test/e2e/asking.h"
#include "test/e2e/objects.h"
#include "test/support/port.h"

namespace dr::test {
namespace {

using nlohmann::json;

constexpr const char* kKey = "a key of the tests, long enough for an HMAC";

class Queues : public testing::Test {
 protected:
  Queues() {
    ::setenv("DR_TEST_AUDIT_KEY", kKey, 1);
    router_ = std::make_unique<Router>(Router::Setup{
        .destinations =
            dimse_destination("peer", free_port()) + folder_destination("archive", "../archive"),
        .rules = route_all({"peer", "archive"}),
        .more = "[keys]\naudit = \"${DR_TEST_AUDIT_KEY}\"\n"});
  }

  ObjectSpec send() {
    ObjectSpec spec;
    const auto file = write_part10(spec, folder_ / (spec.sop_instance_uid + ".dcm"));
    EXPECT_EQ(Modality(router_->port()).send({file}).at("sent"), 1);
    return spec;
  }
  json traced(const ObjectSpec& spec) {
    return router_->ask({"trace", spec.sop_instance_uid}).at("objects");
  }
  std::vector<std::string> actions() {
    EXPECT_TRUE(soon([&] {
      return metric(*router_, "dicom_router_audit_lag_records{sink=\"sqlite\"}") == "0";
    }));
    SQLite::Database db((router_->folder() / "audit.sqlite").string(), SQLite::OPEN_READONLY);
    SQLite::Statement rows(db,
                           "SELECT action || ' ' || target || ' ' || detail FROM operator_action "
                           "WHERE action IN ('retry', 'drop', 'pause', 'resume', 'reroute') "
                           "ORDER BY sequence");
    std::vector<std::string> all;
    while (rows.executeStep()) all.push_back(rows.getColumn(0).getString());
    return all;
  }
  void expect_that_nothing_is_lost() {
    for (const json& row : router_->ask({"report"}).at("destinations")) {
      EXPECT_EQ(row.at("missing"), 0) << row.dump();
    }
    EXPECT_TRUE(router_->ask({"report"}).at("holds").get<bool>());
    EXPECT_EQ(metric(*router_, "dicom_router_loss_invariant_violations{destination=\"peer\"}"),
              "0");
  }

  TempDir folder_;
  std::unique_ptr<Router> router_;
};

TEST_F(Queues, APauseOutlivesKillMinusNineAndIsVisible) {
  EXPECT_EQ(router_->ask({"queue", "pause", "archive"}).at("affected"), 1);
  const ObjectSpec spec = send();
  router_->kill();
  router_->start();
  const std::string name = "dicom_router_destination_paused{destination=\"archive\"}";
  EXPECT_EQ(metric(*router_, name), "1");
  httplib::Client client("127.0.0.1", router_->admin_port());
  const auto answer = client.Get("/api/v1/destinations");
  ASSERT_TRUE(answer);
  EXPECT_TRUE(json::parse(answer->body).at("items").at(1).at("paused").get<bool>());
  EXPECT_TRUE(soon([&] { return router_->ask({"queue", "list", "archive"}).size() == 1; }));
  EXPECT_TRUE(stored(router_->folder() / "archive").empty());
  const auto resumed = client.Post("/api/v1/destinations/archive/resume", "{}", "application/json");
  ASSERT_TRUE(resumed);
  EXPECT_EQ(resumed->status, 200) << resumed->body;
  router_->wait_until_idle(std::chrono::seconds(60), "archive");
  EXPECT_EQ(stored(router_->folder() / "archive").size(), 1U);
  EXPECT_EQ(traced(spec).at(0).at("states").at("archive"), "delivered");
  EXPECT_EQ(actions(), (std::vector<std::string>{"pause destination=archive affected=1",
                                                 "resume destination=archive affected=1"}));
}

TEST_F(Queues, DropsWhatIsSelectedAndNothingElse) {
  const ObjectSpec dropped = send();
  const ObjectSpec kept = send();
  router_->wait_until_idle(std::chrono::seconds(60), "archive");
  const std::vector<std::string> drop{"queue", "drop", "peer", "--study",
                                      dropped.study_instance_uid};
  auto dry = drop;
  dry.emplace_back("--dry-run");
  EXPECT_TRUE(soon([&] { return router_->ask({"queue", "list", "peer"}).size() == 2; }));
  EXPECT_EQ(router_->ask(dry).at("affected"), 1);
  EXPECT_EQ(router_->ask({"queue", "list", "peer"}).size(), 2U);
  EXPECT_EQ(router_->ask(drop).at("affected"), 1);
  const auto left = router_->ask({"queue", "list"});
  ASSERT_EQ(left.size(), 1U);
  EXPECT_EQ(left.at(0).at("sop_instance_uid"), kept.sop_instance_uid);
  const auto object = traced(dropped).at(0);
  EXPECT_EQ(object.at("states").at("peer"), "dropped");
  EXPECT_EQ(object.at("reasons").at("peer").get<std::string>().substr(0, 3), "by ");
  EXPECT_EQ(object.at("states").at("archive"), "delivered");
  EXPECT_EQ(actions().size(), 1U);
  expect_that_nothing_is_lost();
}

TEST_F(Queues, SaysWhatItDoesNotUnderstand) {
  struct Case {
    std::vector<std::string> command;
    int status;
    std::string says;
  };
  for (const Case& each : std::vector<Case>{
           {{"queue", "drop"}, 2, "drop needs a selection"},
           {{"queue", "reroute"}, 2, "reroute needs a selection"},
           {{"queue", "pause"}, 2, "pause needs a destination"},
           {{"queue", "retry", "peeer"}, 2, "did you mean 'peer'"},
           {{"queue", "retry", "--state", "hold"}, 2, "did you mean 'held'"},
           {{"queue", "drop", "--state", "sending"}, 2, "pause the destination first"},
           {{"queue", "drop", "--study", "x"}, 2, "study is not a UID"},
           {{"queue", "drop", "--study", "1.2.3"}, 1, "has this UID"},
           {{"report", "--day", "2026-02-30"}, 2, "not a day"}}) {
    const auto finished = router_->run(each.command);
    EXPECT_EQ(finished.status, each.status) << each.says;
    EXPECT_NE(finished.output.find(each.says), std::string::npos) << finished.output;
  }
}

TEST_F(Queues, ReroutesByTodaysRulesAndTheReportHoldsAcrossKillMinusNine) {
  const std::vector<ObjectSpec> specs{send(), send()};
  router_->wait_until_idle(std::chrono::seconds(60), "archive");
  const auto rules = router_->folder() / "conf/rules.d/10-test.toml";
  std::ofstream(rules.string() + ".new") << route_all({"archive"});
  std::filesystem::rename(rules.string() + ".new", rules);
  EXPECT_TRUE(soon([&] {
    return router_->ask({"queue", "reroute", "peer", "--dry-run"}).at("affected") == 2;
  }));
  router_->kill();
  router_->start();
  expect_that_nothing_is_lost();
  EXPECT_EQ(router_->ask({"queue", "reroute", "peer"}).at("affected"), 2);
  EXPECT_TRUE(soon([&] { return router_->ask({"queue", "list"}).empty(); }));
  for (const ObjectSpec& spec : specs) {
    const auto lives = traced(spec);
    ASSERT_EQ(lives.size(), 2U);
    EXPECT_EQ(lives.at(0).at("states").at("peer"), "skipped");
    EXPECT_EQ(lives.at(0).at("reasons").at("peer"), "not_chosen");
    EXPECT_EQ(lives.at(1).at("states").at("archive"), "skipped");
    EXPECT_EQ(lives.at(1).at("reasons").at("archive"), "settled_before");
  }
  EXPECT_EQ(stored(router_->folder() / "archive").size(), 2U);
  expect_that_nothing_is_lost();
  router_->kill();
  router_->start();
  expect_that_nothing_is_lost();
  const auto report = router_->ask({"report"});
  EXPECT_EQ(report.at("destinations").at(0).at("destination"), "archive");
  EXPECT_EQ(report.at("destinations").at(0).at("routed"), 4);
  EXPECT_EQ(report.at("destinations").at(1).at("routed"), 2);
  // Signed: what was changed by hand shows.
  const auto file = folder_ / "report.json";
  std::ofstream(file) << report.dump();
  EXPECT_EQ(router_->run({"report", "--verify", file.string()}).status, 0);
  auto forged = report;
  forged["destinations"][0]["routed"] = 5;
  std::ofstream(file) << forged.dump();
  EXPECT_EQ(router_->run({"report", "--verify", file.string()}).status, 1);
}

TEST_F(Queues, TheReportMissesWhatTheAuditHasNot) {
  send();
  router_->wait_until_idle(std::chrono::seconds(60), "archive");
  expect_that_nothing_is_lost();
  {
    SQLite::Database db((router_->folder() / "audit.sqlite").string(), SQLite::OPEN_READWRITE,
                        10'000);
    EXPECT_EQ(db.exec("DELETE FROM instance_state WHERE destination = 'peer'"), 1);
  }
  const auto finished = router_->run({"report"});
  EXPECT_EQ(finished.status, 1);
  EXPECT_NE(finished.output.find("1 MISSING"), std::string::npos) << finished.output;
}

}  // namespace
}  // namespace dr::test
