// What an admin types, and what the process answers to signals and probes.
#include <fstream>
#include <regex>
#include <thread>

#include <gtest/gtest.h>
#include <httplib.h>

#include "test/e2e/asking.h"
#include "test/e2e/objects.h"
#include "test/support/paths.h"
#include "test/support/port.h"
#include "test/support/router.h"
#include "test/support/storescp.h"

namespace dr::test {
namespace {

using namespace std::chrono_literals;

void write_rules(const Router& router, const std::string& text) {
  std::ofstream(router.config().parent_path() / "rules.d/10-test.toml") << text;
}

class CommandLine : public testing::Test {
 protected:
  CommandLine()
      : router_({.destinations = folder_destination("first", "../first") +
                                 folder_destination("second", "../second") +
                                 dimse_destination("peer", peer_.port()),
                 .rules = route_all({"first"})}) {}

  /// Sends a new object; its SOP Instance UID.
  std::string send_one() {
    TempDir folder;
    const auto file = write_part10({}, folder / "one.dcm");
    EXPECT_EQ(Modality(router_.port()).send({file}).at("sent"), 1);
    return file::Part10Reader::open(file.string())->header().sop_instance_uid.str();
  }
  bool in(const std::string& folder, const std::string& uid) {
    return stored(router_.folder() / folder).contains(uid);
  }

  Storescp peer_;
  Router router_;
};

TEST_F(CommandLine, CheckNamesThePlaceOfEachMistake) {
  EXPECT_EQ(router_.run({"check"}).status, 0);
  write_rules(router_,
              "[[rule]]\nname = \"a\"\n[rule.when]\nModalty = \"CT\"\n"
              "[[rule]]\nname = \"b\"\nwhen = \"unmatched\"\nroute = [\"frist\"]\n");
  const auto checked = router_.run({"check"});
  EXPECT_EQ(checked.status, 1);
  EXPECT_NE(checked.output.find("10-test.toml:4:1: "), std::string::npos) << checked.output;
  EXPECT_NE(checked.output.find("did you mean 'Modality'?"), std::string::npos) << checked.output;
  EXPECT_NE(checked.output.find("10-test.toml:8:"), std::string::npos) << checked.output;
  EXPECT_NE(checked.output.find("did you mean 'first'?"), std::string::npos) << checked.output;
}

/// Prose has a space behind its '#' in rule files; in router.toml, what can be set has "# key =".
std::string uncommented(const std::filesystem::path& file) {
  static const std::regex kSetting("# (\\[|[a-z_]+ *= ).*");
  std::ifstream in(file);
  std::string text;
  for (std::string line; std::getline(in, line);) {
    const bool rule =
        line.starts_with('#') && (!line.starts_with("# ") || line.starts_with("#  {"));
    if (rule && file.parent_path().filename() == "rules.d") line.erase(0, 1);
    if (std::regex_match(line, kSetting)) line.erase(0, 2);
    text += line + "\n";
  }
  return text;
}

TEST_F(CommandLine, CheckAcceptsWhatIsShippedWithEverythingUncommented) {
  TempDir folder;
  const auto conf = folder / "conf";
  std::filesystem::copy(test::source_dir() / "conf", conf,
                        std::filesystem::copy_options::recursive);
  for (const char* file : {"router.toml", "rules.d/10-examples.toml", "rules.d/15-waits.toml",
                           "rules.d/20-research.toml", "rules.d/90-archive.toml"}) {
    const std::string text = uncommented(conf / file);
    std::ofstream(conf / file) << text;
  }
  ::setenv("ROUTER_AUDIT_KEY", "a key for tests", 1);
  ::setenv("ROUTER_ADMIN_TOKEN", "a token for tests only", 1);
  for (const char* secret : {"ROUTER_PSEUDONYM_KEY", "ROUTER_WEBHOOK_SECRET", "PG_PASSWORD",
                             "MYSQL_PASSWORD", "ORTHANC_PASSWORD", "TOKEN"}) {
    ::setenv(secret, "another secret for tests", 1);
  }
  auto checked = run({router_program().string(), "check", "-c", (conf / "router.toml").string()});
  EXPECT_EQ(checked.status, 0) << checked.output;
  EXPECT_NE(checked.output.find("6 destination(s), 14 rule(s)"), std::string::npos)
      << checked.output;
  // Other ways to servers that the rules name already.
  for (const std::string name : {"orthanc-rest", "web"}) {
    const std::string warning = "warning: no rule routes to the destination '" + name + "'";
    const auto at = checked.output.find(warning);
    ASSERT_NE(at, std::string::npos) << name;
    checked.output.erase(at, warning.size());
  }
  EXPECT_EQ(checked.output.find("warning: no rule routes"), std::string::npos) << checked.output;
}

TEST_F(CommandLine, CheckReadsTheRulesThoughTheConfigurationHasErrors) {
  write_rules(router_, "[[rule]]\nname = \"a\"\nwhen = {}\nroute = [\"frist\"]\n");
  std::ofstream(router_.config(), std::ios::app) << "[nodes]\n";
  const auto checked = router_.run({"check"});
  EXPECT_EQ(checked.status, 1);
  EXPECT_NE(checked.output.find("did you mean 'node'?"), std::string::npos) << checked.output;
  EXPECT_NE(checked.output.find("did you mean 'first'?"), std::string::npos) << checked.output;
}

TEST_F(CommandLine, CheckPrintsTheCanonicalRules) {
  write_rules(router_,
              "[[rule]]\nname = \"a\"\nroute = [\"first\"]\n"
              "when = { not = { not = { Modality = [\"MR\", \"CT\"] } } }\n");
  const auto canonical = router_.run({"check", "--canonical"});
  EXPECT_EQ(canonical.status, 0);
  EXPECT_NE(canonical.output.find("when = { \"Modality\" = [\"CT\", \"MR\"] }\n"),
            std::string::npos)
      << canonical.output;
}

TEST_F(CommandLine, ExplainTellsWhyOfAFileAndOfWhatTheJournalHas) {
  write_rules(router_,
              "[[rule]]\nname = \"emergency\"\nwhen = { source.ae_title = \"ED_*\" }\n"
              "route = [\"peer\"]\npriority = \"high\"\n" +
                  route_all({"first"}));
  TempDir folder;
  const auto file = write_part10({}, folder / "one.dcm");
  const auto uid = file::Part10Reader::open(file.string())->header().sop_instance_uid.str();
  const auto told = router_.ask({"explain", "--json", "--calling", "ED_1", file.string()});
  EXPECT_EQ(told.at("file"), file.string());
  EXPECT_EQ(told.at("sop_instance_uid"), uid);
  EXPECT_EQ(told.at("route"), nlohmann::json::array({"peer"}));
  const auto& rule = told.at("rules").at(0);
  EXPECT_EQ(rule.at("rule"), "emergency");
  EXPECT_EQ(rule.at("file"), "10-test.toml");
  EXPECT_EQ(rule.at("line"), 1);
  EXPECT_EQ(rule.at("conditions").at(0).at("seen"), "ED_1");
  const auto words = router_.run({"explain", file.string()});
  EXPECT_EQ(words.status, 0);
  EXPECT_NE(words.output.find("10-test.toml:1 'emergency': does not match\n"
                              "      no   source.ae_title = \"ED_*\", seen ''"),
            std::string::npos)
      << words.output;
  EXPECT_NE(words.output.find("=> first\n"), std::string::npos) << words.output;

  // Of the journal: the node's rules, which are the first ones, and the real sender.
  peer_.stop();
  write_rules(router_, route_all({"peer"}));
  router_.process().send_signal(SIGHUP);
  EXPECT_TRUE(soon([&] {
    return router_.ask({"explain", "--json", file.string()}).at("rules_sha256") ==
           router_.ask({"explain", "--json", send_one()}).at("rules_sha256");
  }));
  const auto waiting = send_one();
  const auto stored = router_.ask({"explain", "--json", waiting});
  EXPECT_EQ(stored.at("sop_instance_uid"), waiting);
  EXPECT_EQ(stored.at("route"), nlohmann::json::array({"peer"}));
  EXPECT_EQ(stored.at("decided").at("route"), nlohmann::json::array({"peer"}));
  EXPECT_EQ(router_.run({"explain", "1.2.3.4.5"}).status, 1);
  EXPECT_EQ(router_.run({"explain", (folder / "none.dcm").string()}).status, 3);
  EXPECT_EQ(router_.run({"explain"}).status, 2);
  EXPECT_EQ(router_.log().find("ED_1"), std::string::npos);
}

TEST_F(CommandLine, ServeRefusesWhatCheckRefuses) {
  EXPECT_EQ(router_.stop(), 0);
  write_rules(router_, "[[rule]]\nnmae = \"a\"\n");
  const auto refused = router_.run({"serve"});
  EXPECT_EQ(refused.status, 1);
  EXPECT_NE(refused.output.find("10-test.toml:2:1: "), std::string::npos) << refused.output;
}

TEST_F(CommandLine, EchoTellsWhetherADestinationAnswers) {
  EXPECT_EQ(router_.run({"echo", "peer"}).status, 0);
  peer_.stop();
  EXPECT_EQ(router_.run({"echo", "peer"}).status, 3);
  EXPECT_EQ(router_.run({"echo", "perr"}).status, 2);
}

TEST_F(CommandLine, HangUpReadsTheRulesAgain) {
  const auto before = send_one();
  write_rules(router_, route_all({"second"}));
  const std::string first_reload =
      metric(router_, "dicom_router_rules_last_reload_timestamp_seconds");
  router_.process().send_signal(SIGHUP);
  EXPECT_TRUE(soon([&] {
    return metric(router_, "dicom_router_rules_last_reload_timestamp_seconds") != first_reload;
  }));
  const auto after = send_one();
  router_.wait_until_idle();
  EXPECT_TRUE(in("first", before) && !in("first", after));
  EXPECT_TRUE(in("second", after) && !in("second", before));
}

TEST_F(CommandLine, ABrokenReloadKeepsTheRulesThatWork) {
  write_rules(router_, "[[rule]]\nname = \"half\n");
  router_.process().send_signal(SIGHUP);
  EXPECT_TRUE(soon([&] { return metric(router_, "dicom_router_rules_reload_success") == "0"; }));
  EXPECT_NE(router_.log().find("10-test.toml:2:"), std::string::npos) << router_.log();
  const auto uid = send_one();
  router_.wait_until_idle();
  EXPECT_TRUE(in("first", uid));
}

TEST_F(CommandLine, TerminateDrainsAndWhatWaitsIsDeliveredAfterTheNextStart) {
  write_rules(router_, route_all({"peer"}));
  EXPECT_EQ(router_.stop(), 0);
  router_.start();
  peer_.stop();
  const auto uid = send_one();
  EXPECT_EQ(router_.stop(), 0);
  EXPECT_NE(router_.log().find("node.stopped"), std::string::npos);
  peer_.start();
  router_.start();
  router_.wait_until_idle();
  EXPECT_TRUE(stored(peer_.folder()).contains(uid));
}

TEST_F(CommandLine, TraceTellsTheWholeLifeAndUnknownIsSaid) {
  const auto uid = send_one();
  router_.wait_until_idle();
  EXPECT_TRUE(soon([&] {
    return router_.run({"trace", uid}).output.find("first: delivered") != std::string::npos;
  }));
  const auto traced = router_.ask({"trace", uid}).at("objects").at(0);
  EXPECT_EQ(traced.at("sop_instance_uid"), uid);
  EXPECT_EQ(traced.at("decisions").at(0).at("rule"), "everything");
  EXPECT_EQ(traced.at("deliveries").at(0).at("outcome"), "delivered");
  EXPECT_EQ(router_.run({"trace", "1.2.3.4.5"}).status, 1);
  EXPECT_EQ(router_.run({"trace", "no-uid"}).status, 2);
}

TEST_F(CommandLine, AskingANodeThatDoesNotRunIsSaid) {
  router_.stop();
  const auto asked = router_.run({"queue", "list"});
  EXPECT_EQ(asked.status, 3);
  EXPECT_NE(asked.output.find("no node runs on"), std::string::npos);
}

TEST_F(CommandLine, VerifyFindsOneChangedOctet) {
  peer_.stop();
  write_rules(router_, route_all({"peer"}));  // so that the object stays in the journal
  router_.stop();
  router_.start();
  send_one();
  router_.stop();
  const auto sound = router_.run({"journal", "verify"});
  EXPECT_EQ(sound.status, 0) << sound.output;

  // The object's pixels stand somewhere in the middle of the one segment that is not empty.
  std::filesystem::path segment;
  std::streamoff place = 0;
  for (const auto& file : files_below(router_.folder() / "spool/journal")) {
    const Bytes octets = read_octets(file);
    const auto at = as_text(octets).find(std::string("everything"));
    if (at == std::string_view::npos) continue;
    segment = file;
    place = static_cast<std::streamoff>(at);
  }
  ASSERT_FALSE(segment.empty());
  std::fstream(segment, std::ios::in | std::ios::out | std::ios::binary).seekp(place).put('E');
  const auto damaged = router_.run({"journal", "verify"});
  EXPECT_EQ(damaged.status, 1) << damaged.output;
  const auto folder = router_.folder() / "rescued";
  const auto exported = router_.run({"journal", "export", folder.string()});
  EXPECT_EQ(exported.status, 1) << exported.output;
  const Bytes list = read_octets(folder / "objects.jsonl");
  EXPECT_NE(as_text(list).find("\"damage\""), std::string_view::npos) << as_text(list);
}

TEST_F(CommandLine, ExportRescuesWhatWaits) {
  peer_.stop();
  write_rules(router_, route_all({"peer"}));
  router_.stop();
  router_.start();
  TempDir own;
  const auto sent = write_part10({}, own / "one.dcm");
  ASSERT_EQ(Modality(router_.port()).send({sent}).at("sent"), 1);
  const auto folder = router_.folder() / "rescued";
  const auto running = router_.run({"journal", "export", folder.string()});
  EXPECT_EQ(running.status, 3) << running.output;
  router_.stop();
  std::filesystem::remove_all(folder);
  const auto exported = router_.run({"journal", "export", folder.string()});
  EXPECT_EQ(exported.status, 0) << exported.output;
  std::filesystem::path rescued;
  for (const auto& file : files_below(folder)) {
    if (file.extension() == ".dcm") rescued = file;
  }
  ASSERT_FALSE(rescued.empty()) << exported.output;
  EXPECT_EQ(data_set(rescued), sent_data_set(sent));
  std::ifstream list(folder / "objects.jsonl");
  const auto line = nlohmann::json::parse(list);
  EXPECT_EQ(line.at("states").at("peer"), "waiting");
  EXPECT_EQ(line.at("file"), rescued.filename().string());
  // Nothing is replaced.
  const auto again = router_.run({"journal", "export", folder.string()});
  EXPECT_EQ(again.status, 3) << again.output;
  EXPECT_EQ(data_set(rescued), sent_data_set(sent));
}

TEST_F(CommandLine, WrongUsageIsTwo) {
  EXPECT_EQ(run({router_program().string(), "serv"}).status, 2);
  EXPECT_EQ(run({router_program().string(), "trace"}).status, 2);
  EXPECT_EQ(run({router_program().string(), "--help"}).status, 0);
}

}  // namespace
}  // namespace dr::test
