#include "router/journal/export.h"

#include "test/router/journal/journal_fixture.h"

namespace dr::journal {
namespace {

/// Keeps everything in memory.
class Kept final : public Rescue {
 public:
  Result<void> object(const Rescued& object, BodyReader* body, const Error* why) override {
    EXPECT_EQ(body == nullptr, why != nullptr);
    std::string& text = texts[object.instance];
    states[object.instance] = object.states;
    Bytes buffer(1'000);
    while (body != nullptr) {
      const auto n = body->read(buffer);
      if (!n) damaged.insert(object.instance);
      if (!n || *n == 0) break;
      text += as_text(ByteSpan(buffer).first(*n));
    }
    return {};
  }
  Result<void> lost(Sequence instance, const Error&) override {
    damaged.insert(instance);
    return {};
  }

  std::map<Sequence, std::string> texts;
  std::map<Sequence, std::vector<OutcomeRecord>> states;
  std::set<Sequence> damaged;
};

class ExportTest : public JournalTest {};

TEST_F(ExportTest, HandsOverEveryObjectAndNothingElse) {
  FaultFileSystem files;
  std::map<Sequence, std::string> expected;
  {
    auto journal = open(files);
    for (unsigned i = 0; i < 60; ++i) {  // more than one segment
      const std::string text = pattern(3'000, i);
      const auto sequence = append(*journal, text, {"a", "b"});
      expected[*sequence] = text;
      if (i % 2 == 0) {
        ASSERT_TRUE(journal->append(outcome(*sequence, "a", DeliveryState::kDelivered)).ok());
      }
    }
    auto large = journal->create_large();
    const std::string text = pattern(100'000, 7);
    const ByteSpan part = as_bytes(text);
    ASSERT_TRUE((*large)->write(std::span(&part, 1)).ok());
    ASSERT_TRUE((*large)->seal().ok());
    expected[*append_large(*journal, std::move(*large))] = text;
  }
  const std::size_t before = files.count(Operation::Kind::kWrite);
  Kept kept;
  const auto report = export_objects(files, UtcMicros{}, kept);
  ASSERT_TRUE(report.ok());
  EXPECT_EQ(kept.texts, expected);
  EXPECT_TRUE(kept.damaged.empty());
  EXPECT_EQ(kept.states.begin()->second.size(), 2U);
  EXPECT_EQ(files.count(Operation::Kind::kWrite), before);
}

TEST_F(ExportTest, DamageToOneObjectIsToldAndItsNeighboursAreWhole) {
  FaultFileSystem files;
  {
    auto journal = open(files);
    for (unsigned i = 0; i < 9; ++i) ASSERT_TRUE(append(*journal, pattern(3'000, i)).ok());
  }
  const std::string fifth = pattern(3'000, 4);
  for (const std::string& name : files.all_files()) {
    Bytes octets = files.content(name);
    const auto at = as_text(octets).find(fifth.substr(0, 100));
    if (at == std::string_view::npos) continue;
    octets[at + 50] ^= std::byte{1};
    files.set_content(name, std::move(octets));
  }
  Kept kept;
  ASSERT_TRUE(export_objects(files, UtcMicros{}, kept).ok());
  EXPECT_EQ(kept.damaged, std::set<Sequence>{Sequence{5}});
  EXPECT_EQ(kept.texts.size(), 9U);
  EXPECT_EQ(kept.texts.at(Sequence{4}), pattern(3'000, 3));
  EXPECT_EQ(kept.texts.at(Sequence{6}), pattern(3'000, 5));
}

TEST_F(ExportTest, RefusesASpoolThatIsInUseOrIsNone) {
  FaultFileSystem files;
  Kept kept;
  EXPECT_EQ(export_objects(files, UtcMicros{}, kept).error().code, Errc::kNotFound);
  const auto journal = open(files);
  EXPECT_EQ(export_objects(files, UtcMicros{}, kept).error().code, Errc::kConflict);
}

}  // namespace
}  // namespace dr::journal
