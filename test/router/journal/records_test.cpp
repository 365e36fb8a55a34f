#include "router/journal/records.h"

#include <gtest/gtest.h>

namespace dr::journal {
namespace {

UtcMicros at(std::int64_t us) { return from_micros(us); }
AeTitle ae(std::string_view text) { return *AeTitle::parse(text); }

ObjectRecord full_object() {
  ObjectRecord r;
  r.received = at(1'700'000'000'123'456);
  r.node = "router-1";
  r.process_start = 1'600'000'000'000'000;
  r.association = 42;
  r.listener = "modalities";
  r.peer_address = "[2001:db8::1]:4711";
  r.calling_ae_title = ae("CT1");
  r.called_ae_title = ae("ROUTER");
  r.message_id = 65535;
  r.sop_class_uid = uid_literal("1.2.840.10008.5.1.4.1.1.2");
  r.sop_instance_uid = uid_literal("1.2.3.4");
  r.transfer_syntax_uid = uid_literal("1.2.840.10008.1.2.1");
  r.study_instance_uid = uid_literal("1.2.3");
  r.modality = "CT";
  r.patient_key = std::string(300, 'k');  // a length of two varint octets
  r.status = 0xB000;
  r.rules_sha256 = std::string(64, 'a');
  r.decisions = {{"first", "10.toml", 7, 1, {"a", "b"}, "set X"}, {"", "", 0, 2, {}, ""}};
  r.routes = {{"a", 0, {}, {}, {}},
              {"b", 2, "set PatientID", "conflicting_transforms", {1, 60, 90, 2}}};
  r.extract = true;
  return r;
}

TEST(Records, ObjectComesBackFieldByField) {
  const ObjectRecord r = full_object();
  const auto back = decode_object(encode(r));
  ASSERT_TRUE(back.ok());
  EXPECT_EQ(back->received, r.received);
  EXPECT_EQ(back->node, r.node);
  EXPECT_EQ(back->process_start, r.process_start);
  EXPECT_EQ(back->association, r.association);
  EXPECT_EQ(back->listener, r.listener);
  EXPECT_EQ(back->peer_address, r.peer_address);
  EXPECT_EQ(back->calling_ae_title, r.calling_ae_title);
  EXPECT_EQ(back->called_ae_title, r.called_ae_title);
  EXPECT_EQ(back->message_id, r.message_id);
  EXPECT_EQ(back->sop_class_uid, r.sop_class_uid);
  EXPECT_EQ(back->sop_instance_uid, r.sop_instance_uid);
  EXPECT_EQ(back->transfer_syntax_uid, r.transfer_syntax_uid);
  EXPECT_EQ(back->study_instance_uid, r.study_instance_uid);
  EXPECT_TRUE(back->series_instance_uid.empty());
  EXPECT_EQ(back->modality, r.modality);
  EXPECT_EQ(back->patient_key, r.patient_key);
  EXPECT_EQ(back->status, r.status);
  EXPECT_EQ(back->rules_sha256, r.rules_sha256);
  ASSERT_EQ(back->decisions.size(), 2U);
  EXPECT_EQ(back->decisions[0].destinations, r.decisions[0].destinations);
  EXPECT_EQ(back->decisions[0].line, 7U);
  EXPECT_EQ(back->decisions[1].ordinal, 2U);
  ASSERT_EQ(back->routes.size(), 2U);
  EXPECT_EQ(back->routes[1].destination, "b");
  EXPECT_EQ(back->routes[1].priority, 2);
  EXPECT_EQ(back->routes[1].transform, r.routes[1].transform);
  EXPECT_EQ(back->routes[1].held, r.routes[1].held);
  EXPECT_EQ(back->routes[1].wait, r.routes[1].wait);
  EXPECT_TRUE(back->extract);
  EXPECT_EQ(encode(*back), encode(r));
}

TEST(Records, OutcomeComesBackFieldByField) {
  OutcomeRecord r;
  r.instance = Sequence{77};
  r.destination = "orthanc";
  r.state = DeliveryState::kDropped;
  r.attempt = 9;
  r.started = at(-1);
  r.finished = at(2);
  r.next_attempt = at(3);
  r.status = 0xA700;
  r.has_status = true;
  r.outcome = "refused";
  r.comment = "out of space";
  r.reason = "by operator";
  r.octets = 1ULL << 40;
  r.transfer_syntax_uid = uid_literal("1.2.840.10008.1.2");
  const auto back = decode_outcome(encode(r));
  ASSERT_TRUE(back.ok());
  EXPECT_EQ(back->instance, r.instance);
  EXPECT_EQ(back->state, r.state);
  EXPECT_EQ(back->started, r.started);
  EXPECT_EQ(back->next_attempt, r.next_attempt);
  EXPECT_EQ(back->status, r.status);
  EXPECT_EQ(back->octets, r.octets);
  EXPECT_EQ(encode(*back), encode(r));
}

TEST(Records, OtherKindsComeBack) {
  EXPECT_EQ(decode_digest(encode(DigestRecord{Sequence{3}, "ab"}))->sha256, "ab");
  AssociationRecord association;
  association.peer_port = 104;
  association.calling_ae_title = ae("X");
  association.ended = at(5);
  association.objects = 6;
  EXPECT_EQ(encode(*decode_association(encode(association))), encode(association));
  const SecurityRecord security{at(1), "hostile-input", "l", "p", "\\x00", "", "length=9"};
  EXPECT_EQ(encode(*decode_security(encode(security))), encode(security));
  const OperatorRecord action{at(1), "root", "retry", "orthanc", ""};
  EXPECT_EQ(decode_operator(encode(action))->who, "root");
}

TEST(Records, AWholeThatIsCompleteComesBackAsItWas) {
  const GatheredRecord gathered{"orthanc", {1, 60, 5400, 2}, uid_literal("1.2.3"), at(1),
                                at(2),     Sequence{7},      Sequence{9},          3,
                                "quiet"};
  EXPECT_EQ(*decode_gathered(encode(gathered)), gathered);
  EXPECT_FALSE(decode_gathered(encode(OperatorRecord{})));
}

ExtractionRecord full_extraction() {
  ExtractionRecord r;
  r.instance = Sequence{77};
  r.part = 3;
  r.last = false;
  r.sop_instance_uid = uid_literal("1.2.3.4");
  r.label = "PHANTOM";
  r.reference_verdict = "partial";
  r.instances_referenced = 3;
  r.point_count = 5'000'000'000;
  r.finished = at(9);
  r.attempts = 2;
  r.outcome = "done";
  ExtractedRoi& roi = r.rois.emplace_back();
  roi.number = -1;
  roi.name = "PTV";
  roi.volume_cm3 = 1.0 / 3;
  roi.centroid = {1, -2.5, 1e-300};
  r.contours.push_back({-1, 7, "POINT", 1, {}, -0.0, 2.5, uid_literal("1.2")});
  r.findings.push_back({0, true, -1, "c", "info", "text"});
  r.dvhs.push_back({-1, uid_literal("1.9"), "GY", "PHYSICAL", "plan", 1, 2, 3, 4, 5, 6.5, "[]"});
  return r;
}

TEST(Records, AResultComesBackFieldByField) {
  const ExtractionRecord r = full_extraction();
  const auto back = decode_extraction(encode(r));
  ASSERT_TRUE(back.ok());
  EXPECT_EQ(back->part, 3U);
  EXPECT_FALSE(back->last);
  EXPECT_EQ(back->rois.at(0).number, -1);
  EXPECT_EQ(back->rois.at(0).volume_cm3, 1.0 / 3);
  EXPECT_FALSE(back->rois.at(0).surface_cm2.has_value());
  EXPECT_EQ(back->rois.at(0).centroid, (std::vector<double>{1, -2.5, 1e-300}));
  EXPECT_EQ(back->dvhs.at(0).v20, 6.5);
  EXPECT_EQ(encode(*back), encode(r));
}

TEST(Records, EveryTruncationOfAResultIsRefused) {
  const Bytes whole = encode(full_extraction());
  for (std::size_t n = 0; n < whole.size(); ++n) {
    EXPECT_FALSE(decode_extraction(ByteSpan(whole).first(n)).ok()) << n;
  }
}

TEST(Records, EveryTruncationAndEveryExtensionIsRefused) {
  const Bytes whole = encode(full_object());
  for (std::size_t n = 0; n < whole.size(); ++n) {
    EXPECT_EQ(decode_object(ByteSpan(whole).first(n)).error().code, Errc::kCorrupt) << n;
  }
  Bytes longer = whole;
  longer.push_back(std::byte{0});
  EXPECT_FALSE(decode_object(longer).ok());
}

TEST(Records, FlippedBitsDecodeToSomethingThatEncodesToThemOrNotAtAll) {
  const Bytes whole = encode(full_object());
  for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
    Bytes flipped = whole;
    flipped[bit / 8] ^= static_cast<std::byte>(1U << bit % 8);
    const auto back = decode_object(flipped);
    if (back.ok()) {
      EXPECT_EQ(encode(*back), flipped) << bit;
    }
  }
}

TEST(Records, OnlyStatesThatNothingFollowsAreFinal) {
  using S = DeliveryState;
  for (const S s : {S::kDelivered, S::kVerified, S::kSkipped, S::kDropped}) {
    EXPECT_TRUE(is_final(s)) << name(s);
  }
  for (const S s : {S::kWaiting, S::kSending, S::kUnknown, S::kHeld, S::kDamaged}) {
    EXPECT_FALSE(is_final(s)) << name(s);
  }
}

}  // namespace
}  // namespace dr::journal
