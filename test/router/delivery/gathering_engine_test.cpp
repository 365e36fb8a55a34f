// Series that are sent once they are complete, through journal, follower and queue, and across
// kill -9 at each stage.
#include "router/delivery/references.h"
#include "test/dimse/encoding/data_set_builder.h"
#include "test/router/delivery/delivery_fixture.h"

namespace dr::delivery {
namespace {

using namespace std::chrono_literals;

class GatheringEngine : public DeliveryTest {
 protected:
  static constexpr std::uint8_t kSend = 0, kAgain = 1, kHold = 2;

  GatheringEngine() { manual_time_ = true; }

  void run() { start({folder("archive", dir_.path())}); }
  Sequence append_one(std::uint8_t late, std::string series = "1.2.3") {
    test::ObjectSpec spec;
    spec.series_instance_uid = std::move(series);
    Object object = an_object({"archive"}, spec);
    object.record.routes[0].wait = {1, 60'000'000, 5'400'000'000, late};
    return append(object);
  }
  /// The quiet is over for all that has been appended.
  void pass_quiet() {
    ASSERT_TRUE(timers_.wait_until_armed_within(60s));
    timers_.advance(60s);
  }
  std::vector<std::uint64_t> delivered(std::size_t count) {
    std::vector<std::uint64_t> sequences;
    for (const auto& outcome :
         observer_->wait_for_state("archive", DeliveryState::kDelivered, count)) {
      sequences.push_back(value(outcome.instance));
    }
    return sequences;
  }
  std::vector<QueueItem> queue() { return engine_->queue_list({}, 100); }
  static std::vector<std::uint64_t> numbers(std::initializer_list<Sequence> sequences) {
    std::vector<std::uint64_t> all;
    for (const Sequence each : sequences) all.push_back(value(each));
    return all;
  }

  test::TempDir dir_;
};

TEST_F(GatheringEngine, ASeriesWaitsVisiblyAndThenGoesInTheOrderOfReceipt) {
  run();
  const auto first = append_one(kSend);
  const auto second = append_one(kSend);
  const auto third = append_one(kSend);
  observer_->wait_for_queued("archive", 3);
  const auto waiting = queue();
  ASSERT_EQ(waiting.size(), 3U);
  for (const QueueItem& item : waiting) {
    EXPECT_EQ(item.state, DeliveryState::kWaiting);
    EXPECT_EQ(item.reason, "after_series");
    ASSERT_TRUE(item.next_attempt);
    EXPECT_GT(*item.next_attempt - clock_.now_utc(), 85min);
  }
  EXPECT_TRUE(observer_->outcomes().empty());
  pass_quiet();
  EXPECT_EQ(delivered(3), numbers({first, second, third}));
  EXPECT_TRUE(queue().empty());
}

TEST_F(GatheringEngine, OthersDoNotWaitForIt) {
  run();
  append_one(kSend);
  const auto other = append(an_object({"archive"}));
  EXPECT_EQ(delivered(1), numbers({other}));
}

TEST_F(GatheringEngine, WhatWaitsWhenTheNodeDiesWaitsAfterwardsAndGoesOnce) {
  run();
  const auto first = append_one(kSend);
  const auto second = append_one(kSend);
  observer_->wait_for_queued("archive", 2);
  die();
  run();
  observer_->wait_for_queued("archive", 2);
  const auto third = append_one(kSend);
  observer_->wait_for_queued("archive", 3);
  EXPECT_EQ(queue().size(), 3U);
  pass_quiet();
  EXPECT_EQ(delivered(3), numbers({first, second, third}));
}

TEST_F(GatheringEngine, AWholeThatWasCompleteIsKnownToALaterLife) {
  run();
  append_one(kHold);
  append_one(kAgain, "1.2.4");
  observer_->wait_for_queued("archive", 2);
  pass_quiet();
  delivered(2);
  settle_and_die();
  run();
  const auto late = append_one(kHold);
  const auto held = observer_->wait_for_state("archive", DeliveryState::kHeld, 1);
  ASSERT_EQ(held.size(), 1U);
  EXPECT_EQ(held[0].instance, late);
  EXPECT_EQ(held[0].reason, "late");
  ASSERT_EQ(queue().size(), 1U);
  EXPECT_EQ(queue()[0].reason, "late");
  settle_and_die();
  run();
  const auto sent = append_one(kSend);
  EXPECT_EQ(delivered(1), numbers({sent})) << "late, and this time to be sent";
}

TEST_F(GatheringEngine, TheWholeIsSentAgainInALaterLifeToo) {
  run();
  const auto first = append_one(kAgain);
  const auto second = append_one(kAgain);
  observer_->wait_for_queued("archive", 2);
  pass_quiet();
  delivered(2);
  settle_and_die();
  run();
  const auto third = append_one(kAgain);
  observer_->wait_for_queued("archive", 1);
  pass_quiet();
  auto again = delivered(3);
  std::ranges::sort(again);
  EXPECT_EQ(again, numbers({first, second, third}));
}

/// The value of Referenced Frame of Reference Sequence that names one image of one series.
std::string reference_to(const std::string& instance, const std::string& series) {
  using encoding::vr;
  encoding::DataSetBuilder set;
  const auto even = [](std::string uid) { return uid.size() % 2 == 0 ? uid : uid + '\0'; };
  set.item();
  set.undefined({0x3006, 0x0012}, vr('S', 'Q')).item();
  set.undefined({0x3006, 0x0014}, vr('S', 'Q')).item();
  set.element({0x0020, 0x000e}, vr('U', 'I'), even(series));
  if (!instance.empty()) {
    set.undefined({0x3006, 0x0016}, vr('S', 'Q')).item();
    set.element({0x0008, 0x1155}, vr('U', 'I'), even(instance));
    set.end_item().end_sequence();
  }
  set.end_item().end_sequence().end_item().end_sequence().end_item();
  return std::string(as_text(set.bytes()));
}

class HoldUntilReferences : public GatheringEngine {
 protected:
  Sequence append_structure_set(const std::string& instance, const std::string& series) {
    test::ObjectSpec spec;
    spec.sop_class_uid = test::kRtStructureSetStorage;
    spec.pixel_octets = 0;
    spec.extra.push_back({0x3006, 0x0010, "SQ", reference_to(instance, series)});
    Object object = an_object({"archive"}, spec);
    object.record.routes[0].wait = {3, 0, 600'000'000, 0};
    return append(object);
  }
  Sequence append_image(const test::ObjectSpec& spec) {
    return append(an_object({"archive"}, spec));
  }
};

TEST_F(HoldUntilReferences, AStructureSetGoesWhenItsImagesHavePassed) {
  run();
  const test::ObjectSpec image;
  const auto structures = append_structure_set(image.sop_instance_uid, image.series_instance_uid);
  const auto by_series = append_structure_set("", image.series_instance_uid);
  observer_->wait_for_queued("archive", 2);
  const auto waiting = queue();
  ASSERT_EQ(waiting.size(), 2U);
  EXPECT_EQ(waiting[0].reason, "hold_until_references");
  EXPECT_TRUE(waiting[0].next_attempt);
  const auto sent = append_image(image);
  auto all = delivered(3);
  std::ranges::sort(all);
  EXPECT_EQ(all, numbers({structures, by_series, sent}));
}

TEST_F(HoldUntilReferences, OneWhoseImagesPassedInAnEarlierLifeGoesAtOnce) {
  run();
  const test::ObjectSpec image;
  append_image(image);
  delivered(1);
  settle_and_die();
  run();
  const auto structures = append_structure_set(image.sop_instance_uid, image.series_instance_uid);
  EXPECT_EQ(delivered(1), numbers({structures}));
}

TEST_F(HoldUntilReferences, OneThatWaitsWhenTheNodeDiesWaitsOnAndGoesWhenTheyCome) {
  run();
  const test::ObjectSpec image;
  const auto structures = append_structure_set(image.sop_instance_uid, image.series_instance_uid);
  observer_->wait_for_queued("archive", 1);
  die();
  run();
  observer_->wait_for_queued("archive", 1);
  EXPECT_EQ(queue().at(0).reason, "hold_until_references");
  const auto sent = append_image(image);
  auto all = delivered(2);
  std::ranges::sort(all);
  EXPECT_EQ(all, numbers({structures, sent}));
}

TEST_F(HoldUntilReferences, WhatNeverComesIsNotWaitedForLonger) {
  run();
  const auto structures = append_structure_set("1.2.3.4.5", "1.2.3.4");
  observer_->wait_for_queued("archive", 1);
  ASSERT_TRUE(timers_.wait_until_armed_within(10min));
  timers_.advance(10min);
  EXPECT_EQ(delivered(1), numbers({structures}));
}

TEST(Passed, ForgetsTheOldestAndComesBackFromItsFile) {
  test::FaultFileSystem disk;
  const auto uid = [](int number) { return *Uid::parse("1.2." + std::to_string(number)); };
  const auto missing = [&](const Passed& passed, int from, int to) {
    std::set<std::uint64_t> wanted;
    for (int i = from; i < to; ++i) wanted.insert(fingerprint(uid(i)));
    passed.strike(wanted);
    return wanted.size();
  };
  {
    Passed passed(&disk, 100);
    for (int i = 0; i < 250; ++i) {
      passed.note(uid(i), uid(10'000 + i));
      if (i % 7 == 0) passed.store();
    }
    passed.store();
  }
  Passed passed(&disk, 100);
  EXPECT_EQ(missing(passed, 150, 250), 0U);
  EXPECT_EQ(missing(passed, 10'150, 10'250), 0U) << "their series";
  EXPECT_EQ(missing(passed, 0, 150), 150U);
  passed.note(uid(999), {});
  EXPECT_EQ(missing(passed, 151, 250), 0U);
  EXPECT_EQ(missing(passed, 150, 151), 1U) << "the oldest made room";
}

}  // namespace
}  // namespace dr::delivery
