// Power is lost behind every operation of a workload, and the disk keeps what a disk may keep. The
// claims: acknowledged => present and intact; not acknowledged => absent or whole; an outcome that
// was durable is not forgotten; sequences are not used twice; the journal works afterwards.
#include <algorithm>
#include <cstdlib>
#include <limits>
#include <map>
#include <set>

#include "test/router/journal/journal_fixture.h"

namespace dr::journal {
namespace {

// ThreadSanitizer takes ten times as long, and looks for something else.
#if defined(__SANITIZE_THREAD__)
constexpr std::size_t kEvery = 16;
#else
constexpr std::size_t kEvery = 1;
#endif

struct Acknowledged {
  std::size_t operations = 0;  // of the file system, when done was called
  std::string text;
};

class CrashStates : public JournalTest {
 protected:
  /// Small and large objects, outcomes, segments that are recycled, objects that are moved
  /// forward, a restart in the middle.
  void run_workload() {
    for (int life = 0; life < 2; ++life) {
      Options options = small_options();
      options.ahead_octets = 128 << 10;
      options.checkpoint_octets = 48 << 10;
      options.idle_sync = std::chrono::milliseconds(life);  // 0: each lazy record is synced
      auto journal = open(files_, options);
      Cursor& cursor = journal->cursor("audit");
      for (unsigned i = 0; i < 30; ++i) {
        const bool large = i % 10 == 7;
        // The first ones fill a segment, and wait: what follows is given up behind it.
        const std::size_t size = life == 0 && i < 5 ? 11'700 : 100 + i * 400;
        const std::string text = pattern(large ? 20'000 : size, i + 100);
        const auto sequence = large ? store_large(*journal, text) : append(*journal, text);
        ASSERT_TRUE(sequence.ok());
        acknowledged_[*sequence] = {files_.operations(), text};
        if (i % 3 != 0 && (life > 0 || i > 4)) {
          deliver(*journal, *sequence);
        }
        if (i % 5 == 0) cursor.advance(*sequence);
        if (i == 12 || i == 20 || i == 27) finish_everything(*journal);
      }
      journal->close();
    }
    auto journal = open(files_);
    ASSERT_GT(all(*journal).front().sequence, Sequence{10});  // recycled
    ASSERT_EQ(journal->open_deliveries().front().instance, Sequence{1});
  }

  /// Lets the first segments go, but for a few objects.
  void finish_everything(Journal& journal) {
    for (const OpenDelivery& open : journal.open_deliveries()) {
      if (value(open.instance) <= 5) continue;
      deliver(journal, open.instance);
    }
    journal.cursor("audit").advance(journal.watermark());
  }

  /// Every other outcome is known to be durable, from then on for good.
  void deliver(Journal& journal, Sequence instance) {
    delivered_[instance] = std::numeric_limits<std::size_t>::max();
    ASSERT_TRUE(journal.append(outcome(instance, "a", DeliveryState::kDelivered)).ok());
    if (value(instance) % 2 != 0 || !journal.flush(std::chrono::seconds(60))) return;
    delivered_[instance] = files_.operations();
  }

  Result<Sequence> store_large(Journal& journal, std::string_view text) {
    auto large = journal.create_large();
    if (!large) return large.error();
    const ByteSpan part = as_bytes(text);
    if (auto done = (*large)->write(std::span(&part, 1)); !done) return done.error();
    if (auto done = (*large)->seal(); !done) return done.error();
    return append_large(journal, std::move(*large));
  }

  void check(std::size_t operations, Survives what, std::uint32_t seed) {
    const auto disk = files_.crash(operations, what, seed);
    SCOPED_TRACE("operations=" + std::to_string(operations) + " survives=" +
                 std::to_string(static_cast<int>(what)) + " seed=" + std::to_string(seed));
    auto opened = try_open(*disk);
    ASSERT_TRUE(opened.ok()) << opened.error().to_string();
    Journal& journal = **opened;
    EXPECT_EQ(journal.recovery().damaged_records, 0U);
    std::set<Sequence> waiting;
    for (const OpenDelivery& open : journal.open_deliveries()) {
      waiting.insert(open.instance);
      EXPECT_NE(open.state, DeliveryState::kDamaged);
    }
    for (const auto& [sequence, object] : acknowledged_) {
      // The start may have used the number again, of what was never acknowledged: for an outcome.
      const auto record = journal.read(sequence);
      const bool another = record.ok() && record->type != RecordType::kObject;
      const auto text =
          another ? Result<std::string>(Error{Errc::kNotFound, ""}) : body(journal, sequence);
      if (text.ok()) {
        EXPECT_TRUE(*text == object.text) << "sequence " << value(sequence);
      } else {
        EXPECT_EQ(text.error().code, Errc::kNotFound) << text.error().to_string();
        EXPECT_FALSE(waiting.contains(sequence)) << "sequence " << value(sequence);
        // Gone: never acknowledged, or finished since.
        const bool acked = object.operations <= operations;
        EXPECT_TRUE(!acked || delivered_.contains(sequence)) << "sequence " << value(sequence);
      }
      if (object.operations <= operations && !delivered_.contains(sequence)) {
        EXPECT_TRUE(waiting.contains(sequence)) << "sequence " << value(sequence);
      }
    }
    for (const auto& [sequence, durable] : delivered_) {
      if (durable <= operations) {
        EXPECT_FALSE(waiting.contains(sequence)) << "delivered twice: sequence " << value(sequence);
      }
    }
    const auto next = append(journal, "after the crash");
    ASSERT_TRUE(next.ok());
    EXPECT_GT(*next, journal.recovery().tail);
    opened->reset();
    auto again = try_open(*disk);
    ASSERT_TRUE(again.ok()) << again.error().to_string();
    EXPECT_EQ((*again)->recovery().damaged_records, 0U);
    EXPECT_EQ((*again)->recovery().cut_octets, 0U);
    EXPECT_EQ(*body(**again, *next), "after the crash");
  }

  FaultFileSystem files_;
  std::map<Sequence, Acknowledged> acknowledged_;
  std::map<Sequence, std::size_t> delivered_;  // and when that was durable
};

TEST_F(CrashStates, AcknowledgedSurvivesEveryOneOfThem) {
  run_workload();
  ASSERT_FALSE(HasFatalFailure());
  std::size_t states = 0;
  for (std::size_t n = 0; n <= files_.operations() && !HasFailure(); n += kEvery) {
    for (const Survives what : {Survives::kNothing, Survives::kEverything, Survives::kTorn,
                                Survives::kNoNames, Survives::kNamesOnly}) {
      check(n, what, 0);
      ++states;
    }
    for (std::uint32_t seed = 0; seed < 15; ++seed) {
      check(n, Survives::kSectors, seed + static_cast<std::uint32_t>(n) * 15);
      ++states;
    }
  }
  std::printf("crash states: %zu, of %zu operations\n", states, files_.operations());
  EXPECT_GE(states, 6'000U / kEvery);
}

}  // namespace
}  // namespace dr::journal
