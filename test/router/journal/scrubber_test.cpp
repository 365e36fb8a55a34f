#include "router/journal/scrubber.h"

#include <thread>

#include "test/router/journal/journal_fixture.h"

namespace dr::journal {
namespace {

using std::chrono::milliseconds;

class Told final : public Listener {
 public:
  void advanced(Sequence) override {}
  void synced(const SyncStats&) override {}
  void fenced(const Error&) override {}
  void damaged(Sequence record, const Error&) override {
    const std::scoped_lock lock(mutex_);
    records_.push_back(record);
  }
  std::vector<Sequence> records() const {
    const std::scoped_lock lock(mutex_);
    return records_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<Sequence> records_;
};

class ScrubberTest : public JournalTest {
 protected:
  static void flip(FaultFileSystem& files, std::string_view text) {
    for (const std::string& name : files.all_files()) {
      Bytes content = files.content(name);
      const auto at = as_text(content).find(text);
      if (at == std::string_view::npos) continue;
      content[at + text.size() / 2] ^= std::byte{1};
      files.set_content(name, std::move(content));
      return;
    }
    ADD_FAILURE() << "not found";
  }
  /// Until so many passes have begun and ended.
  static void scrub(Journal& journal, int passes = 2) {
    static const SystemClock clock;
    ScrubOptions options;
    options.every = options.first = options.spare = milliseconds(0);
    Scrubber scrubber(journal, clock, options);
    auto last = scrubber.progress().finished;
    while (passes > 0) {
      std::this_thread::sleep_for(milliseconds(1));
      const auto now = scrubber.progress().finished;
      if (now != last) --passes;
      last = now;
    }
  }

  Told told_;
};

TEST_F(ScrubberTest, TellsOnceOfEachDamagedObjectWhereverItStands) {
  FaultFileSystem files;
  auto journal = open(files, small_options(), &told_);
  std::vector<std::string> texts;
  for (unsigned i = 0; i < 10; ++i) {
    texts.push_back(pattern(9'000, i));
    ASSERT_TRUE(append(*journal, texts.back()).ok());
  }
  auto large = journal->create_large();
  const std::string in_a_file = pattern(70'000, 77);
  const ByteSpan part = as_bytes(in_a_file);
  ASSERT_TRUE((*large)->write(std::span(&part, 1)).ok());
  ASSERT_TRUE((*large)->seal().ok());
  ASSERT_TRUE(append_large(*journal, std::move(*large), {}).ok());  // and unrouted
  scrub(*journal);
  EXPECT_TRUE(told_.records().empty());
  flip(files, texts[3]);
  flip(files, in_a_file);
  scrub(*journal);
  EXPECT_EQ(told_.records(), (std::vector{Sequence{4}, Sequence{11}}));
  EXPECT_EQ(journal->stats().damaged_records, 2U);
  for (const OpenDelivery& open : journal->open_deliveries()) {
    EXPECT_EQ(open.state == DeliveryState::kDamaged, open.instance == Sequence{4});
  }
  // Written down for whoever looks at the audit.
  ASSERT_TRUE(append(*journal, "the next sync").ok());
  std::vector<std::string> details;
  for (const Record& record : all(*journal)) {
    if (record.type != RecordType::kSecurity) continue;
    const auto security = decode_security(record.head);
    ASSERT_TRUE(security.ok());
    EXPECT_EQ(security->kind, "journal-damaged");
    details.push_back(security->detail);
  }
  ASSERT_EQ(details.size(), 2U);
  EXPECT_TRUE(details[0].starts_with("record 4: ")) << details[0];
}

TEST_F(ScrubberTest, LeavesAloneWhatIsFinished) {
  FaultFileSystem files;
  auto journal = open(files, small_options(), &told_);
  const std::string text = pattern(9'000, 1);
  const auto first = append(*journal, text);
  ASSERT_TRUE(first.ok());
  ASSERT_TRUE(journal->append(outcome(*first, "a", DeliveryState::kDelivered)).ok());
  ASSERT_TRUE(append(*journal, "another").ok());
  flip(files, text);
  scrub(*journal);
  EXPECT_TRUE(told_.records().empty());
}

TEST_F(ScrubberTest, StopsInTheMiddleOfALongPass) {
  FaultFileSystem files;
  auto journal = open(files);
  ASSERT_TRUE(append(*journal, pattern(9'000, 1)).ok());
  ScrubOptions slow;
  slow.octets_per_second = 1;  // two hours and a half
  slow.first = slow.spare = milliseconds(0);
  const SystemClock clock;
  Scrubber scrubber(*journal, clock, slow);
  while (scrubber.progress().octets == 0) std::this_thread::sleep_for(milliseconds(1));
  scrubber.stop();
  EXPECT_FALSE(scrubber.progress().finished);
}

}  // namespace
}  // namespace dr::journal
