// Candidate rules over snapshots: what would have gone elsewhere, and what can not be said.
#include "router/replay/replay.h"

#include <gtest/gtest.h>

#include "router/replay/snapshot_feed.h"
#include "router/replay/snapshot_store.h"
#include "test/router/rules/fixture.h"
#include "test/support/dicom_objects.h"

namespace dr::replay {
namespace {

const ValueHash kHash("a key");

std::string rule(const std::string& name, const std::string& when, const std::string& destination) {
  return "[[rule]]\nname = \"" + name + "\"\nwhen = " + when + "\nroute = [\"" + destination +
         "\"]\n";
}

/// A CT that went to the archive by the rule "all".
Snapshot snapshot(Keep keep = Keep::kFull, const test::ObjectSpec& spec = {}) {
  static std::uint64_t sequence = 0;
  Snapshot made;
  made.sequence = journal::Sequence{++sequence};
  made.object.received = from_micros(static_cast<std::int64_t>(sequence) * 1'000'000);
  made.object.calling_ae_title = *AeTitle::parse("CT1");
  made.object.called_ae_title = *AeTitle::parse("ROUTER");
  made.object.peer_address = "10.1.2.3";
  made.object.listener = "in";
  made.object.sop_class_uid = *Uid::parse(spec.sop_class_uid);
  made.object.sop_instance_uid = *Uid::parse(spec.sop_instance_uid);
  made.object.transfer_syntax_uid = *Uid::parse(spec.transfer_syntax);
  made.object.decisions.push_back({"all", "10.toml", 1, 1, {"archive"}, {}});
  made.object.routes.push_back({"archive", 1, {}, {}, {}});
  made.header =
      cut_header(test::make_data_set(spec), made.object.transfer_syntax_uid, true, keep, &kHash);
  return made;
}

Comparison compare(const std::string& rules, std::vector<Snapshot> snapshots,
                   Keep keep = Keep::kFull) {
  const auto candidate = rules::rules_of(rules);
  Replay replay(*candidate, "a key");
  for (const Snapshot& one : snapshots) replay.add(one, keep);
  return replay.take();
}

TEST(Replay, TheSameRulesComeToTheSame) {
  const auto result = compare(rule("all", "{}", "archive"), {snapshot(), snapshot()});
  EXPECT_EQ(result.objects, 2U);
  EXPECT_EQ(result.same, 2U);
  EXPECT_TRUE(result.changes.empty());
  EXPECT_TRUE(result.unanswered.empty());
}

TEST(Replay, NamesRuleDestinationAndExampleOfWhatGoesElsewhere) {
  const Snapshot ct = snapshot();
  test::ObjectSpec spec;
  spec.modality = "MR";
  const auto result = compare(
      rule("ct", "{ Modality = \"CT\" }", "orthanc") + rule("rest", "\"unmatched\"", "archive"),
      {ct, snapshot(Keep::kFull, spec), snapshot()});
  EXPECT_EQ(result.same, 1U);
  EXPECT_EQ(result.different, 2U);
  ASSERT_EQ(result.changes.size(), 2U);
  EXPECT_EQ(result.changes[0].what, "removed");
  EXPECT_EQ(result.changes[0].destination, "archive");
  EXPECT_EQ(result.changes[0].rule, "all");
  EXPECT_EQ(result.changes[0].objects, 2U);
  EXPECT_EQ(result.changes[1].what, "added");
  EXPECT_EQ(result.changes[1].destination, "orthanc");
  EXPECT_EQ(result.changes[1].rule, "ct");
  EXPECT_EQ(result.changes[1].example, ct.object.sop_instance_uid.str());
  EXPECT_TRUE(result.changes[1].certain);
}

TEST(Replay, SeesRefusalsWhatIsUnroutedExtractionAndWaits) {
  const auto what = [](const std::string& rules) {
    std::vector<std::string> changes;
    for (const Change& change : compare(rules, {snapshot()}).changes) {
      changes.push_back(change.what + " " + change.destination);
    }
    return changes;
  };
  using Lines = std::vector<std::string>;
  EXPECT_EQ(what("[[rule]]\nname = \"no\"\nwhen = {}\nreject = \"0124H\"\n"),
            (Lines{"added (refused 0124H)", "removed archive"}));
  EXPECT_EQ(what(rule("mr", "{ Modality = \"MR\" }", "archive")),
            (Lines{"added (unrouted)", "removed archive"}));
  EXPECT_EQ(what(rule("all", "{}", "archive") + "extract = true\n"), Lines{"added (extraction)"});
  EXPECT_EQ(what(rule("all", "{}", "archive") + "after = \"series\"\nat_most = \"1h\"\n"),
            Lines{"changed archive"});
}

TEST(Replay, AssociationFactsAreThoseOfThen) {
  EXPECT_EQ(compare(rule("a",
                         "{ source.ae_title = \"CT1\", source.address = \"10.1.2.3\", "
                         "source.listener = \"in\" }",
                         "archive"),
                    {snapshot()})
                .same,
            1U);
  const auto result = compare(
      rule("a", "{ source.user = \"x\" }", "orthanc") + rule("r", "\"unmatched\"", "archive"),
      {snapshot()});
  ASSERT_EQ(result.unanswered.size(), 1U);
  EXPECT_EQ(result.unanswered[0].key, "source.user");
  EXPECT_EQ(result.unanswered[0].reason, "is not recorded with an object");
  EXPECT_EQ(result.unanswered[0].rules, std::vector<std::string>{"a"});
}

TEST(Replay, SaysWhichRulesAskWhatItDoesNotKnow) {
  const auto result =
      compare(rule("a", "{ Modality = \"CT\" }", "orthanc") +
                  rule("b", "{ any = [{ source.tls_subject = \"CN=x\" }, { Modality = \"XX\" }] }",
                       "archive") +
                  rule("c", "{ not = { source.tls_subject = [\"CN=y\", \"CN=z\"] } }", "archive"),
              {snapshot(), snapshot()});
  ASSERT_EQ(result.unanswered.size(), 1U);
  EXPECT_EQ(result.unanswered[0].key, "source.tls_subject");
  EXPECT_EQ(result.unanswered[0].objects, 2U);
  EXPECT_EQ(result.unanswered[0].rules, (std::vector<std::string>{"b", "c"}));
}

TEST(Replay, TakesTheSendersCharacterSetForObjectsThatNameNone) {
  test::ObjectSpec spec;
  spec.patient_name = "M\xfcller";
  spec.extra.push_back({0x0008, 0x0005, "CS", ""});  // names no character set
  const auto rules = rules::rules_of(rule("m", "{ PatientName = \"Müller\" }", "archive"));
  const auto same = [&](const char* character_set) {
    Replay replay(*rules, "", [&](const journal::ObjectRecord&) { return character_set; });
    replay.add(snapshot(Keep::kFull, spec), Keep::kFull);
    return replay.take().same;
  };
  EXPECT_EQ(same("ISO_IR 100"), 1U);
  EXPECT_EQ(same("ISO_IR 144"), 0U);
}

TEST(Replay, HashedValuesEqualTheRulesLiteralsAndAnswerAbsence) {
  test::ObjectSpec spec;
  spec.patient_id = "ID-7";
  const auto hashed = snapshot(Keep::kKeyedHash, spec);
  const auto of = [&](const std::string& when) {
    return compare(rule("p", when, "archive"), {hashed}, Keep::kKeyedHash);
  };
  EXPECT_EQ(of("{ PatientID = \"ID-7\" }").same, 1U);
  EXPECT_EQ(of("{ PatientID = [\"ID-6\", \"ID-7\"] }").same, 1U);
  EXPECT_EQ(of("{ not = { PatientID = \"\" } }").same, 1U);
  const auto other = of("{ PatientID = \"ID-8\" }");
  EXPECT_EQ(other.different, 1U);
  EXPECT_TRUE(other.unanswered.empty());
}

TEST(Replay, WhatCanNotBeAskedOfAHashIsToldAndNotCounted) {
  const auto hashed = snapshot(Keep::kKeyedHash);
  const auto result =
      compare(rule("p", "{ PatientName = \"Test*\" }", "archive"), {hashed}, Keep::kKeyedHash);
  EXPECT_EQ(result.different, 0U);
  EXPECT_EQ(result.perhaps, 1U);
  ASSERT_EQ(result.unanswered.size(), 1U);
  EXPECT_EQ(result.unanswered[0].key, "PatientName");
  EXPECT_EQ(result.unanswered[0].objects, 1U);
  ASSERT_FALSE(result.changes.empty());
  EXPECT_FALSE(result.changes[0].certain);
  const auto full = compare(rule("p", "{ PatientName = \"Test*\" }", "archive"), {snapshot()});
  EXPECT_EQ(full.same, 1U);
}

TEST(Replay, WhatIsNotKeptIsUnanswered) {
  const auto none = compare(rule("p", "{ PatientID = \"TEST\" }", "archive"),
                            {snapshot(Keep::kNone)}, Keep::kNone);
  EXPECT_EQ(none.perhaps, 1U);
  Snapshot cut = snapshot();
  cut.header.cut = encoding::Tag{0x0008, 0x0061};
  EXPECT_EQ(compare(rule("p", "{ StudyDescription = \"x\" }", "archive"), {cut}).perhaps, 1U);
  EXPECT_EQ(compare(rule("p", "{ Modality = \"MR\" }", "archive"), {cut}).different, 1U);
}

TEST(SnapshotStore, KeepsThemPurgesThemAndIsReadWhileItIsWritten) {
  const test::TempDir folder;
  const std::string path = (folder / "snapshots.sqlite").string();
  EXPECT_EQ(SnapshotStore::open_to_read(path).error().code, Errc::kNotFound);
  const auto writer = SnapshotStore::open(path);
  ASSERT_TRUE(writer);
  std::vector<Snapshot> all{snapshot(Keep::kKeyedHash), snapshot(Keep::kKeyedHash)};
  all[0].header.missing = {{0x0010, 0x0010}, {0x0019, 0x1001}};
  all[1].header.cut = encoding::Tag{0x3006, 0x0039};
  ASSERT_TRUE((*writer)->write(all, Keep::kKeyedHash));
  ASSERT_TRUE((*writer)->write(all, Keep::kKeyedHash)) << "the cursor came back";
  const auto reader = SnapshotStore::open_to_read(path);
  ASSERT_TRUE(reader) << reader.error().to_string();
  std::vector<Snapshot> read;
  const auto take = [&](const Snapshot& one, Keep keep) {
    EXPECT_EQ(keep, Keep::kKeyedHash);
    read.push_back(one);
    return true;
  };
  ASSERT_TRUE((*reader)->each({}, take));
  ASSERT_EQ(read.size(), 2U);
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(read[i].sequence, all[i].sequence);
    EXPECT_EQ(read[i].object.routes[0].destination, "archive");
    EXPECT_EQ(read[i].header.octets, all[i].header.octets);
    EXPECT_EQ(read[i].header.missing, all[i].header.missing);
    EXPECT_EQ(read[i].header.cut, all[i].header.cut);
  }
  read.clear();
  ASSERT_TRUE((*reader)->each(all[1].object.received, take));
  EXPECT_EQ(read.size(), 1U);
  const auto removed = (*writer)->purge(all[1].object.received);
  ASSERT_TRUE(removed) << removed.error().to_string();
  EXPECT_EQ(*removed, 1U);
  read.clear();
  ASSERT_TRUE((*reader)->each({}, take));
  EXPECT_EQ(read.size(), 1U);
  EXPECT_EQ(std::filesystem::status(path).permissions(),
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
}

}  // namespace
}  // namespace dr::replay
