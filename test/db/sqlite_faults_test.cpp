#include <atomic>
#include <csignal>
#include <fstream>
#include <thread>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test/db/store_fixture.h"
#include "test/support/process.h"

namespace dr::db {
namespace {

class SqliteFaults : public StoreTest {};

constexpr std::uint64_t kBatch = 50;

std::vector<Row> batch(std::uint64_t number) {
  std::vector<Row> rows;
  for (std::uint64_t i = 1; i <= kBatch; ++i) rows.emplace_back(instance(number * kBatch + i));
  return rows;
}

TEST_F(SqliteFaults, ANewerSchemaIsRefusedAndLeftAsItIs) {
  ASSERT_TRUE(open()->write(rows_of_every_kind()).ok());
  SQLite::Database(path(), SQLite::OPEN_READWRITE)
      .exec(
          "INSERT INTO schema_migration VALUES (9999, 'of the future', 0);"
          "PRAGMA journal_mode = DELETE");
  const std::string before = test::read_text(path());
  ASSERT_FALSE(before.empty());
  const auto store = open_sqlite(path());
  ASSERT_FALSE(store.ok());
  EXPECT_EQ(store.error().code, Errc::kUnsupported);
  EXPECT_EQ(test::read_text(path()), before);
}

TEST_F(SqliteFaults, AFileOfAnotherKindIsRefusedAndLeftAsItIs) {
  const std::string other(8192, 'n');
  std::ofstream(path()) << other;
  const auto store = open_sqlite(path());
  ASSERT_FALSE(store.ok());
  EXPECT_EQ(store.error().code, Errc::kCorrupt);
  EXPECT_EQ(test::read_text(path()), other);
}

TEST_F(SqliteFaults, AFolderThatCanNotBeMadeIsAnError) {
  std::ofstream(folder_ / "file") << "x";
  EXPECT_FALSE(open_sqlite((folder_ / "file" / "audit.sqlite").string()).ok());
}

TEST_F(SqliteFaults, ReadersSeeWholeBatchesWhileAnotherConnectionWrites) {
  const auto writer = open();
  const auto reader = open();
  std::atomic<bool> finished{false};
  std::thread writing([&] {
    for (std::uint64_t n = 0; n < 40; ++n) EXPECT_TRUE(writer->write(batch(n)).ok());
    finished = true;
  });
  std::size_t last = 0;
  std::size_t questions = 0;
  for (bool more = true; more;) {
    more = !finished;
    const auto found = reader->trace("1.2.3", 100'000);
    ASSERT_TRUE(found.ok()) << found.error().to_string();
    EXPECT_EQ(found->size() % kBatch, 0U);
    EXPECT_GE(found->size(), last);
    last = found->size();
    ++questions;
  }
  writing.join();
  EXPECT_EQ(last, 40 * kBatch);
  EXPECT_GT(questions, 1U);
}

TEST_F(SqliteFaults, ALockedDatabaseIsBusyForWritersButNotForReaders) {
  const auto store = open();
  ASSERT_TRUE(store->write(batch(0)).ok());
  SQLite::Database other(path(), SQLite::OPEN_READWRITE);
  other.exec("BEGIN IMMEDIATE");
  const auto written = store->write(batch(1));
  ASSERT_FALSE(written.ok());
  EXPECT_EQ(written.error().code, Errc::kConflict);
  EXPECT_EQ(store->trace("1.2.3", 1000)->size(), kBatch);
  EXPECT_TRUE(open_sqlite(path()).ok());  // and to open what is up to date writes nothing
  other.exec("COMMIT");
  EXPECT_TRUE(store->write(batch(1)).ok());
  EXPECT_EQ(store->trace("1.2.3", 1000)->size(), 2 * kBatch);
}

TEST_F(SqliteFaults, ClosingOneConnectionKeepsTheLocksOfAnother) {
  const auto store = open();
  ASSERT_TRUE(store->write(batch(0)).ok());
  { const auto second = open(); }
  // Had that dropped the lock, this process would take itself for the last user of the log, remove
  // it under the first connection, and what is written next would be lost.
  EXPECT_EQ(test::run({"sqlite3", path(), "SELECT count(*) FROM instance"}).output, "50\n");
  ASSERT_TRUE(store->write(batch(1)).ok());
  EXPECT_EQ(test::run({"sqlite3", path(), "SELECT count(*) FROM instance"}).output, "100\n");
}

/// A child that writes batch after batch and says so after each; killed once `most` are through.
std::uint64_t write_until_killed(const std::string& path, std::uint64_t most) {
  int ends[2];
  EXPECT_EQ(::pipe(ends), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    auto store = open_sqlite(path);
    for (std::uint64_t n = 0; store && (*store)->write(batch(n)).ok(); ++n) {
      if (::write(ends[1], "w", 1) != 1) break;
    }
    ::_exit(1);
  }
  ::close(ends[1]);
  std::uint64_t told = 0;
  char octet = 0;
  while (told < most && ::read(ends[0], &octet, 1) == 1) ++told;
  ::kill(child, SIGKILL);
  while (::read(ends[0], &octet, 1) == 1) ++told;
  ::close(ends[0]);
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFSIGNALED(status));
  return told;
}

TEST_F(SqliteFaults, AfterKillNineEveryCommittedBatchIsThereWhole) {
  std::uint64_t written = 0;
  for (const std::uint64_t most : {1U, 3U, 8U, 13U}) {
    written = std::max(written, write_until_killed(path(), most));
    const auto store = open();
    ASSERT_TRUE(store);
    const auto rows = static_cast<std::uint64_t>(number("SELECT count(*) FROM instance"));
    EXPECT_EQ(rows % kBatch, 0U);
    EXPECT_GE(rows, written * kBatch);
    EXPECT_EQ(test::run({"sqlite3", path(), "PRAGMA integrity_check"}).output, "ok\n");
  }
}

TEST_F(SqliteFaults, AFullDiskIsAnErrorAndWritingGoesOnOnceThereIsSpace) {
  const auto store = open();
  ASSERT_TRUE(store->write(batch(0)).ok());
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto old_handler = ::signal(SIGXFSZ, SIG_IGN);
  const rlimit low{256 << 10, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &low), 0);
  std::uint64_t good = 1;
  while (good < 1000 && store->write(batch(good)).ok()) ++good;
  const auto failed = store->write(batch(good));
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  ::signal(SIGXFSZ, old_handler);

  ASSERT_FALSE(failed.ok());
  EXPECT_NE(failed.error().code, Errc::kInvalid) << "it is not the row's fault";
  EXPECT_EQ(number("SELECT count(*) FROM instance"), static_cast<std::int64_t>(good * kBatch));
  EXPECT_TRUE(store->write(batch(good)).ok());
  EXPECT_EQ(number("SELECT count(*) FROM instance"),
            static_cast<std::int64_t>((good + 1) * kBatch));
  EXPECT_EQ(test::run({"sqlite3", path(), "PRAGMA integrity_check"}).output, "ok\n");
}

}  // namespace
}  // namespace dr::db
