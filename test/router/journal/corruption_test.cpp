// Files are cut and bits flipped, and the journal says so.
#include <algorithm>
#include <random>

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
    for (unsigned i = 0; i < 12; ++i) {
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

TEST_F(Corruption, EveryFailingCallLeavesNoFalseSuccess) {
  // The n-th call of the journal fails, for every n, with EIO or ENOSPC: what was acknowledged is
  // there after a power loss, and nothing hangs.
  for (const Errc code : {Errc::kIo, Errc::kNoSpace}) {
    bool reached_end = false;
    for (int n = 0; !reached_end && n < 2'000; ++n) {
      FaultFileSystem& files = *disks_.emplace_back(std::make_unique<FaultFileSystem>());
      std::atomic<int> calls{0};
      files.set_hook([&](const Operation&) -> std::optional<Error> {
        if (calls++ == n) return Error{code, "injected"};
        return std::nullopt;
      });
      std::map<Sequence, std::string> kept;
      if (auto journal = try_open(files)) {
        for (unsigned i = 0; i < 25; ++i) {
          const std::string text = pattern(6'000, i);
          const auto sequence = append(**journal, text);
          if (sequence) kept[*sequence] = text;
          if (sequence && i % 2 == 0) {
            (void)(*journal)->append(outcome(*sequence, "b", DeliveryState::kWaiting)).ok();
          }
        }
        reached_end = calls <= n;
      }
      files.set_hook({});
      auto journal = try_open(crashed(files, Survives::kNothing));
      ASSERT_TRUE(journal.ok()) << "n=" << n << " " << journal.error().to_string();
      for (const auto& [sequence, text] : kept) {
        EXPECT_EQ(*body(**journal, sequence), text) << "n=" << n;
      }
      journal->reset();
      disks_.clear();
    }
    EXPECT_TRUE(reached_end);
  }
}

}  // namespace
}  // namespace dr::journal
