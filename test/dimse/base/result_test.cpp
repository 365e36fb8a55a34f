#include "dimse/base/result.h"

#include <cerrno>
#include <memory>
#include <set>
#include <string>

#include <gtest/gtest.h>

namespace dr {
namespace {

TEST(Result, HoldsAValueOrAnError) {
  const Result<int> good = 7;
  ASSERT_TRUE(good);
  EXPECT_EQ(*good, 7);
  const Result<int> bad = Error{Errc::kTooLong, "length=70 limit=64"};
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().code, Errc::kTooLong);
  EXPECT_EQ(bad.error().to_string(), "too long: length=70 limit=64");
}

TEST(Result, GivesUpWhatCanOnlyBeMoved) {
  Result<std::unique_ptr<int>> result = std::make_unique<int>(3);
  const std::unique_ptr<int> taken = *std::move(result);
  EXPECT_EQ(*taken, 3);
}

TEST(Result, IsAnErrorUntilItIsGiven) { EXPECT_FALSE(Result<int>{}); }

TEST(Result, ThrowsWhenAskedForWhatItDoesNotHold) {
  const Result<int> good = 7;
  const Result<int> bad = Error{};
  EXPECT_THROW((void)good.error(), std::bad_variant_access);
  EXPECT_THROW((void)*bad, std::bad_variant_access);
  const Result<void> done;
  EXPECT_THROW((void)done.error(), std::bad_optional_access);
}

TEST(Result, OfVoidIsSuccessByDefault) {
  const Result<void> done;
  EXPECT_TRUE(done);
  const Result<void> failed = Error{Errc::kIo, "write"};
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().to_string(), "i/o error: write");
}

TEST(Errc, EveryCodeHasItsOwnText) {
  std::set<std::string> texts;
  for (int code = 1; code <= static_cast<int>(Errc::kConflict); ++code) {
    texts.insert(make_error_code(static_cast<Errc>(code)).message());
  }
  EXPECT_EQ(texts.size(), static_cast<std::size_t>(Errc::kConflict));
  EXPECT_FALSE(texts.contains("unknown error"));
}

TEST(ErrnoError, TellsAFullDiskFromAFailedOne) {
  for (const int full : {ENOSPC, EDQUOT, EFBIG}) {
    EXPECT_EQ(errno_error("write", full).code, Errc::kNoSpace) << full;
  }
  EXPECT_EQ(errno_error("write", EIO).code, Errc::kIo);
  EXPECT_EQ(errno_error("write", ENOSPC).detail, "write: No space left on device");
}

}  // namespace
}  // namespace dr
