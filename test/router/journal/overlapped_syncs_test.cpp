// A disk that is slow to answer: several syncs run beside one another, and what they make durable
// is told in the order in which they began.
#include <condition_variable>
#include <map>
#include <thread>

#include "test/router/journal/journal_fixture.h"

namespace dr::journal {
namespace {

using namespace std::chrono_literals;
using Kind = Operation::Kind;

Options overlapping() {
  Options options = small_options();
  options.overlap_syncs_from = 0us;
  return options;
}

/// From hold() on, syncs end when and how the test says. They are numbered as they begin.
class SyncGate {
 public:
  explicit SyncGate(FaultFileSystem& files) {
    files.set_hook([this](const Operation& operation) -> std::optional<Error> {
      std::unique_lock lock(mutex_);
      if (operation.kind != Kind::kSync || open_) return std::nullopt;
      const std::size_t mine = begun_++;
      changed_.notify_all();
      changed_.wait(lock, [&] { return open_ || ends_.contains(mine); });
      return ends_[mine];
    });
  }

  void hold() {
    const std::scoped_lock lock(mutex_);
    open_ = false;
  }
  [[nodiscard]] bool wait_for_begun(std::size_t count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, 60s, [&] { return begun_ >= count; });
  }
  std::size_t begun() {
    const std::scoped_lock lock(mutex_);
    return begun_;
  }
  void end(std::size_t sync, std::optional<Error> how = std::nullopt) {
    const std::scoped_lock lock(mutex_);
    ends_[sync] = std::move(how);
    changed_.notify_all();
  }
  void open() {
    const std::scoped_lock lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t begun_ = 0;
  bool open_ = true;
  std::map<std::size_t, std::optional<Error>> ends_;
};

class OverlappedSyncs : public JournalTest {
 protected:
  void SetUp() override { journal_ = open(files_, overlapping()); }
  void TearDown() override { gate_.open(); }

  bool ready(const std::future<Result<Sequence>>& future) {
    return future.wait_for(0s) == std::future_status::ready;
  }
  /// As many objects, each with its own sync under way.
  std::vector<std::future<Result<Sequence>>> begin(std::size_t count) {
    gate_.hold();
    std::vector<std::future<Result<Sequence>>> all;
    for (std::size_t i = 0; i < count; ++i) {
      all.push_back(start_append(*journal_, pattern(500, static_cast<unsigned>(i))));
      EXPECT_TRUE(gate_.wait_for_begun(i + 1));
    }
    return all;
  }

  FaultFileSystem files_;
  SyncGate gate_{files_};
  std::unique_ptr<Journal> journal_;
};

TEST_F(OverlappedSyncs, AreToldInTheOrderInWhichTheyBegan) {
  auto all = begin(4);
  auto fifth = start_append(*journal_, "written, and waits for its turn");
  gate_.end(2);
  gate_.end(1);
  EXPECT_FALSE(ready(all[0]) || ready(all[1]) || ready(all[2]) || ready(fifth));
  EXPECT_EQ(journal_->watermark(), Sequence::kNone);
  gate_.end(0);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(*all[i].get(), Sequence{i + 1});
  ASSERT_TRUE(gate_.wait_for_begun(5)) << "the one that waited";
  EXPECT_FALSE(ready(all[3]));
  gate_.open();
  EXPECT_EQ(*all[3].get(), Sequence{4});
  EXPECT_EQ(*fifth.get(), Sequence{5});
  EXPECT_EQ(gate_.begun(), 5U);
}

TEST_F(OverlappedSyncs, TheirTimesAreTheSameInALaterLife) {
  auto all = begin(4);
  gate_.end(1);
  gate_.end(0);
  EXPECT_EQ(*all[1].get(), Sequence{2});
  std::this_thread::sleep_for(2ms);
  gate_.open();
  EXPECT_EQ(*all[3].get(), Sequence{4});
  ASSERT_TRUE(append(*journal_, "its header tells of those before").ok());
  std::vector<UtcMicros> before;
  for (std::uint64_t i = 1; i <= 4; ++i) before.push_back(journal_->read(Sequence{i})->durable);
  journal_.reset();
  const auto later = open(files_, overlapping());
  for (std::uint64_t i = 1; i <= 4; ++i) {
    EXPECT_EQ(later->read(Sequence{i})->durable, before[i - 1]) << i;
  }
}

TEST_F(OverlappedSyncs, OneThatFailsTakesThoseBehindItAlong) {
  auto all = begin(3);
  gate_.end(2);
  gate_.end(0);
  EXPECT_TRUE(all[0].get().ok());
  gate_.end(1, Error{Errc::kIo, "sync"});
  EXPECT_EQ(all[1].get().error().code, Errc::kFenced);
  EXPECT_EQ(all[2].get().error().code, Errc::kFenced);
  EXPECT_EQ(append(*journal_, "later").error().code, Errc::kFenced);
  gate_.open();
}

TEST_F(OverlappedSyncs, AreWaitedForByAFlushAndAtTheEnd) {
  auto all = begin(2);
  std::thread opener([&] { gate_.open(); });
  EXPECT_TRUE(journal_->flush(60s));
  EXPECT_TRUE(ready(all[0]) && ready(all[1]));
  opener.join();
  auto last = start_append(*journal_, "last");
  journal_->close();
  EXPECT_TRUE(last.get().ok());
}

/// The power goes behind every operation, also between the syncs of one burst.
TEST_F(OverlappedSyncs, AcknowledgedSurvivesEveryCrashState) {
  struct Acknowledged {
    std::size_t operations = 0;  // of the file system, when it was told
    std::string text;
  };
  std::mutex mutex;
  std::map<Sequence, Acknowledged> acknowledged;
  std::atomic<unsigned> syncs{0};
  std::atomic<int> under_way{0};
  std::atomic<int> most{0};
  files_.set_hook([&](const Operation& operation) -> std::optional<Error> {
    if (operation.kind != Kind::kSync) return std::nullopt;
    const int now = ++under_way;
    if (now > most) most = now;
    std::this_thread::sleep_for((syncs++ * 7 % 5) * 300us);
    --under_way;
    return std::nullopt;
  });
  for (int life = 0; life < 2; ++life) {
    if (life > 0) journal_ = open(files_, overlapping());
    for (unsigned burst = 0; burst < 6; ++burst) {
      std::vector<std::future<void>> told;
      for (unsigned i = 0; i < 6; ++i) {
        const std::string text = pattern(200 + i * 900, burst * 10 + i);
        auto promise = std::make_shared<std::promise<void>>();
        told.push_back(promise->get_future());
        journal_->append_object(object_record({"a"}), chain(text),
                                [&, promise, text](const Result<Sequence>& sequence) {
                                  ASSERT_TRUE(sequence.ok());
                                  const std::scoped_lock lock(mutex);
                                  acknowledged[*sequence] = {files_.operations(), text};
                                  promise->set_value();
                                });
        std::this_thread::sleep_for(50us);
      }
      for (auto& each : told) each.get();
    }
    journal_.reset();
  }
  EXPECT_GT(most, 1) << "no syncs ran beside one another";
  ASSERT_EQ(acknowledged.size(), 72U);
  std::size_t states = 0;
  for (std::size_t n = 0; n <= files_.operations() && !HasFailure(); ++n) {
    for (const Survives what : {Survives::kNothing, Survives::kEverything, Survives::kTorn,
                                Survives::kSectors, Survives::kNoNames}) {
      SCOPED_TRACE("operations=" + std::to_string(n) +
                   " survives=" + std::to_string(static_cast<int>(what)));
      const auto disk = files_.crash(n, what, static_cast<std::uint32_t>(n));
      auto journal = open(*disk);
      ASSERT_TRUE(journal);
      EXPECT_EQ(journal->recovery().damaged_records, 0U);
      for (const auto& [sequence, object] : acknowledged) {
        const auto text = body(*journal, sequence);
        if (text.ok()) {
          EXPECT_TRUE(*text == object.text) << value(sequence);
        } else {
          EXPECT_GT(object.operations, n) << value(sequence);
        }
      }
      ++states;
    }
  }
  EXPECT_GT(states, 100U);
}

}  // namespace
}  // namespace dr::journal
