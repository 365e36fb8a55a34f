// What waits for its whole, as pure decisions: a record of what happened goes in, and the same
// record read again by a later life must come to the same.
#include "router/delivery/gathering.h"

#include <algorithm>

#include <gtest/gtest.h>

namespace dr::delivery {
namespace {

using namespace std::chrono_literals;
using journal::DeliveryState;
using journal::GatheredRecord;
using journal::Sequence;
using journal::WaitRecord;
using Kind = Gathering::Action::Kind;
using Place = Gathering::Place;
using std::chrono::microseconds;

constexpr std::uint64_t us(microseconds time) { return static_cast<std::uint64_t>(time.count()); }
constexpr WaitRecord kSeries{1, us(60s), us(90min), 0};
constexpr WaitRecord with_late(WaitRecord wait, std::uint8_t late) {
  wait.late = late;
  return wait;
}
constexpr WaitRecord kAgain = with_late(kSeries, 1);
constexpr WaitRecord kHoldLate = with_late(kSeries, 2);

/// A journal of what gathering sees, and the clock.
class GatheringTest : public testing::Test {
 protected:
  static constexpr const char* kDestination = "pacs";

  Gathering::Now now() const { return {SteadyTime(1h) + time_, UtcMicros(1000h) + time_}; }
  void pass(microseconds time) { time_ += time; }

  journal::ObjectRecord record(const char* series = "1.2.3") const {
    journal::ObjectRecord object;
    object.received = now().utc;
    object.series_instance_uid = uid_literal(series);
    object.study_instance_uid = uid_literal("1.2");
    object.sop_instance_uid = uid_literal("1.2.3.9");
    return object;
  }
  Place object(const WaitRecord& wait, const char* series = "1.2.3") {
    const Event event{{}, wait, record(series), {}, Sequence{++sequence_}};
    log_.push_back(event);
    gathering_.passed(1000);
    return gathering_.object(event.sequence, kDestination, wait, event.object, now());
  }
  /// What is due now, written and read back; the actions, as "send 1".
  std::vector<std::string> due() {
    std::vector<std::string> actions;
    const auto note = [&](const Gathering::Actions& some) {
      for (const auto& action : some) actions.push_back(text(action));
    };
    const Gathering::Due due = gathering_.due(now());
    note(due.actions);
    for (const GatheredRecord& one : due.records) {
      log_.push_back({one, {}, {}, {}, Sequence{++sequence_}});
      note(gathering_.gathered(one, Sequence{sequence_}, now()));
      last_ = one;
    }
    return actions;
  }
  void outcome(std::uint64_t instance, DeliveryState state) {
    journal::OutcomeRecord one;
    one.instance = Sequence{instance};
    one.destination = kDestination;
    one.state = state;
    log_.push_back({{}, {}, {}, one, Sequence{++sequence_}});
    gathering_.outcome(one, now());
  }
  /// Another life: all that is in the journal from `from` on is read again.
  void restart(std::uint64_t from = 0) {
    gathering_ = Gathering(bounds_);
    for (const Event& event : log_) {
      if (value(event.sequence) <= from) continue;
      if (event.gathered) {
        gathering_.gathered(*event.gathered, event.sequence, now());
      } else if (event.outcome) {
        gathering_.outcome(*event.outcome, now());
      } else {
        gathering_.object(event.sequence, kDestination, event.wait, event.object, now());
      }
    }
  }
  Place place(std::uint64_t instance) const {
    const auto event = std::ranges::find(log_, Sequence{instance}, &Event::sequence);
    return gathering_.place(event->sequence, kDestination, event->wait, event->object);
  }
  static std::string text(const Gathering::Action& action) {
    static constexpr const char* kWords[] = {"send ", "hold ", "again ", "give up "};
    return kWords[static_cast<int>(action.kind)] + std::to_string(value(action.instance));
  }
  std::vector<std::string> unfinished() const {
    std::vector<std::string> actions;
    for (const auto& action : gathering_.unfinished()) actions.push_back(text(action));
    return actions;
  }
  using Actions = std::vector<std::string>;

  struct Event {
    std::optional<GatheredRecord> gathered;
    WaitRecord wait;
    journal::ObjectRecord object;
    std::optional<journal::OutcomeRecord> outcome;
    Sequence sequence{};
  };
  Gathering::Bounds bounds_;
  Gathering gathering_{bounds_};
  std::vector<Event> log_;
  std::uint64_t sequence_ = 0;
  microseconds time_{0};
  GatheredRecord last_;
};

TEST_F(GatheringTest, ASeriesGoesInOrderOnceItHasBeenQuiet) {
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(object(kSeries), Place::kGather);
    pass(50s);
    EXPECT_EQ(due(), Actions{}) << "each object begins the quiet anew";
  }
  pass(10s);
  EXPECT_EQ(due(), (Actions{"send 1", "send 2", "send 3"}));
  EXPECT_EQ(last_.reason, "quiet");
  EXPECT_EQ(last_.round, 1U);
  pass(10h);
  EXPECT_EQ(due(), Actions{});
}

TEST_F(GatheringTest, TheCeilingCountsFromTheFirstObject) {
  WaitRecord wait = kSeries;
  wait.at_most = us(100s);
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(object(wait), Place::kGather);
    pass(25s);
  }
  EXPECT_EQ(due(), (Actions{"send 1", "send 2", "send 3", "send 4"}));
  EXPECT_EQ(last_.reason, "at_most");
}

TEST_F(GatheringTest, SeriesAndStudiesAreApart) {
  WaitRecord study = kSeries;
  study.until = 2;
  object(study, "1.2.3");
  object(study, "1.2.4");
  object(kSeries, "1.2.3");
  pass(30s);
  object(kSeries, "1.2.4");
  pass(30s);
  Actions actions = due();
  std::ranges::sort(actions);
  EXPECT_EQ(actions, (Actions{"send 1", "send 2", "send 3"}));
  pass(30s);
  EXPECT_EQ(due(), Actions{"send 4"});
}

TEST_F(GatheringTest, AnObjectOfNoSeriesGoesAtOnce) {
  journal::ObjectRecord object = record();
  object.series_instance_uid = {};
  EXPECT_EQ(gathering_.object(Sequence{1}, kDestination, kSeries, object, now()), Place::kSend);
}

TEST_F(GatheringTest, WhatComesLateGoesAtOnceOrIsHeld) {
  object(kSeries);
  object(kHoldLate, "1.2.4");
  pass(60s);
  EXPECT_EQ(due().size(), 2U);
  EXPECT_EQ(object(kSeries), Place::kSend);
  EXPECT_EQ(object(kHoldLate, "1.2.4"), Place::kHold);
}

TEST_F(GatheringTest, WhatComesWhileTheRecordIsOnItsWayIsLate) {
  object(kSeries);
  object(kHoldLate, "1.2.4");
  pass(60s);
  const auto written = gathering_.due(now());
  ASSERT_EQ(written.records.size(), 2U);
  EXPECT_EQ(object(kSeries), Place::kGather) << "not known yet";
  EXPECT_EQ(object(kHoldLate, "1.2.4"), Place::kGather);
  Actions actions;
  for (const auto& one : written.records) {
    for (const auto& action : gathering_.gathered(one, Sequence{++sequence_}, now())) {
      actions.push_back(text(action));
    }
  }
  std::ranges::sort(actions);
  EXPECT_EQ(actions, (Actions{"hold 4", "send 1", "send 2", "send 3"}));
}

TEST_F(GatheringTest, TheWholeIsSentAgainWithWhatCameLate) {
  object(kAgain);
  object(kAgain);
  pass(60s);
  EXPECT_EQ(due(), (Actions{"send 1", "send 2"}));
  outcome(1, DeliveryState::kDelivered);
  outcome(2, DeliveryState::kDelivered);
  EXPECT_EQ(object(kAgain), Place::kGather);
  pass(60s);
  EXPECT_EQ(due(), (Actions{"again 1", "again 2", "send 6"}));
  EXPECT_EQ(last_.round, 2U);
}

TEST_F(GatheringTest, WhatStillWaitsInItsQueueIsNotSentTwiceForThat) {
  object(kAgain);
  object(kAgain);
  pass(60s);
  due();
  outcome(1, DeliveryState::kDelivered);
  outcome(2, DeliveryState::kWaiting);  // the destination is down
  object(kAgain);
  pass(60s);
  EXPECT_EQ(due(), (Actions{"again 1", "send 6"}));
}

TEST_F(GatheringTest, WhatAnOperatorDroppedStaysDropped) {
  object(kAgain);
  object(kAgain);
  pass(60s);
  due();
  outcome(1, DeliveryState::kDropped);
  outcome(2, DeliveryState::kDelivered);
  object(kAgain);
  pass(60s);
  EXPECT_EQ(due(), (Actions{"again 2", "send 6"}));
}

TEST_F(GatheringTest, SendingAgainIsBoundedInTimeRoundsAndOctets) {
  bounds_.rounds = 2;
  bounds_.kept_octets = 100'000;
  restart();
  object(kAgain);
  pass(60s);
  due();
  outcome(1, DeliveryState::kDelivered);
  object(kAgain);
  pass(60s);
  EXPECT_EQ(due().size(), 2U);
  EXPECT_EQ(object(kAgain), Place::kHold) << "a third round";

  object(kAgain, "1.2.4");
  pass(60s);
  due();
  pass(90min);
  EXPECT_EQ(object(kAgain, "1.2.4"), Place::kHold) << "behind at_most";
  due();

  object(kAgain, "1.2.5");
  pass(60s);
  due();
  gathering_.passed(100'001);
  EXPECT_EQ(object(kAgain, "1.2.5"), Place::kHold) << "too much would have to be kept";
}

TEST_F(GatheringTest, ItsRecordsAreNeededOnlyAsLongAsTheyMay) {
  const auto needed = [this] { return value(gathering_.needed_from(Sequence{1000})); };
  object(kSeries);
  EXPECT_EQ(needed(), 1000U) << "what waits is open: the journal keeps it anyway";
  object(kAgain, "1.2.4");
  EXPECT_EQ(needed(), 1U);
  pass(60s);
  due();
  outcome(2, DeliveryState::kDelivered);
  EXPECT_EQ(needed(), 1U) << "it may be sent again";
  pass(90min);
  due();
  EXPECT_EQ(needed(), 2U) << "now only what says that it was complete";
  for (const GatheredRecord& again : gathering_.left_behind(Sequence{1000})) {
    EXPECT_TRUE(gathering_.gathered(again, Sequence{990}, now()).empty());
  }
  EXPECT_EQ(needed(), 989U);
  EXPECT_TRUE(gathering_.left_behind(Sequence{500}).empty());
  EXPECT_EQ(object(kHoldLate), Place::kHold) << "and still it is known";
  pass(25h);
  due();
  EXPECT_EQ(needed(), 1000U);
  EXPECT_EQ(gathering_.size(), 0U);
}

TEST_F(GatheringTest, ARecordDoesNotKeepMuchOfTheJournalForItself) {
  object(kSeries);
  pass(60s);
  due();
  gathering_.passed(256ULL << 20);
  EXPECT_TRUE(gathering_.left_behind(Sequence::kNone).empty());
  gathering_.passed(1000);
  const auto again = gathering_.left_behind(Sequence::kNone);
  ASSERT_EQ(again.size(), 1U);
  EXPECT_TRUE(gathering_.left_behind(Sequence::kNone).empty()) << "on its way already";
  EXPECT_TRUE(gathering_.gathered(again[0], Sequence{500}, now()).empty());
  EXPECT_EQ(value(gathering_.needed_from(Sequence{1000})), 499U);
}

TEST_F(GatheringTest, WhatIsNotDeliveredWhenNoMoreMayBeKeptIsGivenUp) {
  bounds_.kept_octets = 100'000;
  restart();
  object(kAgain);
  pass(60s);
  due();
  outcome(1, DeliveryState::kDelivered);
  object(kAgain);
  pass(60s);
  EXPECT_EQ(due(), (Actions{"again 1", "send 4"}));
  pass(2h);
  EXPECT_EQ(due(), Actions{}) << "the destination is down: its octets are kept";
  gathering_.passed(200'000);
  EXPECT_EQ(due(), Actions{"give up 1"});
}

TEST_F(GatheringTest, AFewWholesAreRemembered) {
  bounds_.wholes = 10;
  restart();
  for (int i = 0; i < 100; ++i) {
    object(kHoldLate, ("1.2.3." + std::to_string(i)).c_str());
    pass(60s);
    EXPECT_EQ(due().size(), 1U);
  }
  EXPECT_LE(gathering_.size(), 11U);
  EXPECT_EQ(object(kHoldLate, "1.2.3.99"), Place::kHold);
  EXPECT_EQ(object(kHoldLate, "1.2.3.1"), Place::kGather) << "forgotten: a new whole";
}

TEST_F(GatheringTest, ALaterLifeComesToTheSame) {
  object(kSeries);             // 1
  object(kHoldLate, "1.2.4");  // 2
  object(kAgain, "1.2.5");     // 3
  restart();
  EXPECT_EQ(place(1), Place::kGather);
  pass(60s);
  EXPECT_EQ(due().size(), 3U);  // records 4 to 6
  outcome(3, DeliveryState::kDelivered);
  object(kSeries);             // 8
  object(kHoldLate, "1.2.4");  // 9
  object(kAgain, "1.2.5");     // 10
  restart();
  EXPECT_EQ(place(1), Place::kSend);
  EXPECT_EQ(place(8), Place::kSend);
  EXPECT_EQ(place(9), Place::kHold);
  EXPECT_EQ(place(10), Place::kGather);
  EXPECT_EQ(unfinished(), Actions{});
  pass(60s);
  EXPECT_EQ(due(), (Actions{"again 3", "send 10"}));
  restart();
  EXPECT_EQ(unfinished(), Actions{"again 3"}) << "it was not sent again before the end";
  outcome(3, DeliveryState::kDelivered);
  restart();
  EXPECT_EQ(unfinished(), Actions{});
  EXPECT_EQ(place(10), Place::kSend);
}

TEST_F(GatheringTest, ADeadlineThatPassedWhileTheNodeWasDownIsDueAtOnce) {
  object(kSeries);
  pass(10h);
  restart();
  EXPECT_EQ(due(), Actions{"send 1"});
}

TEST_F(GatheringTest, AClockThatWasSetBackMakesNothingWaitLongerThanItMay) {
  object(kSeries);
  log_.front().object.received += 100h;  // as if received before the clock was set back
  restart();
  pass(60s);
  EXPECT_EQ(due(), Actions{"send 1"});
}

TEST_F(GatheringTest, ReferencesAreWaitedForOrTheCeiling) {
  constexpr WaitRecord kReferences{3, 0, us(10min), 0};
  EXPECT_EQ(gathering_.object(Sequence{1}, kDestination, kReferences, record(), now(), true),
            Place::kSend)
      << "all here";
  EXPECT_EQ(object(kReferences), Place::kGather);
  pass(9min);
  EXPECT_EQ(due(), Actions{});
  gathering_.complete(kDestination, record().sop_instance_uid, now());
  EXPECT_EQ(due(), Actions{"send 1"});
  EXPECT_EQ(last_.reason, "references");

  auto other = record();
  other.sop_instance_uid = uid_literal("1.2.3.10");
  gathering_.object(Sequence{++sequence_}, kDestination, kReferences, other, now());
  pass(10min);
  EXPECT_EQ(due().size(), 1U);
  EXPECT_EQ(last_.reason, "at_most");
}

}  // namespace
}  // namespace dr::delivery
