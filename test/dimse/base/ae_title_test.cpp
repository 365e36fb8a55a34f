#include "dimse/base/ae_title.h"

#include <string>

#include <gtest/gtest.h>

namespace dr {
namespace {

TEST(AeTitle, DropsLeadingAndTrailingSpacesOnly) {
  EXPECT_EQ(AeTitle::parse("  CT 1  ")->view(), "CT 1");
  EXPECT_EQ(*AeTitle::parse("CT1"), *AeTitle::parse(" CT1             "));
  EXPECT_FALSE(*AeTitle::parse("CT1") == *AeTitle::parse("ct1"));
}

TEST(AeTitle, TakesEveryLegalCharacter) {
  for (char c = 0x21; c < 0x7f; ++c) {
    EXPECT_EQ(AeTitle::parse(std::string(1, c)).ok(), c != '\\') << c;
  }
}

TEST(AeTitle, RefusesControlCharactersBackslashAndWhatIsNotAscii) {
  for (int c = 0; c < 256; ++c) {
    if (c >= 0x20 && c < 0x7f && c != '\\') continue;
    const auto title = AeTitle::parse("A" + std::string(1, static_cast<char>(c)) + "B");
    ASSERT_FALSE(title) << c;
    EXPECT_EQ(title.error().code, Errc::kMalformed) << c;
  }
}

TEST(AeTitle, RefusesNothingButSpaces) {
  EXPECT_FALSE(AeTitle::parse(""));
  EXPECT_FALSE(AeTitle::parse("                "));
}

TEST(AeTitle, EndsAt16Characters) {
  EXPECT_TRUE(AeTitle::parse("ABCDEFGHIJKLMNOP"));
  EXPECT_TRUE(AeTitle::parse(" ABCDEFGHIJKLMNOP "));
  const auto longer = AeTitle::parse("ABCDEFGHIJKLMNOPQ");
  ASSERT_FALSE(longer);
  EXPECT_EQ(longer.error().code, Errc::kTooLong);
}

TEST(AeTitle, PadsItsFieldWithSpaces) {
  const auto field = AeTitle::parse("CT1")->padded();
  EXPECT_EQ(std::string(field.begin(), field.end()), "CT1             ");
}

}  // namespace
}  // namespace dr
