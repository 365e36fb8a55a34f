#include "router/delivery/queue.h"

#include <map>

#include <gtest/gtest.h>

namespace dr::delivery {
namespace {

using namespace std::chrono_literals;
using journal::DeliveryState;
using journal::Sequence;

const ContextKey kCt{uid_literal("1.2.1"), uid_literal("1.2.840.10008.1.2"), {}};
const ContextKey kMr{uid_literal("1.2.2"), uid_literal("1.2.840.10008.1.2"), {}};

bool any(const Delivery&) { return true; }

class QueueTest : public testing::Test {
 protected:
  void push(std::uint64_t instance, const ContextKey& key = kCt, std::uint8_t priority = 1,
            std::uint32_t attempts = 0, SteadyTime not_before = {}) {
    Delivery delivery;
    delivery.instance = Sequence{instance};
    delivery.priority = priority;
    delivery.attempts = attempts;
    delivery.not_before = not_before;
    delivery.received = from_micros(static_cast<std::int64_t>(instance));
    queue_.push(delivery, key, now_);
  }
  std::vector<std::uint64_t> take_all() {
    std::vector<std::uint64_t> order;
    while (const auto next = queue_.take(any)) {
      order.push_back(journal::value(next->instance));
      queue_.finish(*next);
    }
    return order;
  }
  Queue queue_;
  SteadyTime now_{1h};
};

TEST_F(QueueTest, WithdrawsOneWhereverItStandsAndLeavesTheOthersInOrder) {
  for (std::uint64_t i = 1; i <= 4; ++i) push(i);
  push(5, kMr);                     // alone in its line
  push(6, kCt, 1, 1, now_ + 1min);  // deferred
  push(7, kCt, 1, 1, now_ + 2min);
  push(8);
  push(9);
  const auto sending = queue_.take(any);  // 1
  ASSERT_TRUE(sending);
  auto held = queue_.take(any);  // 2
  ASSERT_TRUE(held);
  held->state = DeliveryState::kHeld;
  queue_.park(*held, "refused");
  for (const std::uint64_t instance : {2, 3, 5, 6}) {
    const auto found = queue_.withdraw(Sequence{instance});
    ASSERT_TRUE(found) << instance;
    EXPECT_EQ(found->instance, Sequence{instance});
    EXPECT_FALSE(queue_.withdraw(Sequence{instance})) << instance;
  }
  EXPECT_FALSE(queue_.withdraw(Sequence{1}));  // is being sent
  EXPECT_EQ(queue_.count(DeliveryState::kHeld), 0U);
  EXPECT_EQ(queue_.count(DeliveryState::kWaiting), 4U);
  EXPECT_EQ(queue_.ready(), 3U);
  EXPECT_EQ(take_all(), (std::vector<std::uint64_t>{4, 8, 9}));
  queue_.promote(now_ + 3min);
  EXPECT_EQ(take_all(), (std::vector<std::uint64_t>{7}));
}

TEST_F(QueueTest, GivesOnePrioritysDeliveriesInOrderOfArrivalAcrossContexts) {
  push(1);
  push(2, kMr);
  push(3);
  EXPECT_EQ(take_all(), (std::vector<std::uint64_t>{1, 2, 3}));
  EXPECT_EQ(queue_.ready(), 0U);
}

TEST_F(QueueTest, SharesByPriorityAndStarvesNone) {
  for (std::uint64_t i = 0; i < 2100; ++i) {
    push(1 + i, kCt, 0);
    push(10'001 + i, kCt, 1);
    push(20'001 + i, kCt, 2);
  }
  std::map<std::uint64_t, int> taken;
  for (int i = 0; i < 2100; ++i) {
    const auto next = queue_.take(any);
    ++taken[journal::value(next->instance) / 10'000];
    queue_.finish(*next);
  }
  EXPECT_NEAR(taken[0], 1600, 16);
  EXPECT_NEAR(taken[1], 400, 16);
  EXPECT_NEAR(taken[2], 100, 16);
}

TEST_F(QueueTest, AnObjectThatReturnsDoesNotStandBeforeFreshOnes) {
  push(1, kCt, 1, 3);
  for (std::uint64_t i = 2; i < 10; ++i) push(i);
  const auto order = take_all();
  ASSERT_EQ(order.size(), 9U);
  EXPECT_EQ(std::count(order.begin(), order.begin() + 5, 1U), 1);  // one in five
}

TEST_F(QueueTest, WaitsUntilItsTimeAndTellsWhenThatIs) {
  push(1, kCt, 1, 1, now_ + 10s);
  push(2, kCt, 1, 1, now_ + 5s);
  EXPECT_EQ(queue_.ready(), 0U);
  EXPECT_EQ(queue_.next_due(), now_ + 5s);
  queue_.promote(now_ + 5s);
  EXPECT_EQ(queue_.take(any)->instance, Sequence{2});
  EXPECT_FALSE(queue_.take(any));
  EXPECT_EQ(queue_.next_due(), now_ + 10s);
}

TEST_F(QueueTest, TakesOnlyWhatFits) {
  push(1);
  push(2, kMr);
  const auto is_mr = [&](const Delivery& d) { return queue_.key(d.context) == kMr; };
  EXPECT_TRUE(queue_.any(is_mr));
  EXPECT_EQ(queue_.take(is_mr)->instance, Sequence{2});
  EXPECT_FALSE(queue_.any(is_mr));
  EXPECT_FALSE(queue_.take(is_mr));
  EXPECT_EQ(queue_.best()->instance, Sequence{1});
}

TEST_F(QueueTest, WantsTheContextsOfWhatIsReadyFirstThatOfTheNext) {
  push(1, kMr, 1);
  push(2, kCt, 0);
  push(3, kMr, 0);
  EXPECT_EQ(queue_.wanted(128), (std::vector<ContextKey>{kCt, kMr}));
  EXPECT_EQ(queue_.wanted(1), (std::vector<ContextKey>{kCt}));
  ContextKey titled = kMr;
  titled.calling_ae_title = *AeTitle::parse("CT2");
  push(4, titled, 1);
  EXPECT_EQ(queue_.wanted(128).size(), 2U);  // another calling title is another association
}

TEST_F(QueueTest, CountsEveryStateOnce) {
  for (std::uint64_t i = 1; i <= 4; ++i) push(i);
  auto one = *queue_.take(any);
  auto two = *queue_.take(any);
  auto three = *queue_.take(any);
  EXPECT_EQ(queue_.count(DeliveryState::kSending), 3U);
  one.state = DeliveryState::kHeld;
  queue_.park(one, "refused");
  two.state = DeliveryState::kUnknown;
  queue_.defer(two, "timeout");
  queue_.put_back(three);
  EXPECT_EQ(queue_.count(DeliveryState::kSending), 0U);
  EXPECT_EQ(queue_.count(DeliveryState::kHeld), 1U);
  EXPECT_EQ(queue_.count(DeliveryState::kUnknown), 1U);
  EXPECT_EQ(queue_.count(DeliveryState::kWaiting), 2U);
  EXPECT_EQ(queue_.take(any)->instance, Sequence{3});  // at the head again
}

TEST_F(QueueTest, ListsInOrderOfSequenceFromWhereTheLastListEnded) {
  for (std::uint64_t i = 9; i >= 1; --i) push(i);
  Delivery held = *queue_.take([](const Delivery& d) { return d.instance == Sequence{9}; });
  held.state = DeliveryState::kHeld;
  queue_.park(held, "refused");
  std::vector<std::uint64_t> seen;
  for (const Delivery& d : queue_.list({}, Sequence{3}, 4)) seen.push_back(value(d.instance));
  EXPECT_EQ(seen, (std::vector<std::uint64_t>{4, 5, 6, 7}));
  const auto only = queue_.list(DeliveryState::kHeld, Sequence::kNone, 10);
  ASSERT_EQ(only.size(), 1U);
  EXPECT_EQ(queue_.reason(only[0]), "refused");
  EXPECT_EQ(queue_.oldest(), from_micros(1));
  EXPECT_TRUE(queue_.list({}, Sequence::kNone, 0).empty());
}

TEST_F(QueueTest, WithdrawsManyWhereverTheyStandAndRestoresThemAsTheyWere) {
  for (std::uint64_t i = 1; i <= 3; ++i) push(i);
  push(4, kMr, 1, 1, now_ + 1min);        // deferred
  const auto sending = queue_.take(any);  // 1
  auto held = queue_.take(any);           // 2
  ASSERT_TRUE(sending && held);
  held->state = DeliveryState::kHeld;
  queue_.park(*held, "refused");
  Delivery waits;
  waits.instance = Sequence{5};
  queue_.gather(waits, kMr, "after_series");
  const std::vector<Sequence> all{Sequence{1}, Sequence{2}, Sequence{3}, Sequence{4}, Sequence{5}};
  const std::vector<Sequence> not_sent(all.begin() + 1, all.end());
  EXPECT_EQ(queue_.select(true, any), not_sent);
  EXPECT_EQ(queue_.select(false, any), std::vector<Sequence>(all.begin() + 1, all.end() - 1));
  const auto taken = queue_.withdraw(all, true, any);
  ASSERT_EQ(taken.size(), 4U);
  EXPECT_TRUE(queue_.select(true, any).empty());
  EXPECT_EQ(queue_.count(DeliveryState::kWaiting), 0U);
  EXPECT_EQ(queue_.count(DeliveryState::kHeld), 0U);
  EXPECT_EQ(queue_.count(DeliveryState::kSending), 1U);
  EXPECT_EQ(queue_.ready(), 0U);
  for (const Withdrawn& each : taken) queue_.restore(each, now_);
  EXPECT_EQ(queue_.select(true, any), not_sent);
  EXPECT_EQ(queue_.ready(), 1U);
  EXPECT_EQ(queue_.next_due(), now_ + 1min);
  const auto shown = queue_.list({}, Sequence::kNone, 10);
  ASSERT_EQ(shown.size(), 5U);
  EXPECT_EQ(queue_.reason(shown[1]), "refused");
  EXPECT_EQ(queue_.reason(shown[4]), "after_series");
  EXPECT_EQ(queue_.key(shown[3].context), kMr);
  EXPECT_TRUE(queue_.release(Sequence{5}));
}

}  // namespace
}  // namespace dr::delivery
