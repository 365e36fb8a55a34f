// Files are cut and bits flipped, and the journal says so.
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <random>
#include <set>

#include "test/router/journal/journal_fixture.h"

namespace dr::journal {
namespace {

class Corruption : public JournalTest {
 protected:
  static std::vector<std::string> segments(const FaultFileSystem& files) {
    std::vector<std::string> names;
    for (const std::string& name : files.all_files()) {
      if (name.ends_with(".seg")) names.push_back(name);
    }
    return names;
  }
  /// The one that holds octets of `text`, and where.
  static std::pair<std::string, std::size_t> where(const FaultFileSystem& files,
                                                   std::string_view text) {
    for (const std::string& name : segments(files)) {
      const Bytes content = files.content(name);
      const auto at = as_text(content).find(text);
      if (at != std::string_view::npos) return {name, at};
    }
    return {};
  }
  static void flip(FaultFileSystem& files, const std::string& name, std::size_t bit) {
    Bytes content = files.content(name);
    content[bit / 8] ^= static_cast<std::byte>(1U << bit % 8);
    files.set_content(name, std::move(content));
  }
};

TEST_F(Corruption, TailLostAtEveryPointLeavesAcknowledgedObjectsWhole) {
  FaultFileSystem files;
  std::vector<std::pair<std::size_t, std::string>> objects;  // end in the segment, text
  {
    auto journal = open(files);
    for (unsigned i = 0; i < 7; ++i) {
      const std::string text = pattern(40 + i * 37, i + 1);
      ASSERT_TRUE(append(*journal, text).ok());
      objects.emplace_back(where(files, text).second + text.size(), text);
    }
    auto& disk = crashed(files, Survives::kEverything);  // no marker behind the last object
    const std::string name = where(disk, objects.front().second).first;
    const Bytes whole = disk.content(name);
    const std::size_t end = round_up(objects.back().first, 8);
    for (std::size_t at = 4096; at <= end; at += 8) {
      Bytes cut = whole;
      std::fill(cut.begin() + static_cast<std::ptrdiff_t>(at), cut.end(), std::byte{0});
      FaultFileSystem& torn = crashed(disk, Survives::kEverything);
      torn.set_content(name, std::move(cut));
      auto reopened = try_open(torn);
      ASSERT_TRUE(reopened.ok()) << at << " " << reopened.error().to_string();
      EXPECT_EQ((*reopened)->recovery().damaged_records, 0U) << at;
      for (std::size_t i = 0; i < objects.size(); ++i) {
        const auto text = body(**reopened, Sequence{i + 1});
        if (objects[i].first <= at) {
          ASSERT_TRUE(text.ok()) << at << " object " << i;
        }
        if (text.ok()) {
          EXPECT_EQ(*text, objects[i].second) << at;
        }
      }
      reopened->reset();
      disks_.pop_back();
    }
  }
}

TEST_F(Corruption, FlippedBitIsFoundAndOnlyItsObjectIsDamaged) {
  FaultFileSystem files;
  std::vector<std::string> texts;
  {
    auto journal = open(files);
    for (unsigned i = 0; i < 20; ++i) {
      texts.push_back(pattern(1'500, i + 1));
      ASSERT_TRUE(append(*journal, texts.back()).ok());
    }
  }
  const auto [name, first] = where(files, texts.front());
  const std::size_t last = where(files, texts.back()).second + texts.back().size();
  const Bytes whole = files.content(name);
  std::mt19937 random(7);
  for (int round = 0; round < 1'000; ++round) {
    // Anywhere from the first group to the marker behind the last object.
    const std::size_t bit = 4096 * 8 + random() % ((last + 4096 - 4096) * 8 - 4096 * 8);
    FaultFileSystem& disk = crashed(files, Survives::kEverything);
    flip(disk, name, bit);
    SCOPED_TRACE("bit " + std::to_string(bit) + " octet " + std::to_string(bit / 8));
    auto journal = try_open(disk);
    ASSERT_TRUE(journal.ok()) << journal.error().to_string();
    const RecoveryReport& report = (*journal)->recovery();
    EXPECT_EQ(report.cut_octets, 0U);
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < texts.size(); ++i) {
      const auto text = body(**journal, Sequence{i + 1});
      if (text.ok()) {
        EXPECT_EQ(*text, texts[i]);
      } else {
        ++wrong;
        const bool named = report.damaged_records == 1 || text.error().code == Errc::kCorrupt;
        EXPECT_TRUE(named) << text.error().to_string();
      }
    }
    EXPECT_LE(wrong, 1U);
    if (wrong == 0) {
      // In a group's header, which is told, or in padding, which carries nothing.
      const bool padding = whole[bit / 8] == std::byte{0};
      EXPECT_TRUE(padding || !report.findings.empty());
    }
    EXPECT_TRUE(append(**journal, "goes on").ok());
    journal->reset();
    disks_.pop_back();
  }
}

/// Everything that a spool can hold: several segments, large objects, outcomes, moved objects,
/// checkpoints, cursors.
class FlippedSpool : public Corruption {
 protected:
  void fill() {
    Options options = small_options();
    options.checkpoint_octets = 100 << 10;
    auto journal = open(files_, options);
    Cursor& cursor = journal->cursor("audit");
    for (unsigned i = 0; i < 60; ++i) {
      const bool large = i % 15 == 7;
      const std::string text = pattern(large ? 30'000 : 2'000 + i * 50, i + 1);
      const auto sequence = large ? store_large(*journal, text) : append(*journal, text);
      ASSERT_TRUE(sequence.ok());
      if (i % 4 == 1) {
        ASSERT_TRUE(journal->append(outcome(*sequence, "a", DeliveryState::kDelivered)).ok());
      } else {
        waiting_[*sequence] = text;
      }
      if (i % 10 == 0) cursor.advance(*sequence);
    }
    journal->close();
    for (const std::string& name : files_.all_files()) {
      if (name != "lock" && name != "spool") names_.push_back(name);
    }
  }

  Result<Sequence> store_large(Journal& journal, std::string_view text) {
    auto large = journal.create_large();
    if (!large) return large.error();
    const ByteSpan part = as_bytes(text);
    if (auto done = (*large)->write(std::span(&part, 1)); !done) return done.error();
    if (auto done = (*large)->seal(); !done) return done.error();
    return append_large(journal, std::move(*large));
  }

  /// What a consumer gets of each waiting object, and whether what it does not get is named.
  void check(Journal& journal) {
    EXPECT_EQ(journal.recovery().cut_octets, 0U);
    std::set<Sequence> lost;
    for (const auto& [sequence, text] : waiting_) {
      const auto got = body(journal, sequence);
      if (!got.ok()) lost.insert(sequence);
      if (got.ok()) {
        EXPECT_EQ(*got, text);
      }
    }
    EXPECT_LE(lost.size(), 1U);
    std::set<Sequence> named;
    for (const OpenDelivery& each : journal.open_deliveries()) {
      if (each.state == DeliveryState::kDamaged) named.insert(each.instance);
    }
    for (const Sequence sequence : lost) {
      const std::string name = "record " + std::to_string(value(sequence));
      const bool told =
          std::ranges::any_of(journal.recovery().findings, [&](const std::string& finding) {
            return (finding + " ").find(name + " ") != std::string::npos;
          });
      EXPECT_TRUE(named.contains(sequence) || told) << name;
      EXPECT_GE(journal.stats().damaged_records, 1U);
    }
    EXPECT_TRUE(append(journal, "goes on").ok());
  }

  FaultFileSystem files_;
  std::vector<std::string> names_;
  std::map<Sequence, std::string> waiting_;
};

TEST_F(FlippedSpool, AThousandBitsAnywhereAreFoundAndTheirObjectsNamed) {
  fill();
  ASSERT_FALSE(HasFatalFailure());
  std::mt19937 random(11);
  std::map<std::string, int> flips;
  for (int round = 0; round < 1'000 && !HasFailure(); ++round) {
    FaultFileSystem& disk = crashed(files_, Survives::kEverything);
    const std::string& name = names_[random() % names_.size()];
    const std::size_t bit = random() % (disk.content(name).size() * 8);
    flip(disk, name, bit);
    ++flips[name.substr(0, name.find('/'))];
    SCOPED_TRACE(name + " octet " + std::to_string(bit / 8) + " bit " + std::to_string(bit % 8));
    auto journal = try_open(disk);
    ASSERT_TRUE(journal.ok()) << journal.error().to_string();
    check(**journal);
    journal->reset();
    disks_.pop_back();
  }
  for (const char* kind : {"journal", "large", "checkpoints", "outcomes", "cursors"}) {
    EXPECT_GT(flips[kind], 10) << kind;
  }
}

TEST_F(Corruption, DamagedSegmentHeaderLosesNothing) {
  FaultFileSystem files;
  {
    auto journal = open(files);
    ASSERT_TRUE(append(*journal, "some text").ok());
  }
  flip(files, where(files, "some text").first, 8 * 20);
  auto journal = open(files);
  EXPECT_EQ(*body(*journal, Sequence{1}), "some text");
  EXPECT_EQ(journal->recovery().findings.size(), 1U);
}

TEST_F(Corruption, RecordDamagedAfterTheStartIsPassedOverAndItsDeliveriesShown) {
  FaultFileSystem files;
  auto journal = open(files);
  for (const char* text : {"first", "second", "third"}) ASSERT_TRUE(append(*journal, text).ok());
  const auto [name, at] = where(files, "second");
  flip(files, name, (at - 20) * 8);  // in its head
  EXPECT_EQ(journal->read(Sequence{2}).error().code, Errc::kCorrupt);
  for (int consumer = 0; consumer < 2; ++consumer) {
    const auto records = all(*journal);
    ASSERT_EQ(records.size(), 2U);
    EXPECT_EQ(records[1].sequence, Sequence{3});
  }
  EXPECT_EQ(journal->stats().damaged_records, 1U);
  EXPECT_EQ(journal->open_deliveries()[1].state, DeliveryState::kDamaged);
}

TEST_F(Corruption, DamagedLargeFileIsNeverReadToItsEnd) {
  FaultFileSystem files;
  {
    auto journal = open(files);
    auto large = journal->create_large();
    const std::string text = pattern(50'000, 1);
    const ByteSpan part = as_bytes(text);
    ASSERT_TRUE((*large)->write(std::span(&part, 1)).ok());
    ASSERT_TRUE((*large)->seal().ok());
    ASSERT_TRUE(append_large(*journal, std::move(*large)).ok());
  }
  std::string name;
  for (const std::string& each : files.all_files()) {
    if (each.starts_with("large/")) name = each;
  }
  const Bytes whole = files.content(name);
  flip(files, name, 12'345 * 8);
  auto journal = open(files);
  EXPECT_EQ(body(*journal, Sequence{1}).error().code, Errc::kCorrupt);
  journal.reset();
  files.set_content(name, Bytes(whole.begin(), whole.end() - 1));
  journal = open(files);
  ASSERT_EQ(journal->open_deliveries().size(), 1U);
  EXPECT_EQ(journal->open_deliveries()[0].state, DeliveryState::kDamaged);
}

TEST_F(Corruption, DamagedCursorStartsFromTheBeginning) {
  FaultFileSystem files;
  {
    auto journal = open(files);
    ASSERT_TRUE(append(*journal, "x").ok());
    journal->cursor("c").advance(Sequence{1});
  }
  flip(files, "cursors/63", 16 * 8);
  auto journal = open(files);
  EXPECT_EQ(journal->cursor("c").position(), Sequence::kNone);
  EXPECT_EQ(journal->recovery().findings.size(), 1U);
}

/// The n-th call fails, for every n, of a journal's whole life: it receives small and large
/// objects, hands them out, hears of their delivery, recycles and moves, is closed, and recovers.
class FailingCalls : public FlippedSpool {
 protected:
  static Options options() {
    Options options = small_options();
    options.ahead_octets = 128 << 10;
    options.checkpoint_octets = 48 << 10;
    options.idle_sync = std::chrono::milliseconds(0);
    return options;
  }

  void live(FileSystem& files, unsigned objects, std::map<Sequence, std::string>& kept) {
    auto opened = try_open(files, options());
    if (!opened) return;
    Journal& journal = **opened;
    Cursor& cursor = journal.cursor("audit");
    for (unsigned i = 0; i < objects; ++i) {
      const bool large = i % 8 == 3;
      const std::string text = pattern(large ? 20'000 : 6'000, i);
      const auto sequence = large ? store_large(journal, text) : append(journal, text);
      if (!sequence) continue;
      kept[*sequence] = text;
      const auto read = body(journal, *sequence);
      EXPECT_TRUE(!read.ok() || *read == text);
      if (i % 5 == 0) continue;  // it waits
      // It was delivered: whether the journal could still keep that or not, either is true.
      (void)journal.append(outcome(*sequence, "a", DeliveryState::kDelivered)).ok();
      kept.erase(*sequence);
      cursor.advance(*sequence);
    }
    (void)journal.flush(std::chrono::seconds(10));
    journal.close();
  }

  void expect_kept(FileSystem& files, const std::map<Sequence, std::string>& kept) {
    auto journal = try_open(files, options());
    ASSERT_TRUE(journal.ok()) << journal.error().to_string();
    std::set<Sequence> waiting;
    for (const OpenDelivery& each : (*journal)->open_deliveries()) waiting.insert(each.instance);
    for (const auto& [sequence, text] : kept) {
      const auto got = body(**journal, sequence);
      ASSERT_TRUE(got.ok()) << value(sequence) << " " << got.error().to_string();
      EXPECT_EQ(*got, text);
      EXPECT_TRUE(waiting.contains(sequence)) << value(sequence);
    }
  }
};

TEST_F(FailingCalls, LeaveNoFalseSuccessAndNothingHangs) {
  constexpr auto kHang = std::chrono::seconds(10);
  for (const Errc code : {Errc::kIo, Errc::kNoSpace}) {
    bool reached_end = false;
    int n = 0;
    for (; !reached_end && n < 5'000 && !HasFailure(); ++n) {
      SCOPED_TRACE("n=" + std::to_string(n));
      FaultFileSystem& files = *disks_.emplace_back(std::make_unique<FaultFileSystem>());
      std::map<Sequence, std::string> kept;
      std::atomic<int> calls{0};
      const auto begin = std::chrono::steady_clock::now();
      files.set_hook([&](const Operation&) -> std::optional<Error> {
        if (calls++ == n) return Error{code, "injected"};
        return std::nullopt;
      });
      live(files, 40, kept);
      live(files, 3, kept);  // recovers first
      reached_end = calls <= n;
      files.set_hook({});
      EXPECT_LT(std::chrono::steady_clock::now() - begin, kHang);
      expect_kept(crashed(files, Survives::kNothing), kept);
      disks_.clear();
    }
    EXPECT_TRUE(reached_end);
    std::printf("calls that failed, one in each life: %d\n", n);
  }
}

}  // namespace
}  // namespace dr::journal
