#include "router/audit/journal_trace.h"

#include "test/router/audit/audit_fixture.h"

namespace dr::audit {
namespace {

class JournalTraceTest : public AuditTest {
 protected:
  std::vector<db::TracedObject> traced(const std::string& uid, std::size_t limit = 100'000) {
    auto found = trace_journal(*journal_, "router-1", uid, limit);
    EXPECT_TRUE(found.ok()) << (found ? "" : found.error().to_string());
    return found ? std::move(*found) : std::vector<db::TracedObject>{};
  }
};

TEST_F(JournalTraceTest, TellsTheSameAsTheDatabase) {
  const Sequence first = append_object(1, {"orthanc", "archive", "xnat"});
  const Sequence second = append_object(2, {"orthanc"});
  append_outcome(first, "orthanc", DeliveryState::kWaiting);
  append_outcome(first, "archive", DeliveryState::kDelivered);
  append_outcome(first, "xnat", DeliveryState::kHeld);
  append_outcome(second, "orthanc", DeliveryState::kUnknown);
  append_outcome(first, "orthanc", DeliveryState::kVerified);
  ASSERT_TRUE(journal_->append(journal::DigestRecord{first, std::string(64, 'd')}).ok());
  ASSERT_TRUE(journal_->append(journal::DigestRecord{first, std::string(64, 'e')}).ok());
  auto refused = object(3, {});
  refused.status = 0x0124;
  ASSERT_TRUE(journal_->append(journal::RecordType::kRefused, encode(refused)).ok());
  append_object(4, {});
  auto early = object(5, {"archive"});  // received first, durable last
  early.received = from_micros(7);
  early.patient_key = "M\xfcller";  // as a modality sent it, with patient_data = "full"
  early.modality = std::string("\0CT", 3);
  append_record(std::move(early));
  const auto feed = this->feed(opener());
  settle();
  finish(*feed);

  for (const char* uid :
       {"1.2", "1.2.3", "1.2.3.1", "1.2.3.2", "1.2.3.3", "1.2.3.4", "1.2.3.5", "1.2.3.6", ""}) {
    EXPECT_EQ(text_of(traced(uid)), text_of(stored(uid))) << uid;
  }
  ASSERT_EQ(traced("1.2").size(), 6U);
  EXPECT_EQ(traced("1.2")[0].instance.sop_instance_uid, "1.2.3.5");
  EXPECT_EQ(traced("1.2")[0].instance.patient_key, "M\xEF\xBF\xBDller");
  const auto object = traced("1.2.3.1").at(0);
  EXPECT_EQ(object.sha256, std::string(64, 'd'));
  EXPECT_EQ(object.deliveries.size(), 4U);
  ASSERT_EQ(object.states.size(), 3U);
  EXPECT_EQ(object.states[1].state, "verified");
  EXPECT_EQ(object.states[2].reason, "conflicting_transforms");
  EXPECT_EQ(traced("1.2.3.2").at(0).states.at(0).next_attempt, from_micros(1'700'000'003'000'000));
  EXPECT_EQ(traced("1.2.3.3").at(0).instance.state, "rejected");
  EXPECT_EQ(traced("1.2.3.4").at(0).instance.state, "unrouted");
}

TEST_F(JournalTraceTest, KeepsTheOldestWhereThereIsALimit) {
  for (unsigned i = 9; i > 0; --i)
    append_outcome(append_object(i), "archive", DeliveryState::kWaiting);
  settle();
  const auto all = traced("1.2.3");
  const auto some = traced("1.2.3", 3);
  ASSERT_EQ(all.size(), 10U);
  ASSERT_EQ(some.size(), 3U);
  EXPECT_EQ(text_of(some), text_of({all[0], all[1], all[2]}));
  EXPECT_EQ(some[0].instance.sop_instance_uid, "1.2.3.1");
  EXPECT_EQ(some[0].deliveries.size(), 1U);
  EXPECT_TRUE(traced("1.2.3", 0).empty());
}

TEST_F(JournalTraceTest, MergesWithADatabaseThatLagsBehind) {
  const Sequence first = append_object(1, {"orthanc", "archive"});
  append_outcome(first, "orthanc", DeliveryState::kWaiting);
  ASSERT_TRUE(journal_->append(journal::DigestRecord{first, std::string(64, 'd')}).ok());
  const auto feed = this->feed(opener());
  settle();
  finish(*feed);  // what follows is not written
  append_outcome(first, "orthanc", DeliveryState::kDelivered);
  append_object(2, {"archive"});
  settle();
  const auto whole = traced("1.2.3");
  EXPECT_EQ(text_of(merge(whole, stored("1.2.3"), 10)), text_of(whole));
  EXPECT_EQ(text_of(merge({}, stored("1.2.3"), 10)), text_of(stored("1.2.3")));
  EXPECT_EQ(merge(whole, stored("1.2.3"), 1).size(), 1U);
  // What the journal has recycled, the database still tells.
  auto parts = whole;
  parts.at(0).deliveries.erase(parts.at(0).deliveries.begin());
  parts.at(0).decisions.clear();
  parts.at(0).sha256.clear();
  std::erase_if(parts.at(0).states, [](const auto& s) { return s.destination == "archive"; });
  EXPECT_EQ(text_of(merge(parts, stored("1.2.3"), 10)), text_of(whole));
}

TEST_F(JournalTraceTest, AnEmptyJournalKnowsNothing) { EXPECT_TRUE(traced("1.2.3").empty()); }

TEST_F(JournalTraceTest, FindsAnObjectThatWasCarriedForward) {
  const Sequence waiting = append_object(1, {"dead", "archive"});
  append_outcome(waiting, "dead", DeliveryState::kWaiting);
  append_outcome(waiting, "archive", DeliveryState::kDelivered);
  const std::string filler = journal::pattern(100'000, 1);
  for (unsigned i = 0; i < 100; ++i) {
    auto record = object(100 + i, {"archive"});
    record.study_instance_uid = uid_literal("9.9");
    record.series_instance_uid = uid_literal("9.9.9");
    const Sequence sequence = append_record(std::move(record), filler);
    append_outcome(sequence, "archive", DeliveryState::kDelivered);
  }
  ASSERT_GT((**journal_->read_after(Sequence::kNone)).sequence, waiting) << "it was not carried";
  auto found = traced("1.2");
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].instance.sop_instance_uid, "1.2.3.1");
  EXPECT_EQ(found[0].decisions.size(), 1U);
  ASSERT_EQ(found[0].states.size(), 1U);
  EXPECT_EQ(found[0].states[0].destination, "dead");
  EXPECT_EQ(found[0].states[0].state, "waiting");
  EXPECT_EQ(found[0].states[0].attempts, 1U);
  EXPECT_EQ(found[0].states[0].next_attempt, from_micros(1'700'000'003'000'000));

  append_outcome(waiting, "dead", DeliveryState::kDelivered);
  settle();
  found = traced("1.2.3.1");
  // Finished: the journal may have let go of it, but never tells an older state.
  for (const auto& object : found) EXPECT_EQ(object.states.at(0).state, "delivered");
}

}  // namespace
}  // namespace dr::audit
