#include "router/audit/rows.h"

#include <gtest/gtest.h>

namespace dr::audit {
namespace {

using journal::DeliveryState;
using journal::RecordType;
using journal::Sequence;

template <class T>
journal::Record record_of(RecordType type, const T& content, std::uint64_t body_octets = 0) {
  journal::Record record;
  record.sequence = Sequence{42};
  record.type = type;
  record.durable = from_micros(2'000);
  record.head = journal::encode(content);
  record.body_octets = body_octets;
  return record;
}

std::vector<db::Row> rows(const journal::Record& record) {
  auto made = rows_of(record, "router-1", "spool");
  EXPECT_TRUE(made.ok()) << (made ? "" : made.error().to_string());
  return made ? std::move(*made) : std::vector<db::Row>{};
}

journal::ObjectRecord object() {
  journal::ObjectRecord record;
  record.received = from_micros(1'000);
  record.process_start = 5;
  record.association = 7;
  record.listener = "modalities";
  record.peer_address = "10.1.0.9";
  record.calling_ae_title = *AeTitle::parse("CT1");
  record.called_ae_title = *AeTitle::parse("ROUTER");
  record.sop_class_uid = uid_literal("1.2.840.10008.5.1.4.1.1.2");
  record.sop_instance_uid = uid_literal("1.2.3.4");
  record.transfer_syntax_uid = uid_literal("1.2.840.10008.1.2.1");
  record.study_instance_uid = uid_literal("1.2");
  record.series_instance_uid = uid_literal("1.2.3");
  record.modality = "CT";
  record.patient_key = "key";
  record.rules_sha256 = "abc";
  record.decisions = {{"first", "a.toml", 3, 1, {"archive", "a\"b\\c\n"}, "t"},
                      {"second", "b.toml", 9, 4, {}, ""}};
  record.routes = {{"archive", 1, {}, {}, {}}, {"orthanc", 0, {}, {}, {}}};
  record.extract = true;
  return record;
}

void expect_key(const db::Key& key, std::uint64_t sequence = 42) {
  EXPECT_EQ(key.node, "router-1");
  EXPECT_EQ(key.spool_id, "spool");
  EXPECT_EQ(key.sequence, sequence);
}

TEST(Rows, AnObjectIsItsInstanceItsDecisionsAndAWaitingStateForEachRoute) {
  const auto made = rows(record_of(RecordType::kObject, object(), 512));
  ASSERT_EQ(made.size(), 5U);
  const auto& instance = std::get<db::InstanceRow>(made[0]);
  expect_key(instance.key);
  EXPECT_EQ(instance.sop_instance_uid, "1.2.3.4");
  EXPECT_EQ(instance.sop_class_uid, "1.2.840.10008.5.1.4.1.1.2");
  EXPECT_EQ(instance.transfer_syntax_uid, "1.2.840.10008.1.2.1");
  EXPECT_EQ(instance.study_instance_uid, "1.2");
  EXPECT_EQ(instance.series_instance_uid, "1.2.3");
  EXPECT_EQ(instance.modality, "CT");
  EXPECT_EQ(instance.patient_key, "key");
  EXPECT_EQ(instance.octets, 512U);
  EXPECT_EQ(instance.process_start, 5U);
  EXPECT_EQ(instance.association, 7U);
  EXPECT_EQ(instance.listener, "modalities");
  EXPECT_EQ(instance.peer_address, "10.1.0.9");
  EXPECT_EQ(instance.calling_ae_title, "CT1");
  EXPECT_EQ(instance.called_ae_title, "ROUTER");
  EXPECT_EQ(instance.received, from_micros(1'000));
  EXPECT_EQ(instance.durable, from_micros(2'000));
  EXPECT_EQ(instance.state, "routed");
  EXPECT_EQ(instance.rules_sha256, "abc");
  EXPECT_TRUE(instance.extract);

  const auto& decision = std::get<db::DecisionRow>(made[1]);
  expect_key(decision.key);
  EXPECT_EQ(decision.rule, "first");
  EXPECT_EQ(decision.file, "a.toml");
  EXPECT_EQ(decision.line, 3U);
  EXPECT_EQ(decision.rule_ordinal, 1U);
  EXPECT_EQ(decision.destinations, R"(["archive","a\"b\\c\u000a"])");
  EXPECT_EQ(decision.transform, "t");
  EXPECT_EQ(decision.rules_sha256, "abc");
  EXPECT_EQ(std::get<db::DecisionRow>(made[2]).destinations, "[]");

  const auto& state = std::get<db::InstanceStateRow>(made[4]);
  expect_key(state.key);
  EXPECT_EQ(state.destination, "orthanc");
  EXPECT_EQ(state.state, "waiting");
  EXPECT_EQ(state.attempts, 0U);
  EXPECT_FALSE(state.next_attempt);
  EXPECT_EQ(state.changed, from_micros(1'000));
  EXPECT_EQ(state.changed_sequence, 42U);
}

TEST(Rows, AnObjectWithoutRoutesIsUnrouted) {
  auto unrouted = object();
  unrouted.routes.clear();
  const auto made = rows(record_of(RecordType::kObject, unrouted));
  ASSERT_EQ(made.size(), 3U);
  EXPECT_EQ(std::get<db::InstanceRow>(made[0]).state, "unrouted");
}

TEST(Rows, ARefusedObjectIsRejectedAndWaitsNowhere) {
  auto refused = object();
  refused.status = 0x0124;
  const auto made = rows(record_of(RecordType::kRefused, refused));
  ASSERT_EQ(made.size(), 3U);
  const auto& instance = std::get<db::InstanceRow>(made[0]);
  EXPECT_EQ(instance.state, "rejected");
  EXPECT_EQ(instance.status, 0x0124);
  EXPECT_FALSE(instance.durable);
}

journal::OutcomeRecord outcome(DeliveryState state) {
  journal::OutcomeRecord record;
  record.instance = Sequence{40};
  record.destination = "orthanc";
  record.state = state;
  record.attempt = 3;
  record.started = from_micros(10);
  record.finished = from_micros(20);
  record.next_attempt = from_micros(30);
  record.status = 0xA700;
  record.has_status = true;
  record.outcome = "refused";
  record.comment = "full";
  record.reason = "because";
  record.octets = 9;
  record.transfer_syntax_uid = uid_literal("1.2.840.10008.1.2");
  return record;
}

TEST(Rows, AnOutcomeIsItsDeliveryAndTheStateThatItLeaves) {
  const auto made = rows(record_of(RecordType::kOutcome, outcome(DeliveryState::kWaiting)));
  ASSERT_EQ(made.size(), 2U);
  const auto& delivery = std::get<db::DeliveryRow>(made[0]);
  expect_key(delivery.key);
  EXPECT_EQ(delivery.instance_sequence, 40U);
  EXPECT_EQ(delivery.destination, "orthanc");
  EXPECT_EQ(delivery.attempt, 3U);
  EXPECT_EQ(delivery.started, from_micros(10));
  EXPECT_EQ(delivery.finished, from_micros(20));
  EXPECT_EQ(delivery.outcome, "refused");
  EXPECT_EQ(delivery.status, 0xA700U);
  EXPECT_EQ(delivery.comment, "full");
  EXPECT_EQ(delivery.octets, 9U);
  EXPECT_EQ(delivery.transfer_syntax_uid, "1.2.840.10008.1.2");
  const auto& state = std::get<db::InstanceStateRow>(made[1]);
  expect_key(state.key, 40);
  EXPECT_EQ(state.destination, "orthanc");
  EXPECT_EQ(state.state, "waiting");
  EXPECT_EQ(state.reason, "because");
  EXPECT_EQ(state.attempts, 3U);
  EXPECT_EQ(state.next_attempt, from_micros(30));
  EXPECT_EQ(state.changed, from_micros(20));
  EXPECT_EQ(state.changed_sequence, 42U);
}

TEST(Rows, WhatWaitsIsDeferredWithItsReasonAndTheLatestTime) {
  auto waits = object();
  for (auto& route : waits.routes) route.wait = {1, 60'000'000, 90'000'000, 0};
  auto made = rows(record_of(RecordType::kObject, waits));
  EXPECT_EQ(std::get<db::InstanceRow>(made.at(0)).state, "deferred");
  const auto& state = std::get<db::InstanceStateRow>(made.back());
  EXPECT_EQ(state.state, "waiting");
  EXPECT_EQ(state.reason, "after_series");
  EXPECT_EQ(state.next_attempt, from_micros(90'001'000));
  waits.routes.front().wait = {};
  made = rows(record_of(RecordType::kObject, waits));
  EXPECT_EQ(std::get<db::InstanceRow>(made.at(0)).state, "routed") << "one copy goes at once";
}

TEST(Rows, AnOutcomeWithoutAnAttemptIsNoDelivery) {
  auto skipped = outcome(DeliveryState::kSkipped);
  skipped.attempt = 0;
  const auto made = rows(record_of(RecordType::kOutcome, skipped));
  ASSERT_EQ(made.size(), 1U);
  EXPECT_EQ(std::get<db::InstanceStateRow>(made.at(0)).state, "skipped");
}

TEST(Rows, OnlyWhatIsTriedAgainHasANextAttempt) {
  for (const auto state : {DeliveryState::kWaiting, DeliveryState::kUnknown, DeliveryState::kHeld,
                           DeliveryState::kDelivered, DeliveryState::kSkipped}) {
    const auto made = rows(record_of(RecordType::kOutcome, outcome(state)));
    const auto& row = std::get<db::InstanceStateRow>(made.at(1));
    EXPECT_EQ(row.state, name(state));
    EXPECT_EQ(row.next_attempt.has_value(),
              state == DeliveryState::kWaiting || state == DeliveryState::kUnknown);
  }
}

TEST(Rows, AnOutcomeWithoutStatusHasNone) {
  auto record = outcome(DeliveryState::kWaiting);
  record.has_status = false;
  const auto made = rows(record_of(RecordType::kOutcome, record));
  EXPECT_FALSE(std::get<db::DeliveryRow>(made.at(0)).status);
}

TEST(Rows, ADigestNamesItsInstance) {
  const auto made =
      rows(record_of(RecordType::kDigest, journal::DigestRecord{Sequence{40}, "abcd"}));
  ASSERT_EQ(made.size(), 1U);
  const auto& digest = std::get<db::DigestRow>(made[0]);
  expect_key(digest.key);
  EXPECT_EQ(digest.instance_sequence, 40U);
  EXPECT_EQ(digest.sha256, "abcd");
}

TEST(Rows, AssociationsSecurityAndOperatorsAreOneRowEach) {
  journal::AssociationRecord association;
  association.number = 7;
  association.incoming = false;
  association.listener_or_destination = "orthanc";
  association.peer_port = 4242;
  association.called_ae_title = *AeTitle::parse("ORTHANC");
  association.ended = from_micros(8);
  association.outcome = "released";
  association.objects = 3;
  auto made = rows(record_of(RecordType::kAssociation, association));
  ASSERT_EQ(made.size(), 1U);
  const auto& a = std::get<db::AssociationRow>(made[0]);
  expect_key(a.key);
  EXPECT_EQ(a.number, 7U);
  EXPECT_FALSE(a.incoming);
  EXPECT_EQ(a.listener_or_destination, "orthanc");
  EXPECT_EQ(a.peer_port, 4242);
  EXPECT_EQ(a.called_ae_title, "ORTHANC");
  EXPECT_EQ(a.ended, from_micros(8));
  EXPECT_EQ(a.objects, 3U);

  made = rows(record_of(RecordType::kSecurity,
                        journal::SecurityRecord{from_micros(1), "kind", "l", "p", "c", "d", "x"}));
  ASSERT_EQ(made.size(), 1U);
  const auto& s = std::get<db::SecurityEventRow>(made[0]);
  expect_key(s.key);
  EXPECT_EQ(
      s.kind + s.listener + s.peer_address + s.calling_ae_title + s.called_ae_title + s.detail,
      "kindlpcdx");

  made = rows(record_of(RecordType::kOperator,
                        journal::OperatorRecord{from_micros(1), "who", "act", "tgt", "det"}));
  ASSERT_EQ(made.size(), 1U);
  const auto& o = std::get<db::OperatorActionRow>(made[0]);
  expect_key(o.key);
  EXPECT_EQ(o.who + o.action + o.target + o.detail, "whoacttgtdet");
}

TEST(Rows, APartOfAResultIsItsRowsAndTheFirstOneTheStructureSetToo) {
  journal::ExtractionRecord result;
  result.instance = Sequence{7};
  result.sop_instance_uid = uid_literal("1.2.3.4");
  result.outcome = "done";
  result.attempts = 1;
  journal::ExtractedRoi& roi = result.rois.emplace_back();
  roi.number = 3;
  roi.volume_cm3 = 1.5;
  roi.bounding_box = {1, 2, 3, 4, 5, 6};
  result.contours.push_back({3, 0, "POINT", 1, {}, {}, {}, {}});
  result.findings.push_back({0, false, 0, "no_rois", "info", "text"});
  result.findings.push_back({1, true, 3, "roi_empty", "info", "text"});
  result.dvhs.push_back({3, uid_literal("1.9"), "GY", "PHYSICAL", "plan", 1, 2, 3, 4, 5, {}, "[]"});
  auto made = rows(record_of(RecordType::kExtraction, result));
  ASSERT_EQ(made.size(), 6U);
  const auto& set = std::get<db::RtStructureSetRow>(made[0]);
  EXPECT_EQ(set.key.sequence, 7U);
  EXPECT_EQ(set.result_sequence, 42U);
  EXPECT_EQ(set.outcome, "done");
  const auto& row = std::get<db::RtRoiRow>(made[1]);
  EXPECT_EQ(row.volume_cm3, 1.5);
  EXPECT_EQ(row.max_z_mm, 6);
  EXPECT_FALSE(row.centroid_x_mm.has_value());
  EXPECT_EQ(std::get<db::RtContourRow>(made[2]).roi_number, 3);
  EXPECT_FALSE(std::get<db::RtFindingRow>(made[3]).roi_number.has_value());
  EXPECT_EQ(std::get<db::RtFindingRow>(made[4]).roi_number, 3);
  EXPECT_EQ(std::get<db::RtDvhRow>(made[5]).dose_link, "plan");
  result.part = 1;
  made = rows(record_of(RecordType::kExtraction, result));
  EXPECT_EQ(made.size(), 5U);
  EXPECT_TRUE(std::holds_alternative<db::RtRoiRow>(made.front()));
}

TEST(Rows, AMovedObjectSaysNothingNew) {
  EXPECT_TRUE(rows(record_of(RecordType::kMoved, object())).empty());
}

TEST(Rows, AHeadThatCanNotBeReadIsCorrupt) {
  for (const auto type :
       {RecordType::kObject, RecordType::kOutcome, RecordType::kDigest, RecordType::kAssociation,
        RecordType::kSecurity, RecordType::kOperator, RecordType::kRefused, RecordType{77}}) {
    journal::Record record;
    record.type = type;
    record.head = Bytes(3, std::byte{0xff});
    const auto made = rows_of(record, "router-1", "spool");
    ASSERT_FALSE(made.ok());
    EXPECT_EQ(made.error().code, Errc::kCorrupt);
  }
}

}  // namespace
}  // namespace dr::audit
