#include "router/audit/feed.h"

#include <atomic>

#include <SQLiteCpp/SQLiteCpp.h>

#include "test/router/audit/audit_fixture.h"

namespace dr::audit {
namespace {

/// Asks before each write; the answer may be to fail.
class GatedStore final : public db::AuditStore {
 public:
  using Ask = std::function<Result<void>(std::span<const db::Row>)>;
  GatedStore(std::unique_ptr<db::AuditStore> store, Ask ask)
      : store_(std::move(store)), ask_(std::move(ask)) {}
  Result<void> write(std::span<const db::Row> rows) override {
    if (auto answer = ask_(rows); !answer) return answer;
    return store_->write(rows);
  }
  Result<void> put(const db::Records& records) override { return store_->put(records); }
  Result<std::vector<db::Extent>> extents() override { return store_->extents(); }
  Result<db::Records> read(const db::Extent& extent) override { return store_->read(extent); }
  Result<std::vector<std::string>> patient_keys() override { return store_->patient_keys(); }
  Result<std::uint64_t> forget(const std::string& patient_key, UtcMicros until) override {
    return store_->forget(patient_key, until);
  }
  Result<void> forget_results(const db::Extent& extent) override {
    return store_->forget_results(extent);
  }
  Result<std::uint64_t> prune(const db::Extent& extent, UtcMicros before) override {
    return store_->prune(extent, before);
  }
  Result<std::vector<db::Record>> actions(const std::string& action) override {
    return store_->actions(action);
  }
  Result<std::vector<db::TracedObject>> trace(const std::string& uid, std::size_t n) override {
    return store_->trace(uid, n);
  }

 private:
  std::unique_ptr<db::AuditStore> store_;
  Ask ask_;
};

class FeedTest : public AuditTest {
 protected:
  Feed::Open gated(GatedStore::Ask ask) const {
    return [open = opener(), ask]() -> Result<std::unique_ptr<db::AuditStore>> {
      auto store = open();
      if (!store) return store;
      return std::unique_ptr<db::AuditStore>(std::make_unique<GatedStore>(std::move(*store), ask));
    };
  }
  std::int64_t number(const std::string& sql) const {
    SQLite::Database db(database(), SQLite::OPEN_READONLY);
    return db.execAndGet(sql).getInt64();
  }
  /// Objects of which every other one has an outcome.
  void append_work(unsigned first, unsigned count) {
    for (unsigned i = first; i < first + count; ++i) {
      const Sequence sequence = append_object(i, {"archive", "orthanc"});
      if (i % 2 == 0) append_outcome(sequence, "orthanc", DeliveryState::kDelivered);
    }
  }
};

TEST_F(FeedTest, WhatBecomesDurableIsWritten) {
  append_work(1, 10);
  const auto feed = this->feed(opener());
  EXPECT_EQ(feed->sink(), "sqlite");
  EXPECT_TRUE(written_.reaches(10 * 4 + 5 * 2));
  append_work(11, 10);
  EXPECT_TRUE(written_.reaches(20 * 4 + 10 * 2));
  finish(*feed);
  EXPECT_EQ(stored("1.2").size(), 20U);
  EXPECT_EQ(number("SELECT count(*) FROM instance_state WHERE state = 'delivered'"), 10);
  EXPECT_EQ(refused_.now(), 0U);
}

TEST_F(FeedTest, TellsWhenEverythingIsWritten) {
  std::atomic<bool> down{true};
  const auto feed = this->feed(gated([&](std::span<const db::Row>) -> Result<void> {
    if (down) return Error{Errc::kIo, "down"};
    return {};
  }));
  append_work(1, 10);
  const Sequence last = journal_->watermark();
  EXPECT_FALSE(feed->wait_written(last, std::chrono::milliseconds(20)));
  down = false;
  EXPECT_TRUE(feed->wait_written(last, std::chrono::seconds(60)));
  EXPECT_EQ(feed->lag(), 0U);
  finish(*feed);
}

TEST_F(FeedTest, AfterRestartsNothingIsMissingAndNothingIsTwice) {
  constexpr unsigned kRounds = 5;
  constexpr unsigned kObjects = 40;
  for (unsigned round = 0; round < kRounds; ++round) {
    reopen();
    const auto feed = this->feed(opener());
    append_work(1 + round * kObjects, kObjects);
    feed->stop(std::chrono::milliseconds(round % 2 == 0 ? 0 : 50));
  }
  reopen();
  const auto feed = this->feed(opener());
  settle();
  finish(*feed);
  EXPECT_EQ(number("SELECT count(*) FROM instance"), kRounds * kObjects + 1);
  EXPECT_EQ(number("SELECT count(*) FROM delivery"), kRounds * kObjects / 2);
  EXPECT_EQ(number("SELECT count(*) FROM decision"), kRounds * kObjects + 1);
  EXPECT_EQ(number("SELECT count(*) FROM instance_state"), kRounds * kObjects * 2);
  EXPECT_EQ(number("SELECT count(DISTINCT sop_instance_uid) FROM instance"),
            kRounds * kObjects + 1);
}

TEST_F(FeedTest, RowsThatComeAgainChangeNothing) {
  append_work(1, 20);
  settle();
  finish(*feed(opener()));
  const std::string once = text_of(stored("1.2"));
  const std::size_t rows = written_.now();
  journal_->drop_cursor("audit-sqlite");
  finish(*feed(opener()));
  EXPECT_EQ(written_.now(), 2 * rows);
  EXPECT_EQ(text_of(stored("1.2")), once);
}

TEST_F(FeedTest, ADatabaseThatCanNotBeOpenedIsTriedAgain) {
  append_work(1, 10);
  std::atomic<int> tries{0};
  const auto feed = this->feed([&, open = opener()]() -> Result<std::unique_ptr<db::AuditStore>> {
    if (++tries < 3) return Error{Errc::kIo, "down"};
    return open();
  });
  EXPECT_TRUE(written_.reaches(10 * 4 + 5 * 2));
  EXPECT_EQ(tries.load(), 3);
  finish(*feed);
  EXPECT_EQ(stored("1.2").size(), 10U);
}

TEST_F(FeedTest, ALockedDatabaseOnlyWaits) {
  ASSERT_TRUE(db::open_sqlite(database()).ok());
  SQLite::Database other(database(), SQLite::OPEN_READWRITE);
  other.exec("BEGIN IMMEDIATE");
  Count tries;
  const auto feed = this->feed([&, open = opener()] {
    tries.add(1);
    return open();
  });
  append_work(1, 10);
  ASSERT_TRUE(tries.reaches(2));  // the first write failed, and a new connection is made
  EXPECT_EQ(written_.now(), 0U);
  EXPECT_GT(feed->lag(), 0U);
  other.exec("COMMIT");
  EXPECT_TRUE(written_.reaches(10 * 4 + 5 * 2));
  finish(*feed);
  EXPECT_EQ(refused_.now(), 0U);
  EXPECT_EQ(stored("1.2").size(), 10U);
}

TEST_F(FeedTest, ARefusedRowIsCountedAndPassedOver) {
  ASSERT_TRUE(db::open_sqlite(database()).ok());
  SQLite::Database(database(), SQLite::OPEN_READWRITE)
      .exec(
          "CREATE TRIGGER refuse BEFORE INSERT ON instance WHEN NEW.modality = 'XX' "
          "BEGIN SELECT RAISE(ABORT, 'no'); END");
  for (unsigned i = 1; i <= 100; ++i) {
    auto record = object(i, {"archive"});
    if (i == 7 || i == 8 || i == 100) record.modality = "XX";
    append_record(std::move(record));
  }
  const auto feed = this->feed(opener());
  EXPECT_TRUE(written_.reaches(100 * 3 - 3));
  finish(*feed);
  EXPECT_EQ(refused_.now(), 3U);
  EXPECT_EQ(written_.now(), 100U * 3 - 3);
  EXPECT_EQ(stored("1.2").size(), 97U);
  EXPECT_EQ(number("SELECT count(*) FROM decision"), 100);
}

TEST_F(FeedTest, ARecordThatCanNotBeReadIsCountedAndPassedOver) {
  append_object(1);
  ASSERT_TRUE(journal_->append(journal::RecordType::kSecurity, Bytes(9, std::byte{0xee})).ok());
  append_object(2);
  const auto feed = this->feed(opener());
  EXPECT_TRUE(refused_.reaches(1));
  finish(*feed);
  EXPECT_EQ(refused_.now(), 1U);
  EXPECT_EQ(stored("1.2").size(), 2U);
}

TEST_F(FeedTest, TheCursorMovesOnlyBehindTheCommit) {
  append_work(1, 4);
  settle();
  const auto& cursor = journal_->cursor("audit-sqlite");
  std::atomic<int> writes{0};
  const auto feed = this->feed(gated([&](std::span<const db::Row>) -> Result<void> {
    EXPECT_EQ(cursor.position(), Sequence::kNone);
    if (++writes < 3) return Error{Errc::kNoSpace, "full"};
    return {};
  }));
  EXPECT_TRUE(written_.reaches(1));
  EXPECT_EQ(writes.load(), 3);
  finish(*feed);
  EXPECT_EQ(cursor.position(), journal_->watermark());
}

TEST_F(FeedTest, RecordsThatComeTogetherShareATransaction) {
  append_work(1, 100);
  settle();
  std::atomic<int> writes{0};
  const auto feed = this->feed(gated([&](std::span<const db::Row>) -> Result<void> {
    ++writes;
    return {};
  }));
  EXPECT_TRUE(written_.reaches(100 * 4 + 50 * 2));
  finish(*feed);
  EXPECT_EQ(writes.load(), 1);
}

TEST_F(FeedTest, ADatabaseThatIsDownHoldsNobodyBack) {
  options_.idle_sync = std::chrono::hours(1);
  const auto feed = this->feed([]() -> Result<std::unique_ptr<db::AuditStore>> {
    return Error{Errc::kIo, "down"};
  });
  append_work(1, 10);
  feed->stop(kPatience);  // one more try, then it ends: the next start goes on from here
  EXPECT_EQ(feed->lag(), value(journal_->watermark()));
  EXPECT_EQ(written_.now(), 0U);
  EXPECT_EQ(journal_->cursor("audit-sqlite").position(), Sequence::kNone);
}

TEST_F(FeedTest, TwoDatabasesFollowEachAtItsOwnPlace) {
  append_work(1, 10);
  const auto down = std::make_unique<Feed>(
      "down",
      []() -> Result<std::unique_ptr<db::AuditStore>> {
        return Error{Errc::kIo, "down"};
      },
      *journal_, "router-1", FeedEvents{});
  const auto up = this->feed(opener());
  EXPECT_TRUE(written_.reaches(10 * 4 + 5 * 2));
  finish(*up);
  down->stop(std::chrono::milliseconds(0));
  EXPECT_EQ(down->lag(), value(journal_->watermark()));
}

}  // namespace
}  // namespace dr::audit
