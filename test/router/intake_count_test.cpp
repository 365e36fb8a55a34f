#include "router/intake_count.h"

#include <future>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "router/loss_report.h"
#include "test/support/fault_file_system.h"

namespace dr {
namespace {

using journal::Sequence;
using test::FaultFileSystem;
using test::Survives;

constexpr audit::Day kDay = 20'000;

class IntakeCountTest : public testing::Test {
 protected:
  void open(const std::string& key = "key") {
    sealer_ = std::make_unique<audit::Sealer>(key);
    journal::Options options;
    options.segment_octets = 1U << 20;
    options.ahead_octets = 0;
    auto opened = journal::Journal::open(*disk_, clock_, options);
    ASSERT_TRUE(opened) << opened.error().to_string();
    journal_ = std::move(*opened);
    count_ = std::make_unique<IntakeCount>(*journal_, *disk_, *sealer_);
  }
  /// As intake does: counted once it is durable.
  void receive(const std::vector<std::string>& destinations) {
    journal::ObjectRecord record;
    record.received =
        UtcMicros(std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::days(kDay)));
    record.sop_instance_uid = uid_literal("1.2.3");
    for (const auto& each : destinations) record.routes.push_back({each, 1, {}, {}, {}});
    std::promise<Result<Sequence>> done;
    journal_->append_object(record, BlockChain(pool_), [&](Result<Sequence> sequence) {
      if (sequence) count_->routed(*sequence, record.received, destinations);
      done.set_value(std::move(sequence));
    });
    ASSERT_TRUE(done.get_future().get());
  }
  /// kill -9: what was written is there, the count's file is as it last was.
  void die() {
    auto disk = disk_->crash(Survives::kEverything);
    count_.reset();
    journal_.reset();
    disk_ = std::move(disk);
  }
  void stop() {
    count_.reset();
    journal_->close();
    journal_.reset();
  }
  std::map<std::string, std::uint64_t> routed() { return count_->day(kDay).routed; }

  SystemClock clock_;
  BlockPool pool_{1U << 20};
  std::unique_ptr<FaultFileSystem> disk_ = std::make_unique<FaultFileSystem>();
  std::unique_ptr<audit::Sealer> sealer_;
  std::unique_ptr<journal::Journal> journal_;
  std::unique_ptr<IntakeCount> count_;
};

using Counts = std::map<std::string, std::uint64_t>;

TEST_F(IntakeCountTest, CountsEachCopyOnceAcrossCrashesAndStops) {
  open();
  receive({"a", "b"});
  receive({});
  EXPECT_EQ(routed(), (Counts{{"a", 1}, {"b", 1}}));
  die();  // nothing of it was written
  open();
  EXPECT_EQ(routed(), (Counts{{"a", 1}, {"b", 1}}));
  receive({"a"});
  stop();
  open();
  receive({"b"});
  die();  // the file knows all but the last
  open();
  EXPECT_EQ(routed(), (Counts{{"a", 2}, {"b", 2}}));
  EXPECT_EQ(count_->since(), Sequence::kNone);
  EXPECT_EQ(count_->day(kDay).first, 1U);
  stop();
}

TEST_F(IntakeCountTest, AFileThatWasChangedCountsForNothing) {
  open();
  receive({"a"});
  stop();
  auto file = disk_->open("routed-counts", FileSystem::Mode::kReadWrite);
  ASSERT_TRUE(file);
  const Bytes other(1, std::byte{'9'});
  const ByteSpan part(other);
  ASSERT_TRUE((*file)->write_at(12, {&part, 1}));
  open();
  EXPECT_EQ(routed(), Counts{});
  EXPECT_EQ(count_->since(), Sequence{1});
  receive({"a"});
  EXPECT_EQ(routed(), (Counts{{"a", 1}}));
  EXPECT_EQ(count_->day(kDay).first, 2U);
  stop();
}

TEST(LossReportDay, IsADateAndNothingElse) {
  EXPECT_EQ(*parse_day("1970-01-02"), 1);
  EXPECT_EQ(audit::day_text(*parse_day("2026-01-31")), "2026-01-31");
  for (const char* wrong : {"", "2026-02-30", "2026-1-31", "2026-01-31x", " 026-01-31",
                            "-026-01-01", "2026-01-3 ", "yesterday"}) {
    EXPECT_FALSE(parse_day(wrong)) << wrong;
  }
}

}  // namespace
}  // namespace dr
