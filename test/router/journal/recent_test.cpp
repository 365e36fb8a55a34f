#include "router/journal/recent.h"

#include "test/router/journal/journal_fixture.h"

namespace dr::journal {
namespace {

class RecentTest : public JournalTest {
 protected:
  Pending pending(std::string_view text) {
    Pending made(RecordType::kObject, as_bytes(std::string_view("head")), 0);
    made.set_body(chain(text));
    return made;
  }
  static Options keeping(std::uint64_t octets) {
    Options options = small_options();
    options.recent_octets = octets;
    return options;
  }
  /// From now on nothing is read from the disk.
  static void refuse_reads(FaultFileSystem& files) {
    files.set_hook([](const Operation& operation) -> std::optional<Error> {
      if (operation.kind == Operation::Kind::kRead) return Error{Errc::kIo, "read"};
      return std::nullopt;
    });
  }
};

TEST_F(RecentTest, LetsTheOldestGoFirst) {
  Recent recent(40'000);
  for (std::uint64_t i = 1; i <= 5; ++i) recent.keep(1, i * 16'000, pending(pattern(10'000, 1)));
  EXPECT_EQ(recent.find(1, 16'000), nullptr);
  EXPECT_EQ(recent.find(1, 32'000), nullptr);
  for (std::uint64_t i = 3; i <= 5; ++i) {
    const auto found = recent.find(1, i * 16'000);
    ASSERT_NE(found, nullptr);
    EXPECT_EQ(as_text(found->head()), "head");
    EXPECT_EQ(as_text(found->body), pattern(10'000, 1));
  }
  EXPECT_EQ(recent.find(2, 5 * 16'000), nullptr);  // of another segment
}

TEST_F(RecentTest, GivesItsBlocksBack) {
  Recent recent(3 * BlockPool::kBlockSize);
  for (std::uint64_t i = 1; i <= 9; ++i) recent.keep(1, i << 20, pending(pattern(200'000, 1)));
  EXPECT_LE(pool_.octets_in_use(), 3 * BlockPool::kBlockSize);
  EXPECT_GT(pool_.octets_in_use(), 0U);
  for (std::uint64_t i = 1; i <= 9; ++i) recent.keep(2, i << 12, pending("small"));
  // What fills a small part of a block does not keep the block.
  const std::size_t before = pool_.octets_in_use();
  recent.keep(2, 20 << 12, pending("small"));
  EXPECT_EQ(pool_.octets_in_use(), before);
}

TEST_F(RecentTest, WhoFollowsTheEndReadsNoDisk) {
  FaultFileSystem files;
  auto journal = open(files, keeping(1 << 20));
  const std::string small = pattern(900, 1);
  const std::string long_one = pattern(45'000, 2);
  ASSERT_TRUE(append(*journal, small).ok());
  ASSERT_TRUE(append(*journal, long_one).ok());
  ASSERT_TRUE(journal->flush(std::chrono::seconds(10)));  // who appended is told a moment before
  refuse_reads(files);
  const auto records = all(*journal);
  ASSERT_EQ(records.size(), 2U);
  EXPECT_EQ(records[1].body_octets, long_one.size());
  EXPECT_EQ(decode_object(records[0].head)->node, "router-1");
  EXPECT_EQ(*body(*journal, Sequence{1}), small);
  EXPECT_EQ(*body(*journal, Sequence{2}), long_one);
}

TEST_F(RecentTest, AfterForgettingTheDiskIsRead) {
  FaultFileSystem files;
  auto journal = open(files, keeping(1 << 20));
  ASSERT_TRUE(append(*journal, pattern(9'000, 1)).ok());
  ASSERT_TRUE(journal->flush(std::chrono::seconds(10)));
  (*journal->open_body(Sequence{1}))->forget();
  refuse_reads(files);
  EXPECT_EQ(journal->open_body(Sequence{1}).error().code, Errc::kIo);
  files.set_hook({});
  EXPECT_EQ(*body(*journal, Sequence{1}), pattern(9'000, 1));
}

TEST_F(RecentTest, AMovedObjectIsReadWhereItStandsNow) {
  FaultFileSystem files;
  Options options = keeping(8 << 20);
  options.checkpoint_octets = 64 << 10;
  auto journal = open(files, options);
  const auto waits = append(*journal, pattern(3'000, 99), {"dead"});
  for (unsigned i = 0; i < 300; ++i) {
    const auto sequence = append(*journal, pattern(3'000, i));
    ASSERT_TRUE(sequence.ok());
    ASSERT_TRUE(journal->append(outcome(*sequence, "a", DeliveryState::kDelivered)).ok());
  }
  EXPECT_EQ(*body(*journal, *waits), pattern(3'000, 99));
  const auto record = journal->read(*waits);
  ASSERT_TRUE(record.ok());
  EXPECT_EQ(record->type, RecordType::kObject);
}

}  // namespace
}  // namespace dr::journal
