#include "router/extraction/store.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "test/support/temp_dir.h"

namespace dr::extraction {
namespace {

using journal::Sequence;
using test::TempDir;

Uid uid(const std::string& text) { return uid_literal(text); }

rtstruct::ImageSlice slice(const std::string& instance, const std::string& series,
                           const std::string& frame) {
  rtstruct::ImageSlice s;
  s.sop_instance_uid = uid(instance);
  s.sop_class_uid = uid("1.2.840.10008.5.1.4.1.1.2");
  s.series = uid(series);
  s.study = uid("1.9");
  s.frame_of_reference = uid(frame);
  s.position = {1.1, -2.2, 1.0 / 3};
  s.row = {1, 0, 0};
  s.column = {0, 1, 0};
  s.row_step = 0.976562;
  s.column_step = 0.5;
  s.columns = 512;
  s.rows = 256;
  return s;
}

Linked dose(const std::string& instance, std::uint64_t sequence, Links links) {
  return {uid(instance), Sequence{sequence}, true, uid("1.2.840.10008.1.2.1"), std::move(links),
          "key"};
}

class StoreOfExtraction : public testing::Test {
 protected:
  std::unique_ptr<Store> open() {
    auto store = Store::open((folder_ / "extraction.sqlite").string());
    EXPECT_TRUE(store) << (store ? "" : store.error().to_string());
    return *std::move(store);
  }
  TempDir folder_;
};

TEST_F(StoreOfExtraction, OnlyItsOwnerMayReadIt) {
  open();
  struct stat status {};
  ASSERT_EQ(stat((folder_ / "extraction.sqlite").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U);
}

TEST_F(StoreOfExtraction, WhatWasCommittedIsThereAgainAndNothingElse) {
  {
    const auto store = open();
    ASSERT_TRUE(store->begin());
    ASSERT_TRUE(store->set_position(Sequence{7}));
    Job job;
    job.instance = Sequence{5};
    job.sop_instance_uid = uid("1.5");
    job.state = State::kWaiting;
    job.attempts = 1;
    job.reason = "timeout";
    job.deadline = from_micros(99);
    job.references = "{}";
    ASSERT_TRUE(store->put(job));
    ASSERT_TRUE(store->commit());
    ASSERT_TRUE(store->begin());
    ASSERT_TRUE(store->set_position(Sequence{8}));
  }  // without commit
  const auto store = open();
  EXPECT_EQ(*store->position(), Sequence{7});
  const auto jobs = store->jobs(false);
  ASSERT_TRUE(jobs);
  ASSERT_EQ(jobs->size(), 1U);
  EXPECT_EQ(jobs->front().reason, "timeout");
  EXPECT_EQ(jobs->front().deadline, from_micros(99));
  EXPECT_EQ(jobs->front().state, State::kWaiting);
  EXPECT_EQ((*store->find(uid("1.5")))->instance, Sequence{5});
  EXPECT_FALSE(store->find(uid("1.6"))->has_value());
}

TEST_F(StoreOfExtraction, SlicesComeBackBySeriesInstanceAndFrameToTheLastBit) {
  const auto store = open();
  const auto a = slice("1.1", "1.10", "1.20"), b = slice("1.2", "1.10", "1.20"),
             c = slice("1.3", "1.11", "1.21");
  for (const auto& each : {a, b, c}) {
    ASSERT_TRUE(store->add_instance(each.sop_instance_uid, each, "key", {}));
  }
  ASSERT_TRUE(store->add_instance(uid("1.4"), std::nullopt, "key", {}));
  const std::vector wanted{uid("1.1"), uid("1.4"), uid("1.5")};
  EXPECT_EQ(*store->present(wanted), (std::set{uid("1.1"), uid("1.4")}));
  const std::vector one{uid("1.1")};
  const auto of_instance = store->slices(one, {}, {});
  ASSERT_TRUE(of_instance);
  ASSERT_EQ(of_instance->size(), 2U) << "the whole series";
  EXPECT_EQ((*of_instance)[0].position.z, 1.0 / 3);
  EXPECT_EQ((*of_instance)[0].row_step, 0.976562);
  EXPECT_EQ((*of_instance)[0].columns, 512U);
  EXPECT_EQ((*of_instance)[0].study, uid("1.9"));
  const std::vector series{uid("1.11")}, frames{uid("1.20"), uid("1.21")};
  EXPECT_EQ(store->slices({}, series, {})->size(), 1U);
  EXPECT_EQ(store->slices({}, {}, frames)->size(), 3U);
}

TEST_F(StoreOfExtraction, DosesBelongByReferenceAndOnlyElseByFrame) {
  const auto store = open();
  const std::vector frames{uid("1.20")};
  ASSERT_TRUE(store->add_linked(dose("1.30", 1, {uid("1.20"), {}, {}}), {}));
  ASSERT_TRUE(store->add_linked(dose("1.31", 2, {uid("1.29"), {}, {}}), {}));
  auto doses = *store->doses(uid("1.5"), frames);
  ASSERT_EQ(doses.size(), 1U);
  EXPECT_EQ(doses[0].link, "frame_of_reference");
  EXPECT_EQ(doses[0].dose.instance, Sequence{1});
  // One whose plan leads to another structure set is none of this one's.
  ASSERT_TRUE(store->add_linked(dose("1.32", 3, {uid("1.20"), uid("1.40"), {}}), {}));
  ASSERT_TRUE(store->add_linked(
      {uid("1.40"), Sequence{4}, false, uid("1.2.840.10008.1.2"), {{}, {}, uid("1.6")}, "key"},
      {}));
  EXPECT_EQ(store->doses(uid("1.5"), frames)->size(), 1U);
  doses = *store->doses(uid("1.6"), frames);
  ASSERT_EQ(doses.size(), 1U);
  EXPECT_EQ(doses[0].link, "plan");
  EXPECT_EQ(*store->structure_set_of(uid("1.40")), uid("1.6"));
  ASSERT_TRUE(store->add_linked(dose("1.33", 5, {uid("1.20"), {}, uid("1.5")}), {}));
  doses = *store->doses(uid("1.5"), frames);
  ASSERT_EQ(doses.size(), 1U);
  EXPECT_EQ(doses[0].link, "structure_set");
}

TEST_F(StoreOfExtraction, ForgetsWhatIsOldButNothingThatStillWaits) {
  const auto store = open();
  for (const auto& [sequence, state, finished] :
       {std::tuple(1U, State::kDone, 10), {2U, State::kDone, 30}, {3U, State::kWaiting, 0}}) {
    Job job;
    job.instance = Sequence{sequence};
    job.sop_instance_uid = uid("1." + std::to_string(sequence));
    job.state = state;
    job.finished = from_micros(finished);
    ASSERT_TRUE(store->put(job));
    ASSERT_TRUE(store->set_result(job.instance, "{}"));
  }
  ASSERT_TRUE(store->add_linked(dose("1.30", 4, {}), from_micros(10)));
  ASSERT_TRUE(store->purge(from_micros(20)));
  EXPECT_EQ(*store->inputs(), (std::set{Sequence{2}, Sequence{3}}));
  EXPECT_EQ(*store->result(Sequence{1}), "");
  EXPECT_EQ(*store->result(Sequence{2}), "{}");
}

TEST_F(StoreOfExtraction, ForgetsAPatientInWhateverStateAndNobodyElse) {
  const auto store = open();
  const std::string patient = "patient", other = "other";
  std::uint64_t sequence = 0;
  for (const std::string& key : {patient, other}) {
    for (const State state : {State::kWaiting, State::kPublishing, State::kDone}) {
      Job job;
      job.instance = Sequence{++sequence};
      job.sop_instance_uid = uid("1." + std::to_string(sequence));
      job.patient_key = key;
      job.state = state;
      job.received = from_micros(10);
      ASSERT_TRUE(store->put(job));
      ASSERT_TRUE(store->set_result(job.instance, "{}"));
      ASSERT_TRUE(store->add_outgoing(job.instance, {0, false, {}, {}, Bytes(3)}));
      ASSERT_TRUE(store->add_message(job.instance, key, {}));
    }
    auto of_key = dose("1.3" + std::to_string(sequence), 100 + sequence, {});
    of_key.patient_key = key;
    ASSERT_TRUE(store->add_linked(of_key, from_micros(10)));
    ASSERT_TRUE(store->add_instance(uid("1.4" + std::to_string(sequence)), std::nullopt, key,
                                    from_micros(10)));
  }
  EXPECT_EQ(*store->patient_keys(), (std::vector{other, patient}));
  EXPECT_TRUE(store->forget(patient, from_micros(9))->empty()) << "received later";
  EXPECT_EQ(*store->forget(patient, from_micros(10)),
            (std::vector{Sequence{1}, Sequence{2}, Sequence{3}}));
  EXPECT_EQ(*store->patient_keys(), std::vector{other});
  EXPECT_EQ(*store->inputs(), (std::set{Sequence{4}, Sequence{5}, Sequence{6}, Sequence{106}}));
  EXPECT_EQ(*store->result(Sequence{3}), "");
  EXPECT_EQ(*store->result(Sequence{6}), "{}");
  EXPECT_TRUE(store->outgoing(Sequence{2})->empty());
  EXPECT_EQ(store->outgoing(Sequence{5})->size(), 1U);
  EXPECT_EQ((**store->next_message(from_micros(1))).body, other);
  const std::vector wanted{uid("1.43"), uid("1.46")};
  EXPECT_EQ(*store->present(wanted), std::set{uid("1.46")});
}

TEST_F(StoreOfExtraction, MessagesComeInOrderWhenTheyAreDue) {
  const auto store = open();
  ASSERT_TRUE(store->add_message(Sequence{1}, "a", from_micros(5)));
  ASSERT_TRUE(store->add_message(Sequence{2}, "b", from_micros(6)));
  EXPECT_FALSE(store->next_message(from_micros(4))->has_value());
  auto first = **store->next_message(from_micros(9));
  EXPECT_EQ(first.body, "a");
  first.attempts = 3;
  ASSERT_TRUE(store->postpone(first, from_micros(20)));
  const auto second = **store->next_message(from_micros(9));
  EXPECT_EQ(second.body, "b");
  ASSERT_TRUE(store->drop_message(second.id));
  EXPECT_FALSE(store->next_message(from_micros(9))->has_value());
  EXPECT_EQ((**store->next_message(from_micros(20))).attempts, 3U);
}

}  // namespace
}  // namespace dr::extraction
