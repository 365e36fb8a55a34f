// What must be told: a file written, put in place, or taken away; a folder exchanged under its
// name.
#include "router/rule_watcher.h"

#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <mutex>

#include <gtest/gtest.h>

#include "test/support/temp_dir.h"

namespace dr {
namespace {

namespace fs = std::filesystem;

class RuleWatcherTest : public testing::Test {
 protected:
  RuleWatcherTest() { fs::create_directory(folder()); }

  fs::path folder() const { return dir_ / "rules.d"; }
  static void write(const fs::path& file) { std::ofstream(file) << "x"; }
  void watch() {
    auto started = RuleWatcher::start(folder(), [this] {
      const std::scoped_lock lock(mutex_);
      ++told_;
      changed_.notify_all();
    });
    ASSERT_TRUE(started) << started.error().to_string();
    watcher_ = *std::move(started);
  }
  /// Waits for one more change than were waited for before.
  bool told() {
    std::unique_lock lock(mutex_);
    ++expected_;
    const bool came =
        changed_.wait_for(lock, std::chrono::seconds(30), [this] { return told_ >= expected_; });
    expected_ = told_;
    return came;
  }

  test::TempDir dir_;
  std::mutex mutex_;
  std::condition_variable changed_;
  int told_ = 0;
  int expected_ = 0;
  std::unique_ptr<RuleWatcher> watcher_;
};

TEST_F(RuleWatcherTest, TellsOfFilesWrittenPutInPlaceAndRemoved) {
  watch();
  write(folder() / "10.toml");
  EXPECT_TRUE(told());
  write(dir_ / "20.toml");
  fs::rename(dir_ / "20.toml", folder() / "20.toml");
  EXPECT_TRUE(told());
  fs::remove(folder() / "10.toml");
  EXPECT_TRUE(told());
}

TEST_F(RuleWatcherTest, TellsOfALinkThatLeadsElsewhereAndWatchesThere) {
  fs::remove(folder());
  fs::create_directory(dir_ / "first");
  fs::create_directory(dir_ / "second");
  fs::create_directory_symlink(dir_ / "first", folder());
  watch();
  fs::create_directory_symlink(dir_ / "second", dir_ / "next");
  fs::rename(dir_ / "next", folder());
  EXPECT_TRUE(told());
  write(dir_ / "second/10.toml");
  EXPECT_TRUE(told());
}

TEST_F(RuleWatcherTest, TellsOfAFolderThatGoesAndComesBack) {
  watch();
  fs::rename(folder(), dir_ / "away");
  EXPECT_TRUE(told());
  fs::create_directory(folder());
  EXPECT_TRUE(told());
  write(folder() / "10.toml");
  EXPECT_TRUE(told());
}

TEST_F(RuleWatcherTest, AFolderThatIsNotThereYetIsWaitedFor) {
  fs::remove(folder());
  watch();
  fs::create_directory(folder());
  EXPECT_TRUE(told());
}

TEST_F(RuleWatcherTest, EndsWithoutAChange) {
  watch();
  watcher_.reset();
}

}  // namespace
}  // namespace dr
