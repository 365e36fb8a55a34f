#include "router/audit/digester.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <thread>

#include "test/router/audit/audit_fixture.h"
#include "test/support/process.h"

namespace dr::audit {
namespace {

class DigesterTest : public AuditTest {
 protected:
  Following<Digester> digester() {
    auto* made = new Digester(*journal_);
    forward_.to([this, made](Sequence watermark) {
      made->advanced(watermark);
      watermark_.add(1);
    });
    return Following<Digester>(made, Unhook{&forward_});
  }
  /// Every digest in the journal, in order.
  std::vector<journal::DigestRecord> digests() {
    std::vector<journal::DigestRecord> found;
    for (const auto& record : all(*journal_)) {
      if (record.type != journal::RecordType::kDigest) continue;
      auto digest = journal::decode_digest(record.head);
      EXPECT_TRUE(digest.ok());
      if (digest) found.push_back(std::move(*digest));
    }
    return found;
  }
  /// Waits until there are so many.
  std::vector<journal::DigestRecord> wait_for_digests(std::size_t count) {
    for (std::size_t seen = 0;; ++seen) {
      auto found = digests();
      if (found.size() >= count) return found;
      if (!watermark_.reaches(seen + 1)) return found;
    }
  }
  /// What openssl(1) says.
  std::string expected(std::string_view text) const {
    const auto file = folder_ / "data";
    std::ofstream(file, std::ios::binary) << text;
    return test::run({"openssl", "dgst", "-sha256", "-r", file.string()}).output.substr(0, 64);
  }
  Sequence append_large_text(unsigned number, std::string_view text) {
    auto large = journal_->create_large();
    EXPECT_TRUE(large.ok());
    const ByteSpan part = as_bytes(text);
    EXPECT_TRUE((*large)->write(std::span(&part, 1)).ok());
    EXPECT_TRUE((*large)->seal().ok());
    std::promise<Result<Sequence>> promise;
    journal_->append_large(object(number, {"archive"}), std::move(*large),
                           [&](Result<Sequence> r) { promise.set_value(std::move(r)); });
    return *promise.get_future().get();
  }

  Count watermark_;
};

TEST_F(DigesterTest, DigestsAreThoseOfTheDataSets) {
  const std::string small = "data set";
  const std::string middle = journal::pattern(700'000, 1);
  const std::string large = journal::pattern((5 << 20) + 17, 2);
  const auto digester = this->digester();
  const Sequence first = append_record(object(1, {"archive"}), small);
  const Sequence second = append_record(object(2, {"archive"}), middle);
  const Sequence third = append_large_text(3, large);
  const Sequence fourth = append_record(object(4, {}), "");
  const auto found = wait_for_digests(4);
  ASSERT_EQ(found.size(), 4U);
  EXPECT_EQ(found[0].instance, first);
  EXPECT_EQ(found[0].sha256, expected(small));
  EXPECT_EQ(found[1].instance, second);
  EXPECT_EQ(found[1].sha256, expected(middle));
  EXPECT_EQ(found[2].instance, third);
  EXPECT_EQ(found[2].sha256, expected(large));
  EXPECT_EQ(found[3].instance, fourth);
  EXPECT_EQ(found[3].sha256, expected(""));
}

TEST_F(DigesterTest, FallsBehindWhileObjectsComeInButNeverTooFar) {
  const auto digester = this->digester();
  std::atomic<bool> busy{true};
  std::thread senders([&] {
    while (busy) {
      digester->received(1);
      std::this_thread::sleep_for(std::chrono::microseconds(100));
    }
  });
  digester->received(Digester::kMostBehind);
  append_object(1);
  EXPECT_EQ(wait_for_digests(1).size(), 1U);  // though they are still at it
  busy = false;
  senders.join();
  append_object(2);
  EXPECT_EQ(wait_for_digests(2).size(), 2U);
}

TEST_F(DigesterTest, ARestartGoesOnWhereTheDigestsEnd) {
  {
    const auto digester = this->digester();
    for (unsigned i = 1; i <= 5; ++i) append_object(i);
    ASSERT_EQ(wait_for_digests(5).size(), 5U);
    // The cursor follows once the last digest was read back; nothing tells when.
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (journal_->cursor("digest").position() < Sequence{10}) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline);
      std::this_thread::yield();
    }
  }
  reopen();
  const auto digester = this->digester();
  append_object(6);
  const auto found = wait_for_digests(6);
  ASSERT_EQ(found.size(), 6U);
  EXPECT_EQ(found.back().instance, Sequence{11});
}

TEST_F(DigesterTest, TheCursorWaitsForTheDigestToBeDurable) {
  options_.idle_sync = std::chrono::hours(1);
  reopen();
  const auto digester = this->digester();
  const Sequence first = append_object(1);
  // Each object's sync carries the digests before it; the last object's own digest is not synced.
  while (digests().empty()) append_object(2);
  digester->stop();
  const auto told = digests();
  const Sequence position = journal_->cursor("digest").position();
  EXPECT_EQ(told.front().instance, first);
  EXPECT_LT(position, journal_->watermark());
  for (const auto& record : all(*journal_)) {
    if (record.type != journal::RecordType::kObject || record.sequence > position) continue;
    EXPECT_TRUE(std::ranges::any_of(
        told, [&](const auto& digest) { return digest.instance == record.sequence; }))
        << value(record.sequence) << " is passed without a durable digest";
  }
}

TEST_F(DigesterTest, ADamagedBodyIsPassedOver) {
  append_record(object(1, {"archive"}), "first");
  append_record(object(2, {"archive"}), "the octets that are damaged");
  append_record(object(3, {"archive"}), "third");
  std::size_t damaged = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_ / "spool")) {
    if (!entry.is_regular_file()) continue;
    const std::size_t at = test::read_text(entry.path()).find("octets that are damaged");
    if (at == std::string::npos) continue;
    std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(at));
    file.put('X');
    ++damaged;
  }
  ASSERT_EQ(damaged, 1U);
  const auto digester = this->digester();
  append_object(4);
  const auto found = wait_for_digests(3);
  ASSERT_EQ(found.size(), 3U);
  EXPECT_EQ(found[0].instance, Sequence{1});
  EXPECT_EQ(found[1].instance, Sequence{3});
  EXPECT_EQ(found[2].sha256, expected("data set"));
}

}  // namespace
}  // namespace dr::audit
