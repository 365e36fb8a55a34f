#include "router/journal/self_test.h"

#include <gtest/gtest.h>

#include "test/support/fault_file_system.h"

namespace dr::journal {
namespace {

using test::FaultFileSystem;

TEST(SelfTest, KnowsWhatASpoolMayLieOn) {
  EXPECT_EQ(medium_of(0xEF53), Medium::kDisk);  // ext4
  EXPECT_EQ(medium_of(0x58465342), Medium::kDisk);
  EXPECT_EQ(medium_of(0x6969), Medium::kNetwork);
  EXPECT_EQ(medium_of(0xFF534D42), Medium::kNetwork);
  EXPECT_EQ(medium_of(0xFE534D42), Medium::kNetwork);
  EXPECT_EQ(medium_of(0x01021994), Medium::kMemory);
  EXPECT_EQ(medium_of(0x65735546), Medium::kUserSpace);
}

TEST(SelfTest, RefusesANetworkFileSystemBeforeItTouchesIt) {
  FaultFileSystem files;
  files.set_medium(Medium::kNetwork);
  const auto refused = refuse_network(files);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Errc::kUnsupported);
  EXPECT_NE(refused.error().detail.find("NFS"), std::string::npos);
  EXPECT_EQ(files.operations(), 0U);
  files.set_medium(Medium::kMemory);
  EXPECT_TRUE(refuse_network(files).ok());
}

TEST(SelfTest, TimesSyncsAndLeavesNothingBehind) {
  FaultFileSystem files;
  const SystemClock clock;
  const auto tested = self_test(files, clock, "7f00-7f01 r-xp /usr/lib/libc.so.6\n");
  ASSERT_TRUE(tested.ok());
  EXPECT_GT(tested->sync_seconds, 0);
  EXPECT_GE(files.count(test::Operation::Kind::kSync), 5U);
  EXPECT_TRUE(files.all_files().empty());
}

TEST(SelfTest, WarnsOfWhatTakesSyncsTheirMeaning) {
  EXPECT_TRUE(judge(Medium::kDisk, 2e-3, "libc.so.6").empty());
  EXPECT_EQ(judge(Medium::kDisk, 2e-6, "").size(), 1U);
  EXPECT_EQ(judge(Medium::kDisk, 80e-3, "").size(), 1U);
  EXPECT_EQ(judge(Medium::kMemory, 2e-6, "").size(), 1U);
  EXPECT_EQ(judge(Medium::kUserSpace, 2e-3, "").size(), 1U);
  const auto eaten = judge(Medium::kDisk, 2e-3, "r-xp /usr/lib/libeatmydata.so.1.3.0\n");
  ASSERT_EQ(eaten.size(), 1U);
  EXPECT_NE(eaten[0].find("libeatmydata"), std::string::npos);
}

TEST(SelfTest, AFailingDiskIsAnError) {
  FaultFileSystem files;
  const SystemClock clock;
  files.set_hook([](const test::Operation& operation) -> std::optional<Error> {
    if (operation.kind == test::Operation::Kind::kSync) return Error{Errc::kIo, "sync"};
    return std::nullopt;
  });
  EXPECT_EQ(self_test(files, clock, "").error().code, Errc::kIo);
}

}  // namespace
}  // namespace dr::journal
