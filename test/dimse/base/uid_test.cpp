#include "dimse/base/uid.h"

#include <stdexcept>
#include <string>
#include <unordered_set>

#include <gtest/gtest.h>

namespace dr {
namespace {

TEST(Uid, TakesComponentsOfDigits) {
  for (const char* text : {"1", "0", "1.2", "1.2.840.10008.1.1", "2.25.329800735698586629"}) {
    const auto uid = Uid::parse(text);
    ASSERT_TRUE(uid) << text;
    EXPECT_EQ(uid->view(), text);
  }
}

TEST(Uid, ToleratesLeadingZerosOfAComponent) { EXPECT_TRUE(Uid::parse("1.02.003")); }

TEST(Uid, RefusesWhatCouldLeadOutOfAFolderOrIsNone) {
  for (const char* text : {"", ".", "..", "1.", ".1", "1..2", "1/2", "../1", "1.a", "1 ", " 1",
                           "1.2\n", "-1", "1.2.840.10008.1.1x"}) {
    const auto uid = Uid::parse(text);
    ASSERT_FALSE(uid) << text;
    EXPECT_EQ(uid.error().code, Errc::kMalformed) << text;
  }
  EXPECT_FALSE(Uid::parse(std::string("1.2\0", 4)));
}

TEST(Uid, EndsAt64Characters) {
  EXPECT_TRUE(Uid::parse(std::string(64, '1')));
  const auto longer = Uid::parse(std::string(65, '1'));
  ASSERT_FALSE(longer);
  EXPECT_EQ(longer.error().code, Errc::kTooLong);
  EXPECT_EQ(longer.error().detail, "UID length=65 limit=64");
}

TEST(Uid, TellsNothingOfItsTextInErrors) {
  EXPECT_EQ(Uid::parse("1.2.patient").error().detail.find("patient"), std::string::npos);
}

TEST(Uid, ComparesAndHashesByText) {
  EXPECT_EQ(uid_literal("1.2"), uid_literal("1.2"));
  EXPECT_NE(uid_literal("1.2"), uid_literal("1.20"));
  EXPECT_LT(uid_literal("1.2"), uid_literal("1.3"));
  const std::unordered_set<Uid> set{uid_literal("1.2"), uid_literal("1.3"), uid_literal("1.2")};
  EXPECT_EQ(set.size(), 2U);
}

TEST(Uid, IsEmptyWhenAbsent) {
  EXPECT_TRUE(Uid{}.empty());
  EXPECT_EQ(Uid{}, "");
}

TEST(Uid, LiteralThrowsOnATypingError) { EXPECT_THROW(uid_literal("1..2"), std::invalid_argument); }

TEST(TrimPadding, TakesTrailingNulsAndSpacesOnly) {
  EXPECT_EQ(trim_padding(std::string_view("1.2\0", 4)), "1.2");
  EXPECT_EQ(trim_padding(std::string_view(" 1.2 \0 \0", 8)), " 1.2");
  EXPECT_EQ(trim_padding("   "), "");
  EXPECT_EQ(trim_padding({}), "");
}

}  // namespace
}  // namespace dr
