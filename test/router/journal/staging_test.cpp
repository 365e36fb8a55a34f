#include "router/journal/staging.h"

#include <algorithm>
#include <deque>
#include <random>

#include <gtest/gtest.h>

#include "dimse/base/block_chain.h"
#include "test/support/temp_dir.h"

namespace dr::journal {
namespace {

constexpr std::size_t kPage = File::kDirectAlignment;

/// Parts as a group has them: odd pieces, and blocks that begin on a page of file and memory.
class StagingTest : public testing::Test {
 protected:
  void odd(std::size_t octets) {
    auto& piece = pieces_.emplace_back(octets);
    for (std::byte& b : piece) b = static_cast<std::byte>(random_());
    add(piece);
  }
  void to_page() { odd(round_up_to_page(expected_.size()) - expected_.size()); }
  void block(std::size_t octets) {
    std::byte* const memory = pool_.try_take();
    blocks_.push_back(memory);
    for (std::size_t i = 0; i < octets; ++i) memory[i] = static_cast<std::byte>(random_());
    add({memory, octets});
  }
  ~StagingTest() override {
    for (std::byte* block : blocks_) pool_.give_back(block);
  }

  static std::size_t round_up_to_page(std::size_t n) { return (n + kPage - 1) / kPage * kPage; }
  void add(ByteSpan part) {
    parts_.push_back(part);
    expected_.insert(expected_.end(), part.begin(), part.end());
  }

  void write_and_compare(const std::filesystem::path& folder) {
    auto files = *open_posix_file_system(folder.string());
    auto file = *files->open("log", FileSystem::Mode::kCreateNew);
    const Bytes zeros(expected_.size() + 3 * kPage);
    const ByteSpan all(zeros);
    ASSERT_TRUE(file->write_at(0, std::span(&all, 1)).ok());
    ASSERT_TRUE(file->sync().ok());
    Staging staging;
    ASSERT_TRUE(staging.write(*file, kPage, parts_).ok());
    Bytes octets(expected_.size() + kPage);
    ASSERT_EQ(*file->read_at(0, octets), octets.size());
    EXPECT_TRUE(std::equal(expected_.begin(), expected_.end(), octets.begin() + kPage));
    EXPECT_EQ(octets[kPage - 1], std::byte{0});
  }

  std::minstd_rand random_{1};
  BlockPool pool_{64 << 20};
  std::vector<std::byte*> blocks_;
  std::deque<Bytes> pieces_;
  std::vector<ByteSpan> parts_;
  Bytes expected_;
};

TEST_F(StagingTest, WritesWhatTheGroupHolds) {
  for (int record = 0; record < 12; ++record) {
    odd(80 + random_() % 5'000);
    to_page();
    block(BlockPool::kBlockSize);
    block(BlockPool::kBlockSize);
    block(1 + random_() % 20'000);
  }
  odd(3'000'000);  // more than is gathered at a time
  to_page();
  const test::TempDir folder;
  write_and_compare(folder.path());
}

TEST_F(StagingTest, WritesToAFileSystemInMemoryAllTheSame) {
  odd(5'000);
  to_page();
  block(100'000);
  to_page();
  const test::TempDir folder("/dev/shm");
  write_and_compare(folder.path());
}

TEST_F(StagingTest, ReadersSeeWhatWasWrittenPastTheirCache) {
  const test::TempDir folder;
  auto files = *open_posix_file_system(folder.path().string());
  auto file = *files->open("log", FileSystem::Mode::kCreateNew);
  if (!file->write_past_cache()) GTEST_SKIP() << "the disk of TMPDIR takes no direct writes";
  BlockPool pool(1 << 20);
  std::byte* const memory = pool.try_take();
  for (int round = 1; round <= 20; ++round) {
    std::fill_n(memory, 8 * kPage, static_cast<std::byte>(round));
    const ByteSpan part(memory, 8 * kPage);
    ASSERT_TRUE(file->write_at(0, std::span(&part, 1)).ok());
    const Bytes odd(100, static_cast<std::byte>(round + 100));
    const ByteSpan small(odd);  // through the cache, in the middle
    ASSERT_TRUE(file->write_at(kPage + 10, std::span(&small, 1)).ok());
    Bytes octets(8 * kPage);
    ASSERT_EQ(*file->read_at(0, octets), octets.size());
    EXPECT_EQ(octets[0], static_cast<std::byte>(round));
    EXPECT_EQ(octets[kPage + 10], static_cast<std::byte>(round + 100));
    EXPECT_EQ(octets[8 * kPage - 1], static_cast<std::byte>(round));
    ASSERT_TRUE(file->sync().ok());
  }
  pool.give_back(memory);
}

}  // namespace
}  // namespace dr::journal
