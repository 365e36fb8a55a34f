#include "router/journal/journal.h"

#include <map>
#include <set>
#include <thread>

#include "test/router/journal/journal_fixture.h"

namespace dr::journal {
namespace {

using Kind = Operation::Kind;

TEST_F(JournalTest, AcknowledgedObjectIsReadBack) {
  FaultFileSystem files;
  auto journal = open(files);
  const std::string text = pattern(9'001, 1);
  const auto sequence = append(*journal, text, {"a", "b"});
  ASSERT_TRUE(sequence.ok());
  EXPECT_EQ(*sequence, Sequence{1});
  EXPECT_EQ(*body(*journal, *sequence), text);
  const auto record = journal->read(*sequence);
  ASSERT_TRUE(record.ok());
  EXPECT_EQ(record->type, RecordType::kObject);
  EXPECT_EQ(record->body_octets, text.size());
  EXPECT_GT(record->durable, UtcMicros{});
  EXPECT_EQ(decode_object(record->head)->node, "router-1");
  EXPECT_EQ(journal->watermark(), Sequence{1});
  EXPECT_EQ(journal->read(Sequence{2}).error().code, Errc::kNotFound);
}

TEST_F(JournalTest, ReopensWithEverythingAndNewSequences) {
  FaultFileSystem files;
  std::string id;
  {
    auto journal = open(files);
    id = journal->spool_id();
    ASSERT_TRUE(append(*journal, "one", {"a", "b"}).ok());
    ASSERT_TRUE(append(*journal, "two", {"a"}).ok());
    ASSERT_TRUE(journal->append(outcome(Sequence{1}, "a", DeliveryState::kDelivered)).ok());
    OutcomeRecord later = outcome(Sequence{2}, "a", DeliveryState::kWaiting);
    later.attempt = 3;
    later.next_attempt = from_micros(99);
    ASSERT_TRUE(journal->append(later).ok());
    ASSERT_TRUE(append(*journal, "", {}).ok());
    journal->close();
    EXPECT_EQ(append(*journal, "late").error().code, Errc::kCancelled);
    EXPECT_EQ(journal->append(later).error().code, Errc::kCancelled);
  }
  auto journal = open(files);
  EXPECT_EQ(journal->spool_id(), id);
  EXPECT_EQ(journal->recovery().records, 5U);
  EXPECT_EQ(journal->recovery().cut_octets, 0U);
  EXPECT_TRUE(journal->recovery().findings.empty());
  EXPECT_EQ(journal->recovery().tail, Sequence{5});
  const auto open_ones = journal->open_deliveries();
  ASSERT_EQ(open_ones.size(), 2U);
  EXPECT_EQ(open_ones[0].instance, Sequence{1});
  EXPECT_EQ(open_ones[0].destination, "b");
  EXPECT_EQ(open_ones[1].instance, Sequence{2});
  EXPECT_EQ(open_ones[1].attempts, 3U);
  EXPECT_EQ(open_ones[1].next_attempt, from_micros(99));
  EXPECT_EQ(journal->unrouted_objects(), 1U);
  EXPECT_EQ(*body(*journal, Sequence{2}), "two");
  EXPECT_EQ(all(*journal).size(), 5U);
  EXPECT_EQ(*append(*journal, "three"), Sequence{6});
}

TEST_F(JournalTest, ObjectsThatArriveDuringASyncShareTheNextOne) {
  FaultFileSystem files;
  auto journal = open(files);
  std::promise<void> in_sync;
  std::promise<void> go_on;
  auto released = go_on.get_future().share();
  std::atomic<int> syncs{0};
  files.set_hook([&](const Operation& operation) -> std::optional<Error> {
    if (operation.kind == Kind::kSync && syncs++ == 0) {
      in_sync.set_value();
      released.wait();
    }
    return std::nullopt;
  });
  auto first = start_append(*journal, "first");
  in_sync.get_future().wait();
  std::vector<std::future<Result<Sequence>>> others;
  for (int i = 0; i < 10; ++i) others.push_back(start_append(*journal, pattern(1'000, 1)));
  go_on.set_value();
  ASSERT_TRUE(first.get().ok());
  for (auto& each : others) ASSERT_TRUE(each.get().ok());
  EXPECT_EQ(syncs, 2);
  files.set_hook({});
}

TEST_F(JournalTest, OutcomeLeavesTheLedgerWhenAppendedAndIsNotSynced) {
  FaultFileSystem files;
  auto journal = open(files);
  ASSERT_TRUE(append(*journal, "one").ok());
  const std::size_t syncs = files.count(Kind::kSync);
  ASSERT_TRUE(journal->append(outcome(Sequence{1}, "a", DeliveryState::kDelivered)).ok());
  EXPECT_TRUE(journal->open_deliveries().empty());
  EXPECT_EQ(files.count(Kind::kSync), syncs);
}

TEST_F(JournalTest, LazyRecordsAreSyncedAfterAWhileAndTold) {
  struct Waiter : Listener {
    void advanced(Sequence watermark) override {
      if (watermark == Sequence{1}) reached.set_value();
    }
    void synced(const SyncStats&) override {}
    void fenced(const Error&) override {}
    std::promise<void> reached;
  } waiter;
  FaultFileSystem files;
  Options options = small_options();
  options.idle_sync = std::chrono::milliseconds(1);
  auto journal = open(files, options, &waiter);
  ASSERT_TRUE(journal->append(SecurityRecord{}).ok());
  waiter.reached.get_future().wait();
  EXPECT_EQ(all(*journal).size(), 1U);
}

TEST_F(JournalTest, FailedSyncFencesUntilRestart) {
  struct Watch : Listener {
    void advanced(Sequence) override {}
    void synced(const SyncStats&) override {}
    void fenced(const Error&) override { ++count; }
    std::atomic<int> count{0};
  } watch;
  FaultFileSystem files;
  auto journal = open(files, small_options(), &watch);
  ASSERT_TRUE(append(*journal, "kept").ok());
  std::atomic<int> syncs{0};
  files.set_hook([&](const Operation& operation) -> std::optional<Error> {
    if (operation.kind != Kind::kSync) return std::nullopt;
    ++syncs;
    return Error{Errc::kIo, "injected"};
  });
  EXPECT_EQ(append(*journal, "lost").error().code, Errc::kFenced);
  files.set_hook({});  // the disk seems well again: it is not believed
  EXPECT_EQ(append(*journal, "refused").error().code, Errc::kFenced);
  EXPECT_EQ(journal->append(SecurityRecord{}).error().code, Errc::kFenced);
  EXPECT_EQ(journal->refusing()->code, Errc::kFenced);
  EXPECT_TRUE(journal->stats().fenced);
  EXPECT_EQ(syncs, 1);
  EXPECT_EQ(watch.count, 1);
  EXPECT_EQ(journal->watermark(), Sequence{1});
  EXPECT_EQ(*body(*journal, Sequence{1}), "kept");
  journal.reset();
  journal = open(crashed(files, Survives::kNothing));
  EXPECT_EQ(journal->recovery().tail, Sequence{1});
}

TEST_F(JournalTest, FailedWriteFences) {
  FaultFileSystem files;
  auto journal = open(files);
  files.set_hook([&](const Operation& operation) -> std::optional<Error> {
    if (operation.kind != Kind::kWrite) return std::nullopt;
    return Error{Errc::kIo, "injected"};
  });
  EXPECT_EQ(append(*journal, "lost").error().code, Errc::kFenced);
  files.set_hook({});
  EXPECT_EQ(append(*journal, "refused").error().code, Errc::kFenced);
}

TEST_F(JournalTest, SecondJournalOnTheSameSpoolIsRefused) {
  FaultFileSystem files;
  auto journal = open(files);
  EXPECT_EQ(try_open(files).error().code, Errc::kConflict);
  journal.reset();
  EXPECT_TRUE(try_open(files).ok());
}

TEST_F(JournalTest, NewerFormatIsLeftUntouched) {
  FaultFileSystem files;
  open(files).reset();
  const Bytes spool = files.content("spool");
  std::string text(as_text(spool));
  const std::string format = "format " + std::to_string(kFormatVersion);
  text.replace(text.find(format), format.size(), "format " + std::to_string(kFormatVersion + 1));
  files.set_content("spool", Bytes(as_bytes(text).begin(), as_bytes(text).end()));
  const std::size_t before = files.operations();
  const auto refused = try_open(files);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Errc::kUnsupported);
  EXPECT_EQ(files.operations(), before);
}

TEST_F(JournalTest, CursorsComeBackWhereTheyStood) {
  FaultFileSystem files;
  {
    auto journal = open(files);
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(append(*journal, "x").ok());
    journal->cursor("sqlite").advance(Sequence{2});
    journal->cursor("sqlite").advance(Sequence{1});  // never back
    EXPECT_EQ(journal->cursor("sqlite").position(), Sequence{2});
    journal->cursor("gone").advance(Sequence{1});
    journal->close();
    journal->drop_cursor("gone");
  }
  auto journal = open(files);
  EXPECT_EQ(journal->cursor("sqlite").position(), Sequence{2});
  EXPECT_EQ(journal->cursor("gone").position(), Sequence::kNone);
}

TEST_F(JournalTest, CursorBeyondTheTailFencesTheNode) {
  FaultFileSystem files;
  std::unique_ptr<FaultFileSystem> earlier;
  {
    auto journal = open(files);
    ASSERT_TRUE(append(*journal, "one").ok());
    earlier = files.crash(Survives::kEverything);
    ASSERT_TRUE(append(*journal, "two").ok());
    journal->cursor("sqlite").advance(Sequence{2});
    journal->close();
  }
  for (const std::string& name : files.all_files()) {
    if (name.starts_with("cursors/")) earlier->set_content(name, files.content(name));
  }
  const auto refused = try_open(*earlier);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Errc::kFenced);
  EXPECT_NE(refused.error().detail.find("sqlite"), std::string::npos);
}

TEST_F(JournalTest, FinishedSegmentsAreRecycledAndNeverReplayed) {
  FaultFileSystem files;
  Options options = small_options();
  options.ahead_octets = 128 << 10;
  auto journal = open(files, options);
  Cursor& cursor = journal->cursor("audit");
  for (std::uint64_t i = 0; i < 200; ++i) {
    const auto sequence = append(*journal, pattern(5'000, static_cast<unsigned>(i)));
    ASSERT_TRUE(sequence.ok());
    ASSERT_TRUE(journal->append(outcome(*sequence, "a", DeliveryState::kDelivered)).ok());
    cursor.advance(*sequence);
  }
  EXPECT_LE(journal->stats().segments + journal->stats().segments_free, 6U);
  const auto last = append(*journal, "last");
  ASSERT_TRUE(last.ok());
  auto& after = crashed(files, Survives::kEverything);
  journal.reset();
  journal = open(after, options);
  const auto waiting = journal->open_deliveries();
  ASSERT_LE(waiting.size(), 2U);  // the last outcome may not have been written yet
  EXPECT_EQ(waiting.back().instance, *last);
  EXPECT_LE(journal->recovery().records, 60U);
  EXPECT_TRUE(journal->recovery().findings.empty());
}

TEST_F(JournalTest, BurstIsPreparedForFromThenOn) {
  FaultFileSystem files;
  Options options = small_options();
  options.ahead_octets = 128 << 10;
  options.ahead_most = 512 << 10;
  auto journal = open(files, options);
  // Nothing of this is finished: no segment comes back, and the pool alone can prepare others.
  for (unsigned i = 0; i < 100; ++i) ASSERT_TRUE(append(*journal, pattern(5'000, i)).ok());
  ASSERT_GE(journal->stats().segments, 8U);
  const auto ready = [&] { return journal->stats().segments_free; };
  for (int tries = 0; tries < 1'000 && ready() < 8; ++tries) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_EQ(ready(), 8U);  // what was needed, and no more than may be kept
  journal.reset();
  journal = open(files, options);
  EXPECT_GE(ready(), 7U);
}

/// What a dead destination keeps, in octets of segments and of objects.
TEST_F(JournalTest, DeadDestinationKeepsItsOwnObjectsAndATenthMore) {
  FaultFileSystem files;
  Options options = small_options();
  options.segment_octets = 128 << 10;
  options.checkpoint_octets = 512 << 10;
  std::map<Sequence, std::string> waiting;
  {
    auto journal = open(files, options);
    Cursor& cursor = journal->cursor("audit");
    for (unsigned i = 0; i < 20'000; ++i) {
      const bool dead = i % 20 == 0;
      std::string text = pattern(3'000, i);
      const auto sequence = append(*journal, text, {dead ? "dead" : "a"});
      ASSERT_TRUE(sequence.ok());
      if (dead) {
        waiting[*sequence] = std::move(text);
      } else {
        ASSERT_TRUE(journal->append(outcome(*sequence, "a", DeliveryState::kDelivered)).ok());
      }
      cursor.advance(*sequence);
    }
    // Moved objects stand closely together; the rest of the bound is what a checkpoint has still to
    // cover, twice, and what moves.
    const auto bound = [&] { return waiting.size() * 3'300 * 11 / 10 + (3 * 512 << 10); };
    const auto kept = [&] { return journal->stats().segments * options.segment_octets; };
    for (unsigned i = 0; i < 1'000 && kept() > bound(); ++i) {
      const auto sequence = append(*journal, "nudge");
      ASSERT_TRUE(journal->append(outcome(*sequence, "a", DeliveryState::kDelivered)).ok());
      cursor.advance(*sequence);
    }
    EXPECT_LE(kept(), bound());
    for (const auto& [sequence, text] : waiting) ASSERT_EQ(*body(*journal, sequence), text);
  }
  {
    auto journal = open(files, options);
    EXPECT_TRUE(journal->recovery().findings.empty()) << journal->recovery().findings.front();
    EXPECT_LE(journal->recovery().records, 4'000U);
    const auto open_ones = journal->open_deliveries();
    ASSERT_EQ(open_ones.size(), waiting.size());
    for (const OpenDelivery& each : open_ones) {
      EXPECT_EQ(each.destination, "dead");
      ASSERT_EQ(*body(*journal, each.instance), waiting.at(each.instance));
    }
    // Without its checkpoints everything that waits is found all the same.
    journal.reset();
    const auto checkpoints = files.list("checkpoints");
    for (const std::string& name : *checkpoints) {
      ASSERT_TRUE(files.unlink("checkpoints/" + name).ok());
    }
    journal = open(files, options);
    std::set<Sequence> found;
    for (const OpenDelivery& each : journal->open_deliveries()) found.insert(each.instance);
    for (const auto& [sequence, text] : waiting) ASSERT_TRUE(found.contains(sequence));
  }
}

TEST_F(JournalTest, CheckpointThatIsDamagedCostsOnlyTheReadingOfMore) {
  for (const bool both : {false, true}) {
    FaultFileSystem files;
    Options options = small_options();
    options.checkpoint_octets = 64 << 10;
    {
      auto journal = open(files, options);
      for (unsigned i = 0; i < 200; ++i) {
        ASSERT_TRUE(append(*journal, pattern(3'000, i), {"dead"}).ok());
      }
    }
    const auto names = *files.list("checkpoints");
    ASSERT_EQ(names.size(), 2U);
    const std::string newest = "checkpoints/" + std::max(names[0], names[1]);
    for (const std::string& name : names) {
      const std::string path = "checkpoints/" + name;
      if (path != newest && !both) continue;
      Bytes octets = files.content(path);
      octets[octets.size() / 2] ^= std::byte{4};
      files.set_content(path, std::move(octets));
    }
    auto journal = open(files, options);
    EXPECT_EQ(journal->recovery().findings.size(), both ? 2U : 1U);
    EXPECT_EQ(journal->recovery().damaged_records, 0U);
    const auto open_ones = journal->open_deliveries();
    ASSERT_EQ(open_ones.size(), 200U);
    for (unsigned i = 0; i < 200; ++i) {
      EXPECT_EQ(*body(*journal, open_ones[i].instance), pattern(3'000, i));
    }
  }
}

TEST_F(JournalTest, ARetryAndWhatFollowedItSurviveAKillWrittenOrNot) {
  for (const bool written : {false, true}) {
    SCOPED_TRACE(written);
    FaultFileSystem files;
    auto journal = open(files);
    const auto sequence = append(*journal, "x");
    auto each = outcome(*sequence, "a", DeliveryState::kHeld);
    each.attempt = 50;
    ASSERT_TRUE(journal->append(each).ok());
    ASSERT_TRUE(journal->flush(std::chrono::seconds(60)));
    std::promise<void> killed;
    std::atomic<bool> syncing{false};
    auto wait = killed.get_future().share();
    if (!written) {  // the writer waits for the disk, until the journal is closed
      files.set_hook([&, wait](const Operation& operation) -> std::optional<Error> {
        if (operation.kind == Kind::kSync && !syncing.exchange(true)) wait.wait();
        return std::nullopt;
      });
    }
    auto second = start_append(*journal, "y");
    while (!written && !syncing) std::this_thread::yield();
    each.state = DeliveryState::kWaiting;
    each.attempt = 0;
    ASSERT_TRUE(journal->append(each).ok());
    each.attempt = 1;
    ASSERT_TRUE(journal->append(each).ok());
    if (written) {
      ASSERT_TRUE(journal->flush(std::chrono::seconds(60)));
    }
    auto& after = crashed(files, Survives::kEverything);
    killed.set_value();
    EXPECT_TRUE(second.get().ok());
    journal.reset();
    for (int start = 0; start < 2; ++start) {
      journal = open(after);
      const auto known = journal->open_deliveries();
      ASSERT_FALSE(known.empty());
      EXPECT_EQ(known[0].state, DeliveryState::kWaiting);
      EXPECT_EQ(known[0].attempts, 1U);
      std::size_t outcomes = 0;
      EXPECT_TRUE(journal->flush(std::chrono::seconds(60)));
      for (const Record& record : all(*journal)) outcomes += record.type == RecordType::kOutcome;
      EXPECT_EQ(outcomes, 3U);
      journal.reset();
    }
  }
}

TEST_F(JournalTest, OutcomeThatWasAppendedSurvivesAKillBeforeItIsWritten) {
  FaultFileSystem files;
  auto journal = open(files);
  const auto sequence = append(*journal, "x", {"a", "b"});
  // From here on the writer waits for the disk, until the journal is closed.
  std::promise<void> killed;
  std::atomic<bool> syncing{false};
  auto wait = killed.get_future().share();
  files.set_hook([&, wait](const Operation& operation) -> std::optional<Error> {
    if (operation.kind == Kind::kSync && !syncing.exchange(true)) wait.wait();
    return std::nullopt;
  });
  auto second = start_append(*journal, "y");
  while (!syncing) std::this_thread::yield();
  auto tried = outcome(*sequence, "a", DeliveryState::kWaiting);
  tried.attempt = 1;
  ASSERT_TRUE(journal->append(tried).ok());
  tried.attempt = 2;
  tried.state = DeliveryState::kDelivered;
  ASSERT_TRUE(journal->append(tried).ok());
  auto& after = crashed(files, Survives::kEverything);  // kill -9: the page cache stays
  auto& without_power = crashed(files, Survives::kNothing);
  killed.set_value();
  EXPECT_TRUE(second.get().ok());
  journal.reset();
  journal = open(after);
  const auto waiting = journal->open_deliveries();
  ASSERT_EQ(waiting.size(), 2U);  // and the one that was not acknowledged
  EXPECT_EQ(waiting[0].destination, "b");
  EXPECT_TRUE(journal->flush(std::chrono::seconds(60)));
  std::size_t outcomes = 0;
  for (const Record& record : all(*journal)) outcomes += record.type == RecordType::kOutcome;
  EXPECT_EQ(outcomes, 2U);
  journal.reset();
  journal = open(after);
  for (const Record& record : all(*journal)) outcomes -= record.type == RecordType::kOutcome;
  EXPECT_EQ(outcomes, 0U);  // not once more
  EXPECT_EQ(open(without_power)->open_deliveries().size(), 2U);
}

TEST_F(JournalTest, FlushMakesDurableWhatNobodyWaitsFor) {
  FaultFileSystem files;
  auto journal = open(files);  // which would sync an outcome after an hour
  const auto sequence = append(*journal, "x");
  ASSERT_TRUE(journal->append(outcome(*sequence, "a", DeliveryState::kDelivered)).ok());
  EXPECT_TRUE(journal->flush(std::chrono::seconds(60)));
  EXPECT_EQ(journal->watermark(), Sequence{2});
  EXPECT_TRUE(journal->flush(std::chrono::seconds(60)));
  auto& after = crashed(files, Survives::kNothing);
  EXPECT_TRUE(open(after)->open_deliveries().empty());
  files.set_hook([](const Operation&) { return Error{Errc::kIo, "gone"}; });
  ASSERT_TRUE(journal->append(outcome(*sequence, "a", DeliveryState::kDelivered)).ok());
  EXPECT_FALSE(journal->flush(std::chrono::milliseconds(50)));
}

TEST_F(JournalTest, SlowCursorKeepsItsSegments) {
  FaultFileSystem files;
  auto journal = open(files);
  Cursor& cursor = journal->cursor("audit");
  ASSERT_TRUE(append(*journal, "waiting", {"dead"}).ok());
  for (unsigned i = 0; i < 40; ++i) {
    const auto sequence = append(*journal, pattern(5'000, i));
    ASSERT_TRUE(journal->append(outcome(*sequence, "a", DeliveryState::kDelivered)).ok());
  }
  EXPECT_EQ(all(*journal).front().sequence, Sequence{1});
  EXPECT_EQ(*body(*journal, Sequence{1}), "waiting");
  cursor.advance(journal->watermark());
  ASSERT_TRUE(append(*journal, "more").ok());
  EXPECT_EQ(*body(*journal, Sequence{1}), "waiting");
}

TEST_F(JournalTest, FewWaitingObjectsAreMovedForwardWithTheirStates) {
  FaultFileSystem files;
  const std::string small = "waiting";
  {
    auto journal = open(files);
    ASSERT_TRUE(append(*journal, small, {"dead", "a", "b"}).ok());
    OutcomeRecord tried = outcome(Sequence{1}, "dead", DeliveryState::kWaiting);
    tried.attempt = 4;
    ASSERT_TRUE(journal->append(tried).ok());
    ASSERT_TRUE(journal->append(outcome(Sequence{1}, "b", DeliveryState::kDelivered)).ok());
    for (unsigned i = 0; i < 300; ++i) {
      const auto sequence = append(*journal, pattern(5'000, i));
      ASSERT_TRUE(journal->append(outcome(*sequence, "a", DeliveryState::kDelivered)).ok());
    }
    EXPECT_LE(journal->stats().segments, 4U);
    EXPECT_EQ(*body(*journal, Sequence{1}), small);
    EXPECT_EQ(journal->read(Sequence{1})->type, RecordType::kObject);
    ASSERT_TRUE(journal->append(outcome(Sequence{1}, "a", DeliveryState::kDelivered)).ok());
  }
  auto journal = open(files);
  EXPECT_EQ(*body(*journal, Sequence{1}), small);
  const auto record = journal->read(Sequence{1});
  ASSERT_TRUE(record.ok());
  EXPECT_EQ(decode_object(record->head)->routes.size(), 3U);
  const auto waiting = journal->open_deliveries();
  ASSERT_EQ(waiting.size(), 1U);
  EXPECT_EQ(waiting[0].instance, Sequence{1});
  EXPECT_EQ(waiting[0].destination, "dead");
  EXPECT_EQ(waiting[0].attempts, 4U);
  const auto rest = all(*journal);
  EXPECT_TRUE(rest.empty() || rest.front().sequence > Sequence{300});
}

TEST_F(JournalTest, FullDiskRefusesObjectsButKeepsOutcomes) {
  FaultFileSystem files;
  auto journal = open(files);
  files.set_capacity(0);
  std::vector<Sequence> kept;
  Result<Sequence> last;
  for (unsigned i = 0; i < 100; ++i) {
    last = append(*journal, pattern(5'000, i));
    if (!last) break;
    kept.push_back(*last);
  }
  ASSERT_FALSE(last.ok());
  EXPECT_EQ(last.error().code, Errc::kNoSpace);
  EXPECT_EQ(journal->refusing()->code, Errc::kNoSpace);
  for (const Sequence each : kept) {
    ASSERT_TRUE(journal->append(outcome(each, "a", DeliveryState::kDelivered)).ok());
  }
  journal->close();
  journal.reset();
  journal = open(files);
  EXPECT_TRUE(journal->open_deliveries().empty());
}

TEST_F(JournalTest, BelowTheReserveObjectsAreRefusedUntilSpaceReturns) {
  FaultFileSystem files;
  Options options = small_options();
  options.disk_reserve = 1 << 20;
  auto journal = open(files, options);
  EXPECT_FALSE(journal->refusing());
  files.set_capacity(1 << 20);
  EXPECT_EQ(append(*journal, "x").error().code, Errc::kNoSpace);
  EXPECT_EQ(journal->refusing()->code, Errc::kNoSpace);
  EXPECT_EQ(journal->create_large().error().code, Errc::kNoSpace);
  files.set_capacity(8 << 20);
  EXPECT_FALSE(journal->refusing());
  EXPECT_TRUE(append(*journal, "x").ok());
}

TEST_F(JournalTest, RecordThatNoSegmentHoldsIsRefused) {
  FaultFileSystem files;
  auto journal = open(files);
  EXPECT_EQ(append(*journal, pattern(64 << 10, 1)).error().code, Errc::kTooLong);
  EXPECT_TRUE(append(*journal, "x").ok());
}

TEST_F(JournalTest, LargeObjectComesBackAndGoesWhenItIsFinished) {
  FaultFileSystem files;
  Options options = small_options();
  const std::string text = pattern(300'000, 5);
  {
    auto journal = open(files, options);
    auto large = journal->create_large();
    ASSERT_TRUE(large.ok());
    for (std::size_t at = 0; at < text.size(); at += 100'000) {
      const ByteSpan part = as_bytes(text).subspan(at, 100'000);
      ASSERT_TRUE((*large)->write(std::span(&part, 1)).ok());
    }
    EXPECT_EQ((*large)->size(), text.size());
    ASSERT_TRUE((*large)->seal().ok());
    ASSERT_TRUE(append_large(*journal, std::move(*large)).ok());
  }
  auto& after = crashed(files, Survives::kNothing);
  auto journal = open(after, options);
  EXPECT_EQ(journal->read(Sequence{1})->body_octets, text.size());
  EXPECT_EQ(*body(*journal, Sequence{1}), text);
  ASSERT_TRUE(journal->append(outcome(Sequence{1}, "a", DeliveryState::kDelivered)).ok());
  journal->close();
  journal.reset();
  auto& again = crashed(after, Survives::kNothing);
  open(again, options).reset();
  for (const std::string& name : again.all_files()) EXPECT_FALSE(name.starts_with("large/"));
}

TEST_F(JournalTest, LargeObjectWithoutRecordIsRemoved) {
  FaultFileSystem files;
  auto journal = open(files);
  {
    auto large = journal->create_large();
    const ByteSpan part = as_bytes("abc");
    ASSERT_TRUE((*large)->write(std::span(&part, 1)).ok());
    EXPECT_EQ(append_large(*journal, std::move(*large)).error().code, Errc::kInvalid);
  }
  for (const std::string& name : files.all_files()) EXPECT_FALSE(name.starts_with("large/"));
  auto large = journal->create_large();
  ASSERT_TRUE((*large)->seal().ok());
  auto& after = crashed(files, Survives::kEverything);  // sealed, never appended
  journal = open(after);
  for (const std::string& name : after.all_files()) EXPECT_FALSE(name.starts_with("large/"));
  large->reset();
}

TEST_F(JournalTest, ManyThreadsAppendAndRead) {
  FaultFileSystem files;
  Options options = small_options();
  options.idle_sync = std::chrono::milliseconds(1);
  auto journal = open(files, options);
  constexpr int kThreads = 4;
  constexpr unsigned kEach = 50;
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  Cursor& cursor = journal->cursor("reader");
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (unsigned i = 0; i < kEach; ++i) {
        const std::string text = pattern(3'000, i * 10 + static_cast<unsigned>(t));
        const auto sequence = append(*journal, text);
        if (!sequence || *body(*journal, *sequence) != text) ++wrong;
        if (!journal->append(outcome(*sequence, "a", DeliveryState::kDelivered))) ++wrong;
      }
    });
  }
  std::thread reader([&] {
    int objects = 0;
    for (Sequence at{}; objects < kThreads * static_cast<int>(kEach);) {
      auto record = journal->read_after(at);
      if (!record) ++wrong;
      if (!record || !*record) continue;
      at = (*record)->sequence;
      if ((*record)->type == RecordType::kObject) ++objects;
      cursor.advance(at);
    }
  });
  for (auto& thread : threads) thread.join();
  reader.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_TRUE(journal->open_deliveries().empty());
}

}  // namespace
}  // namespace dr::journal
