// Copies that rules transform, as their destinations get them.

#include <algorithm>
#include <fstream>

#include <gtest/gtest.h>

#include "test/e2e/asking.h"
#include "test/e2e/objects.h"
#include "test/support/router.h"
#include "test/support/storescp.h"

namespace dr::test {
namespace {

constexpr const char* kKeys = "[keys]\npseudonym = \"a key that nobody guesses\"\n";

std::string rule(const std::string& name, const std::string& destination,
                 const std::string& transform) {
  return "[[rule]]\nname = \"" + name + "\"\nwhen = {}\nroute = [\"" + destination + "\"]\n" +
         (transform.empty() ? "" : "transform = " + transform + "\n");
}

/// An element of a file as dcmdump shows it.
std::string dumped(const std::filesystem::path& file, const std::string& tag) {
  const std::string line = run({"dcmdump", "-q", "+P", tag, file.string()}).output;
  const auto open = line.find('[');
  return open == std::string::npos ? line : line.substr(open + 1, line.find(']') - open - 1);
}

/// {"destination": …} of the only item of the queue.
nlohmann::json only_item(const Router& router) {
  const auto queue = router.ask({"queue", "list"});
  return queue.size() == 1 ? queue.front() : nlohmann::json::object();
}

TEST(Transform, EachDestinationGetsItsOwnCopy) {
  const TempDir folder;
  ObjectSpec spec;
  spec.patient_id = "SECRET-ID";
  spec.patient_name = "Secret^Name";
  spec.extra.push_back({0x0028, 0x0301, "CS", "NO"});
  const auto file = write_part10(spec, folder / "object.dcm");
  Storescp plain;
  Storescp research;
  Router router(
      {.destinations =
           dimse_destination("plain", plain.port()) +
           dimse_destination("research", research.port(), "require = \"deidentified\"\n") +
           folder_destination("archive", folder / "archive"),
       .rules = rule("plain", "plain", "") +
                rule("research", "research",
                     "[{ deidentify = \"basic\" }, { set = \"ClinicalTrialProtocolID\", to = "
                     "\"TRIAL-7\" }]") +
                rule("archive", "archive", "[{ prefix = \"PatientID\", with = \"A-\" }]"),
       .more = kKeys});
  ASSERT_EQ(Modality(router.port()).send({file}).at("sent"), 1);
  router.wait_until_idle();

  ASSERT_EQ(plain.files().size(), 1U);
  EXPECT_TRUE(holds(stored(plain.folder()), spec.sop_instance_uid, data_set(file)));

  ASSERT_EQ(research.files().size(), 1U);
  const auto copy = research.files().front();
  EXPECT_EQ(dumped(copy, "0012,0062"), "YES");
  EXPECT_EQ(dumped(copy, "0012,0020"), "TRIAL-7");
  const std::string uid = dumped(copy, "0008,0018");
  EXPECT_TRUE(uid.starts_with("2.25."));
  EXPECT_NE(uid, spec.sop_instance_uid);
  EXPECT_EQ(dumped(copy, "0002,0003"), uid) << "in the command as in the data set";
  EXPECT_EQ(read_text(copy).find("SECRET"), std::string::npos);
  EXPECT_EQ(read_text(copy).find("Secret"), std::string::npos);

  const auto archived = files_below(folder / "archive");
  ASSERT_EQ(archived.size(), 1U);
  EXPECT_EQ(dumped(archived.front(), "0010,0020"), "A-SECRET-ID");
  EXPECT_EQ(dumped(archived.front(), "0008,0018"), spec.sop_instance_uid);

  EXPECT_TRUE(soon([&] {
    const auto trace = router.ask({"trace", spec.sop_instance_uid});
    const auto& object = trace.at("objects").back();
    return object.at("deliveries").size() == 3 && object.at("decisions")
                                                      .at(1)
                                                      .at("transform")
                                                      .get<std::string>()
                                                      .starts_with("[{deidentify=\"basic\"}");
  })) << router.ask({"trace", spec.sop_instance_uid}).dump(2);
}

TEST(Transform, RulesThatDisagreeHoldTheCopyAndNothingLeaves) {
  const TempDir folder;
  Storescp research;
  Router router({.destinations = dimse_destination("research", research.port()),
                 .rules = rule("a", "research", "[{ remove = \"PatientName\" }]") +
                          rule("b", "research", "")});
  ASSERT_EQ(Modality(router.port()).send({write_part10({}, folder / "o.dcm")}).at("sent"), 1);
  EXPECT_TRUE(soon([&] { return only_item(router).value("state", "") == "held"; }));
  EXPECT_TRUE(research.files().empty());
  router.stop();
  router.start();
  EXPECT_EQ(only_item(router).value("state", ""), "held");
  EXPECT_TRUE(research.files().empty());
}

TEST(Transform, ADestinationForDeidentifiedCopiesTakesNoOthers) {
  const TempDir folder;
  Storescp research;
  Router router({.destinations =
                     dimse_destination("research", research.port(), "require = \"deidentified\"\n"),
                 .rules = rule("a", "research", "[{ remove = \"PatientName\" }]")});
  ASSERT_EQ(Modality(router.port()).send({write_part10({}, folder / "o.dcm")}).at("sent"), 1);
  EXPECT_TRUE(soon([&] { return only_item(router).value("state", "") == "held"; }));
  EXPECT_EQ(only_item(router).value("reason", ""), "not_deidentified");
  EXPECT_TRUE(research.files().empty());
}

TEST(Transform, OneThatFailsHoldsTheCopyWithItsReason) {
  const TempDir folder;
  Storescp research;
  std::ofstream(folder / "map.csv") << "OTHER,X\n";
  const std::string map =
      "[{ map = \"PatientID\", file = \"" + (folder / "map.csv").string() + "\" }]";
  Router router({.destinations = dimse_destination("research", research.port()),
                 .rules = rule("a", "research", map)});
  const Modality modality(router.port());
  ASSERT_EQ(modality.send({write_part10({}, folder / "o.dcm")}).at("sent"), 1);
  EXPECT_TRUE(soon([&] { return only_item(router).value("reason", "") == "map_missing"; }));
  ObjectSpec other;
  other.patient_id = "OTHER";
  std::ofstream(folder / "map.csv") << "OTHER,Y\n";
  ASSERT_EQ(modality.send({write_part10(other, folder / "p.dcm")}).at("sent"), 1);
  EXPECT_TRUE(soon([&] {
    const auto queue = router.ask({"queue", "list"});
    return queue.size() == 2 && queue[1].value("reason", "") == "map_changed";
  })) << router.ask({"queue", "list"}).dump();
  EXPECT_TRUE(research.files().empty());
}

TEST(Transform, CopiesAreMadeAgainAfterAKillAndLeaveNoFileBehind) {
  const TempDir folder;
  Storescp research;
  research.stop();
  Router router({.destinations = dimse_destination("research", research.port()),
                 .rules = rule("a", "research", "[{ set = \"PatientID\", to = \"NEW\" }]")});
  ObjectSpec spec;
  ASSERT_EQ(Modality(router.port()).send({write_part10(spec, folder / "o.dcm")}).at("sent"), 1);
  router.kill();
  // Other rules now: what was decided stays decided.
  std::ofstream(router.folder() / "conf/rules.d/10-test.toml") << rule("a", "research", "");
  research.start();
  router.start();
  router.wait_until_idle();
  ASSERT_EQ(research.files().size(), 1U);
  EXPECT_EQ(dumped(research.files().front(), "0010,0020"), "NEW");
  for (const auto& file : files_below(router.folder() / "spool")) {
    EXPECT_FALSE(file.filename().string().starts_with("copy-")) << file;
  }
}

TEST(Transform, ExplainShowsWhatEachDestinationGets) {
  const TempDir folder;
  ObjectSpec spec;
  spec.patient_id = "17";
  const auto file = write_part10(spec, folder / "o.dcm");
  const auto strict = [&](const std::string& name) {
    return folder_destination(name, folder / name) + "require = \"deidentified\"\n";
  };
  Router router(
      {.destinations = folder_destination("plain", folder / "plain") +
                       folder_destination("archive", folder / "archive") +
                       folder_destination("both", folder / "both") + strict("research"),
       .rules = rule("plain", "plain", "") +
                rule("archive", "archive", "[{ prefix = \"PatientID\", with = \"A-\" }]") +
                rule("one", "both", "[{ remove = \"PatientName\" }]") + rule("other", "both", "") +
                rule("research", "research", "[{ set = \"PatientID\", to = \"X\" }]")});
  const auto told = router.ask({"explain", "--json", file.string()});
  EXPECT_EQ(told.at("route"), nlohmann::json::array({"plain", "archive", "both", "research"}));
  const auto change = nlohmann::json{{"element", "PatientID"}, {"before", "17"}, {"after", "A-17"}};
  EXPECT_EQ(told.at("transforms"), (nlohmann::json{{"archive", nlohmann::json::array({change})}}));
  EXPECT_EQ(told.at("held"),
            (nlohmann::json{{"both", "conflicting_transforms"}, {"research", "not_deidentified"}}));
  const auto words = router.run({"explain", file.string()}).output;
  EXPECT_NE(words.find("archive gets it changed:\n      PatientID: \"17\" -> \"A-17\"\n"),
            std::string::npos)
      << words;
  EXPECT_NE(words.find("both gets nothing, held: conflicting_transforms\n"), std::string::npos);

  // Over HTTP, and of an object in the journal, the same; nothing stays behind in the spool.
  httplib::Client client("127.0.0.1", router.admin_port());
  client.set_read_timeout(60);
  const auto answer = client.Post("/api/v1/explain", read_text(file), "application/dicom");
  ASSERT_TRUE(answer);
  ASSERT_EQ(answer->status, 200) << answer->body;
  const auto posted = nlohmann::json::parse(answer->body);
  EXPECT_EQ(posted.at("transforms"), told.at("transforms"));
  EXPECT_EQ(posted.at("held"), told.at("held"));
  ASSERT_EQ(Modality(router.port()).send({file}).at("sent"), 1);
  const auto stored = router.ask({"explain", "--json", spec.sop_instance_uid});
  EXPECT_EQ(stored.at("transforms"), told.at("transforms")) << stored.dump(2);
  EXPECT_EQ(stored.at("held"), told.at("held"));
  EXPECT_EQ(stored.at("untried"), nlohmann::json::object());
}

TEST(Transform, WhoeverLooksUpAUidIsRecorded) {
  const TempDir folder;
  Router router({.destinations = folder_destination("archive", folder / "archive"),
                 .rules = rule("a", "archive", "[{ uid_remap = \"all\", reversible = true }]"),
                 .more = kKeys});
  EXPECT_EQ(router.run({"uid", "lookup", "1.2.3"}).status, 1) << "no map yet";
  ObjectSpec spec;
  ASSERT_EQ(Modality(router.port()).send({write_part10(spec, folder / "o.dcm")}).at("sent"), 1);
  router.wait_until_idle();
  const auto told = router.ask({"uid", "lookup", "--json", spec.sop_instance_uid});
  ASSERT_EQ(told.at("items").size(), 1U) << told.dump(2);
  EXPECT_EQ(told.at("items").at(0).at("original"), spec.sop_instance_uid);
  const auto pseudonym = told.at("items").at(0).at("pseudonym").get<std::string>();
  EXPECT_TRUE(pseudonym.starts_with("2.25."));
  const auto words = router.run({"uid", "lookup", pseudonym});
  EXPECT_EQ(words.status, 0);
  EXPECT_NE(words.output.find(spec.sop_instance_uid + "  " + pseudonym), std::string::npos)
      << words.output;
  EXPECT_EQ(router.run({"uid", "lookup", "1.2.3"}).status, 1);
  EXPECT_EQ(router.run({"uid", "lookup", "x"}).status, 2);
  const std::string database = (router.folder() / "audit.sqlite").string();
  EXPECT_TRUE(soon([&] {
    return run({"sqlite3", database,
                "SELECT action, target FROM operator_action WHERE action = 'uid-lookup'"})
               .output.find("uid-lookup|" + pseudonym) != std::string::npos;
  }));
  EXPECT_EQ(router.stop(), 0);
  const auto offline = router.run({"uid", "lookup", pseudonym});
  EXPECT_EQ(offline.status, 0);
  EXPECT_NE(offline.output.find("no node runs: the look-up is not recorded"), std::string::npos);
}

TEST(Transform, TheSendersCharacterSetIsThatOfObjectsThatNameNone) {
  const TempDir folder;
  Router router({.destinations = folder_destination("archive", folder / "archive"),
                 .rules = "[[rule]]\nname = \"m\"\nwhen = { PatientName = \"Müller\" }\n"
                          "route = [\"archive\"]\n"
                          "transform = [{ set = \"StudyID\", to = \"{PatientName|slice:1:2}\" }]\n",
                 .more = "[[source]]\nae_title = \"*\"\naddresses = [\"127.0.0.0/8\"]\n"
                         "charset = \"ISO_IR 100\"\n"});
  ObjectSpec spec;
  spec.patient_name = "M\xfcller";
  spec.extra.push_back({0x0008, 0x0005, "CS", ""});  // names no character set
  const auto file = write_part10(spec, folder / "o.dcm");
  const auto told = router.ask({"explain", "--json", "--from", "127.0.0.1", file.string()});
  EXPECT_EQ(told.at("route"), nlohmann::json::array({"archive"})) << told.dump(2);
  ASSERT_EQ(Modality(router.port()).send({file}).at("sent"), 1);
  router.wait_until_idle();
  const auto copies = files_below(folder / "archive");
  ASSERT_EQ(copies.size(), 1U) << router.log();
  EXPECT_EQ(dumped(copies.front(), "0008,0005"), "ISO_IR 100");
  EXPECT_EQ(dumped(copies.front(), "0020,0010"), "\xfc");
  EXPECT_EQ(dumped(copies.front(), "0010,0010"), "M\xfcller");
}

TEST(Transform, AMapIsPartOfTheRulesAndReadAgainWithThem) {
  const TempDir folder;
  Storescp research;
  Router router({.destinations = dimse_destination("research", research.port()),
                 .rules = rule("a", "research", "")});
  const auto rules = router.folder() / "conf/rules.d";
  ObjectSpec spec;
  spec.patient_id = "17";
  const auto file = write_part10(spec, folder / "o.dcm");
  const auto sent_as = [&](const std::string& id) {
    std::ofstream(rules / "ids.csv") << "17," << id << "\n";
    return soon([&] {
      Modality(router.port()).send({file});
      router.wait_until_idle();
      return std::ranges::any_of(research.files(),
                                 [&](const auto& copy) { return dumped(copy, "0010,0020") == id; });
    });
  };
  std::ofstream(rules / "ids.csv") << "17,none\n";
  std::ofstream(rules / "10-test.toml")
      << rule("a", "research", "[{ map = \"PatientID\", file = \"ids.csv\" }]");
  EXPECT_TRUE(sent_as("first")) << router.log();
  EXPECT_TRUE(sent_as("second")) << router.log();
}

TEST(Transform, AKeyThatIsMissingIsAnErrorOfTheRules) {
  const TempDir folder;
  Router router({.destinations = folder_destination("archive", folder / "archive"),
                 .rules = rule("a", "archive", "")});
  std::ofstream(router.folder() / "conf/rules.d/10-test.toml")
      << rule("a", "archive", "[{ uid_remap = \"all\" }]");
  const auto checked = router.run({"check"});
  EXPECT_EQ(checked.status, 1);
  EXPECT_NE(checked.output.find("needs [keys] pseudonym"), std::string::npos) << checked.output;
}

}  // namespace
}  // namespace dr::test
