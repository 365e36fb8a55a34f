// Spools as earlier versions wrote them, octet for octet (golden/*.tar.gz): each is opened, whole,
// and goes on. A format is never changed without a new one beside these.
#include <filesystem>

#include "router/journal/verify.h"
#include "test/router/journal/journal_fixture.h"
#include "test/support/paths.h"
#include "test/support/process.h"
#include "test/support/temp_dir.h"

namespace dr::journal {
namespace {

constexpr unsigned kObjects = 40;

struct Golden {
  const char* name;
  bool routes_say_more;  // heads of version 2
};

std::ostream& operator<<(std::ostream& out, const Golden& golden) { return out << golden.name; }

class GoldenTest : public JournalTest, public testing::WithParamInterface<Golden> {
 protected:
  GoldenTest() {
    const std::filesystem::path archive =
        test::source_dir() / "test/router/journal/golden" / GetParam().name;
    const auto unpacked =
        test::run({"tar", "-xzf", archive.string() + ".tar.gz", "-C", folder_.path().string()});
    EXPECT_EQ(unpacked.status, 0) << unpacked.output;
    files_ = *open_posix_file_system(folder_.path().string());
  }

  static std::string text(unsigned object) {
    const std::string line = "object " + std::to_string(object) + "\n";
    const std::size_t octets = object == 4 ? 9'000 : 4'000 + object * 10;
    std::string text;
    while (text.size() < octets) text += line;
    text.resize(octets);
    return text;
  }
  /// Objects are numbered from 0; an outcome follows every third one and number 25.
  static Sequence sequence(unsigned object) {
    return Sequence{object + 1 + (object + 2) / 3 + (object > 25 ? 1 : 0)};
  }
  static DeliveryState state_at_b(unsigned object) {
    return object == 25 ? DeliveryState::kHeld : DeliveryState::kWaiting;
  }

  void expect_everything(Journal& journal) {
    EXPECT_EQ(journal.recovery().damaged_records, 0U);
    EXPECT_EQ(journal.recovery().cut_octets, 0U);
    std::map<std::pair<Sequence, std::string>, DeliveryState> open;
    for (const auto& each : journal.open_deliveries()) {
      open[{each.instance, each.destination}] = each.state;
    }
    std::size_t expected = 0;
    for (unsigned i = 0; i < kObjects; ++i) {
      SCOPED_TRACE(i);
      const bool delivered_to_a = i % 3 == 0;
      EXPECT_EQ(open.count({sequence(i), "a"}), delivered_to_a ? 0U : 1U);
      ASSERT_EQ(open.count({sequence(i), "b"}), 1U);
      EXPECT_EQ((open.at({sequence(i), "b"})), state_at_b(i));
      expected += delivered_to_a ? 1 : 2;
      const auto octets = body(journal, sequence(i));
      ASSERT_TRUE(octets.ok()) << octets.error().to_string();
      EXPECT_EQ(*octets, text(i));
      expect_record(journal, i);
    }
    EXPECT_GE(open.size(), expected);
  }

  void expect_record(Journal& journal, unsigned i) {
    const auto record = journal.read(sequence(i));
    ASSERT_TRUE(record.ok());
    const auto object = decode_object(record->head);
    ASSERT_TRUE(object.ok());
    EXPECT_EQ(object->sop_instance_uid.view(), "1.2.3." + std::to_string(i + 1));
    EXPECT_EQ(object->received, from_micros(1'700'000'000'000'000 + i));
    EXPECT_EQ(object->decisions.at(0).rule, "everything");
    ASSERT_EQ(object->routes.size(), 2U);
    EXPECT_EQ(object->routes[0].destination, "a");
    EXPECT_EQ(object->routes[1].priority, 2);
    const bool more = GetParam().routes_say_more;
    EXPECT_EQ(object->routes[1].transform, more ? "set PatientID = \"X\"" : "");
    EXPECT_EQ(object->routes[1].held, more && i == 2 ? "conflicting_transforms" : "");
    EXPECT_EQ(object->routes[1].wait,
              more ? (WaitRecord{1, 60'000'000, 90'000'000, 2}) : WaitRecord{});
  }

  test::TempDir folder_;
  std::unique_ptr<FileSystem> files_;
};

TEST_P(GoldenTest, IsOpenedWholeAndGoesOn) {
  auto journal = open(*files_);
  ASSERT_NE(journal, nullptr);
  expect_everything(*journal);
  EXPECT_EQ(journal->cursor("audit").position(), sequence(39));
  const auto next = append(*journal, "written by this version", {"b"});
  ASSERT_TRUE(next.ok());
  EXPECT_GT(*next, sequence(39));
  journal.reset();
  journal = open(*files_);  // now in today's format
  expect_everything(*journal);
  EXPECT_EQ(*body(*journal, *next), "written by this version");
}

TEST_P(GoldenTest, IsVerifiedWithoutBeingTouched) {
  const auto report = verify(*files_, from_micros(1'800'000'000'000'000), true);
  ASSERT_TRUE(report.ok()) << report.error().to_string();
  EXPECT_TRUE(report->good());
}

INSTANTIATE_TEST_SUITE_P(EveryFormat, GoldenTest,
                         testing::Values(Golden{"format-1-heads-1", false},
                                         Golden{"format-2-heads-1", false},
                                         Golden{"format-2-heads-2", true},
                                         Golden{"format-3-heads-2", true}),
                         [](const auto& each) {
                           std::string name = each.param.name;
                           std::erase(name, '-');
                           return name;
                         });

}  // namespace
}  // namespace dr::journal
