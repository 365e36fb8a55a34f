#include "router/journal/verify.h"

#include <fstream>
#include <map>

#include "test/router/journal/journal_fixture.h"
#include "test/support/process.h"
#include "test/support/temp_dir.h"

namespace dr::journal {
namespace {

class VerifyTest : public JournalTest {
 protected:
  std::unique_ptr<FileSystem> files() {
    auto opened = open_posix_file_system(folder_.path().string());
    EXPECT_TRUE(opened);
    return std::move(*opened);
  }
  static Result<Verification> verify_now(FileSystem& files) {
    return verify(files, SystemClock().now_utc(), true);
  }
  /// Two objects at two destinations, one of them with a file of its own; one delivery is done.
  void fill() {
    const auto on = files();
    const auto journal = open(*on);
    const auto first = append(*journal, pattern(5'000, 1), {"a", "b"});
    ASSERT_TRUE(first);
    auto large = journal->create_large();
    ASSERT_TRUE(large);
    const std::string body = pattern(100'000, 2);
    const ByteSpan part = as_bytes(body);
    ASSERT_TRUE((*large)->write(std::span(&part, 1)));
    ASSERT_TRUE((*large)->seal());
    ASSERT_TRUE(append_large(*journal, std::move(*large), {}));
    ASSERT_TRUE(journal->append(outcome(*first, "a", DeliveryState::kDelivered)));
    journal->close();
  }
  std::map<std::string, std::string> contents() const {
    std::map<std::string, std::string> all;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_.path())) {
      if (entry.is_regular_file()) all[entry.path().string()] = test::read_text(entry.path());
    }
    return all;
  }
  /// Changes one octet where `what` stands in a file below `dir`.
  void damage(const std::string& dir, const std::string& what) {
    for (const auto& [path, text] : contents()) {
      const auto at = text.find(what);
      if (path.find("/" + dir + "/") == std::string::npos || at == std::string::npos) continue;
      std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
      file.seekp(static_cast<std::streamoff>(at));
      file.put(static_cast<char>(what[0] ^ 1));
      return;
    }
    FAIL() << "not found";
  }

  test::TempDir folder_;
};

TEST_F(VerifyTest, TellsWhatStandsInASoundSpoolAndChangesNothing) {
  fill();
  const auto before = contents();
  const auto on = files();
  const auto found = verify_now(*on);
  ASSERT_TRUE(found) << found.error().to_string();
  EXPECT_TRUE(found->good());
  EXPECT_EQ(found->recovery.cut_octets, 0U);
  EXPECT_EQ(found->live_objects, 2U);
  EXPECT_EQ(found->unrouted_objects, 1U);
  ASSERT_EQ(found->open.size(), 1U);
  EXPECT_EQ(found->open[0].destination, "b");
  EXPECT_EQ(found->bodies_read, 3U);
  EXPECT_EQ(found->spool_id.size(), 36U);
  EXPECT_EQ(contents(), before);
}

TEST_F(VerifyTest, FindsADamagedBodyInTheLog) {
  fill();
  damage("journal", pattern(5'000, 1).substr(2'000, 20));
  const auto on = files();
  const auto found = verify_now(*on);
  ASSERT_TRUE(found);
  EXPECT_FALSE(found->good());
  EXPECT_FALSE(found->recovery.findings.empty());
}

TEST_F(VerifyTest, FindsADamagedLargeObject) {
  fill();
  damage("large", pattern(100'000, 2).substr(50'000, 20));
  const auto on = files();
  const auto found = verify_now(*on);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->bodies_damaged, 1U);
}

TEST_F(VerifyTest, ASpoolInUseIsLeftAlone) {
  const auto on = files();
  const auto journal = open(*on);
  const auto other = files();
  const auto found = verify_now(*other);
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, Errc::kConflict);
  journal->close();
}

TEST_F(VerifyTest, WhereThereIsNoSpoolNoneIsMade) {
  const auto on = files();
  const auto found = verify_now(*on);
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, Errc::kNotFound);
  EXPECT_TRUE(contents().empty());
}

}  // namespace
}  // namespace dr::journal
