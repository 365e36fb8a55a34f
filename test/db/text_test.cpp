#include "db/text.h"

#include <gtest/gtest.h>

namespace dr::db {
namespace {

using namespace std::string_literals;

const std::string kBad = "\xEF\xBF\xBD";

TEST(Text, ValidTextStaysAsItIs) {
  for (const std::string& text :
       {""s, "CT1"s, "Gr\xc3\xbc\xc3\x9f"s, "\xe5\xb1\xb1"s, "\xf0\x9f\xa9\xbb"s, "\x7f\x01\n"s,
        "\xef\xbf\xbf"s, "\xf4\x8f\xbf\xbf"s, "\xed\x9f\xbf"s, "\xc2\x80"s, "\xe0\xa0\x80"s}) {
    EXPECT_TRUE(is_clean_text(text, 64));
    EXPECT_EQ(clean_text(text, 64), text);
  }
}

TEST(Text, EachIllFormedPartBecomesOneReplacementCharacter) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"a\0b"s, "a" + kBad + "b"},
      {"\x80", kBad},
      {"\xff\xfe", kBad + kBad},
      {"\xc0\xaf", kBad + kBad},             // overlong
      {"\xe0\x9f\xbf", kBad + kBad + kBad},  // overlong
      {"\xed\xa0\x80", kBad + kBad + kBad},  // surrogate
      {"\xf4\x90\x80\x80", kBad + kBad + kBad + kBad},
      {"\xe5\xb1", kBad},  // cut: one maximal part
      {"\xe5\xb1z", kBad + "z"},
      {"\xf0\x9f\xa9\xe5\xb1\xb1", kBad + "\xe5\xb1\xb1"},
  };
  for (const auto& [text, expected] : cases) {
    EXPECT_FALSE(is_clean_text(text, 64));
    EXPECT_EQ(clean_text(text, 64), expected);
    EXPECT_TRUE(is_clean_text(clean_text(text, 64), 64));
  }
}

TEST(Text, IsCutAfterWholeCharacters) {
  EXPECT_FALSE(is_clean_text("abcd", 3));
  EXPECT_EQ(clean_text("abcd", 3), "abc");
  EXPECT_EQ(clean_text("\xe5\xb1\xb1\xe7\x94\xb0", 1), "\xe5\xb1\xb1");
  EXPECT_EQ(clean_text("\xff\xff\xff", 2), kBad + kBad);
  EXPECT_EQ(clean_text("abc", 0), "");
}

}  // namespace
}  // namespace dr::db
