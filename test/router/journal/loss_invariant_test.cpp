#include "router/journal/loss_invariant.h"

#include "router/journal/ledger.h"
#include "test/router/journal/journal_fixture.h"

namespace dr::journal {
namespace {

class LossInvariantTest : public JournalTest {
 protected:
  static LossInvariant::Row row(LossInvariant& invariant, const std::string& destination) {
    invariant.check();
    for (auto& each : invariant.rows()) {
      if (each.destination == destination) return each;
    }
    ADD_FAILURE() << "no row of " << destination;
    return {};
  }
  static std::uint64_t in_state(const LossInvariant::Row& row, DeliveryState state) {
    return row.known.states[static_cast<std::size_t>(state)];
  }
};

TEST_F(LossInvariantTest, HoldsWhereverADeliveryIsAndAfterItsObjectIsGone) {
  FaultFileSystem files;
  auto journal = open(files);
  LossInvariant invariant(*journal);
  const std::vector<std::string> both{"a", "b"};
  for (int i = 0; i < 4; ++i) {
    ASSERT_TRUE(append(*journal, "octets", both));
    invariant.routed(both);
  }
  ASSERT_TRUE(journal->append(outcome(Sequence{1}, "a", DeliveryState::kDelivered)));
  ASSERT_TRUE(journal->append(outcome(Sequence{1}, "b", DeliveryState::kDropped)));
  ASSERT_TRUE(journal->append(outcome(Sequence{2}, "a", DeliveryState::kHeld)));
  ASSERT_TRUE(journal->append(outcome(Sequence{2}, "a", DeliveryState::kSkipped)));
  ASSERT_TRUE(journal->append(outcome(Sequence{3}, "b", DeliveryState::kUnknown)));
  ASSERT_TRUE(journal->flush(std::chrono::minutes(1)));
  EXPECT_EQ(journal->stats().live_objects, 3U);
  const auto a = row(invariant, "a");
  EXPECT_EQ(a.violations, 0U);
  EXPECT_EQ(a.routed, 4U);
  EXPECT_EQ(in_state(a, DeliveryState::kDelivered), 1U);
  EXPECT_EQ(in_state(a, DeliveryState::kSkipped), 1U);
  EXPECT_EQ(in_state(a, DeliveryState::kHeld), 0U);
  EXPECT_EQ(in_state(a, DeliveryState::kWaiting), 2U);
  const auto b = row(invariant, "b");
  EXPECT_EQ(b.violations, 0U);
  EXPECT_EQ(in_state(b, DeliveryState::kDropped), 1U);
  EXPECT_EQ(in_state(b, DeliveryState::kUnknown), 1U);
  EXPECT_EQ(in_state(b, DeliveryState::kWaiting), 2U);
}

TEST_F(LossInvariantTest, BeginsWithWhatIsOpenAtAStart) {
  FaultFileSystem files;
  auto journal = open(files);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(append(*journal, "octets"));
  ASSERT_TRUE(journal->append(outcome(Sequence{1}, "a", DeliveryState::kDelivered)));
  ASSERT_TRUE(journal->append(outcome(Sequence{2}, "a", DeliveryState::kHeld)));
  ASSERT_TRUE(journal->flush(std::chrono::minutes(1)));
  journal.reset();
  FaultFileSystem& disk = crashed(files, Survives::kEverything);
  journal = open(disk);
  LossInvariant invariant(*journal);
  const auto a = row(invariant, "a");
  EXPECT_EQ(a.violations, 0U);
  EXPECT_EQ(a.routed, 2U);
  EXPECT_EQ(in_state(a, DeliveryState::kHeld), 1U);
  EXPECT_EQ(in_state(a, DeliveryState::kWaiting), 1U);
}

TEST_F(LossInvariantTest, ShowsWhatIsRoutedAndNowhereAndWhatIsThereAndWasNotRouted) {
  FaultFileSystem files;
  auto journal = open(files);
  LossInvariant invariant(*journal);
  invariant.routed({"a"});
  EXPECT_EQ(row(invariant, "a").violations, 1U);
  ASSERT_TRUE(append(*journal, "octets"));
  EXPECT_EQ(row(invariant, "a").violations, 0U);
  ASSERT_TRUE(append(*journal, "octets", {"b"}));
  EXPECT_EQ(row(invariant, "b").violations, 1U);
}

TEST(LedgerTally, ADeliveryThatIsForgottenWhileItIsOpenIsMissed) {
  Ledger ledger;
  auto segment = std::make_shared<Segment>();
  const std::vector<RouteRecord> routes{{"a", 1, {}, {}, {}}, {"b", 1, {}, {}, {}}};
  ledger.add(Sequence{1}, routes, {segment, 4096}, 100);
  ledger.apply(outcome(Sequence{1}, "a", DeliveryState::kDelivered));
  ledger.forget(Sequence{1});
  const auto total = [&](std::size_t i) {
    std::uint64_t sum = 0;
    for (const auto n : ledger.tallies()[i].here) sum += n;
    for (const auto n : ledger.tallies()[i].finished) sum += n;
    return sum;
  };
  ASSERT_EQ(ledger.names(), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(total(0), 1U);
  EXPECT_EQ(total(1), 0U);
}

}  // namespace
}  // namespace dr::journal
