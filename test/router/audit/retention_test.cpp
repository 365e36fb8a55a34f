#include "router/audit/retention.h"

#include "test/router/audit/audit_fixture.h"

namespace dr::audit {
namespace {

class SetClock final : public Clock {
 public:
  UtcMicros now_utc() const override { return now; }
  SteadyTime now_steady() const override { return {}; }
  UtcMicros now = from_micros(1'700'000'000'000'000);  // 2023-11-14 22:13:20
};

class RetentionTest : public AuditTest {
 protected:
  /// One node's life, long enough to look once.
  void live() {
    Retention retention(*journal_, *files_, clock_, std::chrono::hours(24 * 30));
    retention.stop();
  }
  /// Targets of all records of retention.
  std::vector<std::string> told() {
    settle();
    std::vector<std::string> targets;
    Sequence at = Sequence::kNone;
    while (true) {
      const auto record = journal_->read_after(at);
      EXPECT_TRUE(record.ok());
      if (!record || !*record) return targets;
      at = (**record).sequence;
      if ((**record).type != journal::RecordType::kOperator) continue;
      const auto action = journal::decode_operator((**record).head);
      if (action->action == kRetention) targets.push_back(action->target);
    }
  }

  SetClock clock_;
};

TEST_F(RetentionTest, OneRecordADayHoweverOftenTheNodeStarts) {
  live();
  live();
  EXPECT_EQ(told(), std::vector<std::string>{"2023-10-15"});
  clock_.now += std::chrono::hours(1);
  reopen();
  live();
  EXPECT_EQ(told(), std::vector<std::string>{"2023-10-15"});
  clock_.now += std::chrono::hours(1);
  live();
  clock_.now -= std::chrono::hours(24 * 100);  // a clock that goes back removes nothing more
  live();
  EXPECT_EQ(told(), (std::vector<std::string>{"2023-10-15", "2023-10-16"}));
}

TEST_F(RetentionTest, ANodeRemovesItsOwnRowsInSmallSteps) {
  const auto store = *db::open_sqlite(database());
  std::vector<db::Row> rows;
  for (const char* node : {"router-1", "router-2"}) {
    for (std::uint64_t i = 0; i < 3; ++i) {
      db::SecurityEventRow row;
      row.key = {node, "00000000-0000-4000-8000-00000000000" + std::to_string(i), 1 + i * 10'000};
      row.time = from_micros(1'700'000'000'000'000);
      rows.emplace_back(row);
      row.key.sequence += 20'000;
      row.time += std::chrono::hours(48);
      rows.emplace_back(row);
    }
  }
  ASSERT_TRUE(store->write(rows).ok());
  const auto stopped =
      prune_before(*store, "router-1", day_of(clock_.now) + 1, [] { return true; });
  ASSERT_FALSE(stopped.ok());
  EXPECT_EQ(stopped.error().code, Errc::kCancelled);
  const auto pruned =
      prune_before(*store, "router-1", day_of(clock_.now) + 1, [] { return false; });
  ASSERT_TRUE(pruned.ok());
  EXPECT_EQ(*pruned, 3U);
  EXPECT_EQ(*prune_before(*store, "router-1", day_of(clock_.now) + 1, [] { return false; }), 0U);
  EXPECT_EQ(*prune_before(*store, "router-2", day_of(clock_.now), [] { return false; }), 0U);
}

}  // namespace
}  // namespace dr::audit
