#include "dimse/encoding/text.h"

#include <algorithm>
#include <random>

#include <gtest/gtest.h>

namespace dr::encoding {
namespace {

using Values = std::vector<std::string>;

constexpr Vr kLo = vr('L', 'O');
constexpr Vr kPn = vr('P', 'N');

Values decode(std::string_view set, std::string_view value, Vr v = kLo) {
  return TextDecoder(as_bytes(set)).values(as_bytes(value), v);
}

TEST(TextDecoder, SplitsValuesAndRemovesPadding) {
  EXPECT_EQ(decode("", "ONE\\ TWO \\"), (Values{"ONE", "TWO", ""}));
  EXPECT_EQ(decode("", std::string_view("1.2.3\0", 6), vr('U', 'I')), Values{"1.2.3"});
  EXPECT_EQ(decode("", ""), Values{});
  EXPECT_EQ(decode("", "   "), Values{});
}

TEST(TextDecoder, KeepsBackslashesAndLeadingSpacesOfLongText) {
  for (const Vr v : {vr('L', 'T'), vr('S', 'T'), vr('U', 'T')}) {
    EXPECT_EQ(decode("", " a\\b ", v), Values{" a\\b"});
  }
}

// PS3.5 annexes H to K give these names.
struct Example {
  const char* name;
  const char* set;
  std::string_view octets;
  const char* text;
};
class CharacterSets : public testing::TestWithParam<Example> {};
INSTANTIATE_TEST_SUITE_P(
    TextDecoder, CharacterSets,
    testing::Values(
        Example{"Latin1", "ISO_IR 100", "M\xfcller^J\xf6rg", "Müller^Jörg"},
        Example{"Misspelt", "ISO-IR 100", "M\xfcller", "Müller"},
        Example{"MisspeltToo", "iso ir_100 ", "M\xfcller", "Müller"},
        Example{"Latin2", "ISO_IR 101", "Wa\xb3\xeasa", "Wałęsa"},
        Example{"Cyrillic", "ISO_IR 144", "\xbb\xee\xda", "Люк"},
        Example{"Greek", "ISO_IR 126", "\xc4\xe9\xef", "Διο"},
        Example{"Arabic", "ISO_IR 127", "\xe2\xc8\xc7\xe6\xea", "قباني"},
        Example{"Hebrew", "ISO_IR 138", "\xf9\xf8\xe5\xef", "שרון"},
        Example{"Thai", "ISO_IR 166", "\xb9\xd2\xc1", "นาม"},
        Example{"Utf8", "ISO_IR 192", "Wang^XiaoDong=王^小东", "Wang^XiaoDong=王^小东"},
        Example{"Gb18030", "GB18030", "Wang^XiaoDong=\xcd\xf5^\xd0\xa1\xb6\xab",
                "Wang^XiaoDong=王^小东"},
        Example{"Gbk", "GBK", "\xcd\xf5", "王"},
        Example{"Katakana", "ISO_IR 13", "\xd4\xcf\xc0\xde^\xc0\xdb\xb3", "ﾔﾏﾀﾞ^ﾀﾛｳ"},
        Example{"JapaneseH31", "\\ISO 2022 IR 87",
                "Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&"
                "\x1b(B",
                "Yamada^Tarou=山田^太郎=やまだ^たろう"},
        Example{"JapaneseH32", "ISO 2022 IR 13\\ISO 2022 IR 87",
                "\xd4\xcf\xc0\xde^\xc0\xdb\xb3=\x1b$B;3ED\x1b(J^\x1b$BB@O:\x1b(J",
                "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎"},
        Example{"KoreanI2", "\\ISO 2022 IR 149",
                "Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7=\x1b$)C\xc8\xab^\x1b$)C\xb1"
                "\xe6\xb5\xbf",
                "Hong^Gildong=洪^吉洞=홍^길동"},
        Example{"ChineseK2", "\\ISO 2022 IR 58",
                "Zhang^XiaoDong=\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1\xb6\xab", "Zhang^XiaoDong=张^小东"},
        Example{"SingleExtension", "ISO 2022 IR 100", "M\xfcller", "Müller"},
        Example{"MixedNames", "ISO_IR 100\\ISO 2022 IR 144", "M\xfcller=\x1b-L\xbb\xee\xda\x1b-A",
                "Müller=Люк"}),
    [](const auto& each) { return each.param.name; });

TEST_P(CharacterSets, ComeOutAsUnicode) {
  EXPECT_EQ(decode(GetParam().set, GetParam().octets, kPn), Values{GetParam().text});
}

TEST_P(CharacterSets, AreWrittenAsTheStandardDoes) {
  const CharacterSet set(GetParam().set);
  const auto octets = set.encode(GetParam().text, true);
  ASSERT_TRUE(octets);
  EXPECT_EQ(*octets, GetParam().octets);
}

TEST(CharacterSet, WritesOnlyWhatItHasOrAnnounces) {
  EXPECT_FALSE(CharacterSet("").encode("é", false));
  EXPECT_FALSE(CharacterSet("ISO_IR 100").encode("山", false));
  EXPECT_FALSE(CharacterSet("\\ISO 2022 IR 149").encode("山é", false));
  EXPECT_FALSE(CharacterSet("ISO_IR 13").encode("~", false)) << "an overline there";
  EXPECT_FALSE(CharacterSet("\\ISO 2022 IR 87").encode("\x1b$B", false));
  EXPECT_FALSE(CharacterSet("ISO_IR 192").encode("\xc3", false)) << "no UTF-8";
}

TEST(CharacterSet, EscapesBetweenSetsAndBackBeforeDelimiters) {
  const CharacterSet set("ISO 2022 IR 100\\ISO 2022 IR 144\\ISO 2022 IR 87");
  EXPECT_EQ(set.encode("é Л a", false), "\xe9 \x1b-L\xbb a\x1b-A");
  EXPECT_EQ(set.encode("Л\r\né", false), "\x1b-L\xbb\x1b-A\r\n\xe9");
  EXPECT_EQ(set.encode("山^Л", true), "\x1b$B;3\x1b(B^\x1b-L\xbb\x1b-A");
  EXPECT_EQ(set.encode("山é", false), "\x1b$B;3\xe9\x1b(B");
}

TEST(CharacterSet, KnowsTheTermsOfTheStandard) {
  for (const char* known :
       {"ISO_IR 6", "ISO_IR 100", "ISO_IR 192", "GB18030", "GBK", "ISO_IR 13", "\\ISO 2022 IR 87",
        "ISO 2022 IR 13\\ISO 2022 IR 87", "ISO 2022 IR 6\\ISO 2022 IR 149"}) {
    EXPECT_TRUE(CharacterSet::is_known(known)) << known;
  }
  for (const char* unknown : {"", "ISO_IR 999", "Latin1", "ISO_IR 192\\ISO 2022 IR 87",
                              "ISO 2022 IR 100\\", "ISO 2022 IR 100\\ISO_IR 144"}) {
    EXPECT_FALSE(CharacterSet::is_known(unknown)) << unknown;
  }
}

TEST(TextDecoder, DoesNotSplitInsideACharacter) {
  // GBK 8D5CH; JIS X 0208 5C21H: octets 5CH that are no backslash.
  EXPECT_EQ(decode("GBK", "\x8d\x5c\\B"), (Values{"峔", "B"}));
  EXPECT_EQ(decode("GB18030", "\x81\x30\x81\x30\\B"), (Values{"\xc2\x80", "B"}));
  EXPECT_EQ(decode("\\ISO 2022 IR 87", "\x1b$B\x5c\x21\x1b(B\\B").size(), 2U);
  EXPECT_EQ(decode("\\ISO 2022 IR 87", "\x1b$B;3\x1b(B\\\x1b$BED\x1b(B"), (Values{"山", "田"}));
}

TEST(TextDecoder, SplitsAtTheYenSignOfIsoIr13) {
  EXPECT_EQ(decode("ISO_IR 13", "\xd4\\\xcf"), (Values{"ﾔ", "ﾏ"}));
}

TEST(TextDecoder, KeepsOctetsThatTheSetDoesNotExplainWithoutMatchingText) {
  const std::string fc = "\xf4\x8f\xbf\xbc";  // U+10FFFC
  EXPECT_EQ(decode("", "M\xfcller"), Values{"M" + fc + "ller"});
  EXPECT_EQ(decode("ISO_IR 999", "M\xfcller"), Values{"M" + fc + "ller"});
  EXPECT_EQ(decode("ISO_IR 192", "M\xfcller"), Values{"M" + fc + "ller"});
  EXPECT_EQ(decode("ISO_IR 100", "M\xfc", vr('C', 'S')), Values{"M" + fc});
}

TEST(TextDecoder, GivesNothingOfAnUnknownOrCutEscapeSequenceAsAscii) {
  for (const char* broken :
       {"A\x1b", "A\x1b$", "\x1b(Zname", "\x1b$(DABC", "\x1b$BA", "\x1b$)CA\xb0"}) {
    for (const std::string& value : decode("ISO_IR 100", broken)) {
      EXPECT_TRUE(std::ranges::all_of(value, [](char c) { return (c & 0x80) != 0; })) << broken;
    }
  }
}

TEST(TextDecoder, GoesBackToTheInitialSetsAtDelimiters) {
  EXPECT_EQ(decode("", "\x1b-A\xfc^\xfc", kPn).front().find("\xc3\xbc"), std::string::npos);
  EXPECT_EQ(decode("", "\x1b-A\xfc^\xfc", kLo), Values{"ü^ü"});
  EXPECT_EQ(decode("ISO_IR 100", "\x1b-L\xbb^\xfc", kPn), Values{"Л^ü"});
}

TEST(TextDecoder, MakesValidUtf8OfAnyOctets) {
  constexpr std::uint32_t kSeed = 5;
  std::mt19937 random(kSeed);
  const CharacterSet utf8("ISO_IR 192");
  const std::string_view telling = "\x1b$()BDJIACL-\\^= \x5c\xa1\xfe\x81\x30";
  for (const char* set : {"", "ISO_IR 100", "ISO_IR 13", "ISO_IR 192", "GB18030", "GBK",
                          "\\ISO 2022 IR 87", "\\ISO 2022 IR 149", "nonsense"}) {
    const TextDecoder decoder(as_bytes(set));
    for (int round = 0; round < 3000; ++round) {
      std::string octets(1 + random() % 20, ' ');
      for (char& c : octets) {
        c = random() % 2 == 0 ? telling[random() % telling.size()] : static_cast<char>(random());
      }
      for (const std::string& value : decoder.values(as_bytes(octets), kPn)) {
        EXPECT_TRUE(utf8.decode(value, false)) << set << ", seed " << kSeed << " round " << round;
      }
    }
  }
}

TEST(TextDecoder, ReadsOtherVrsInTheDefaultRepertoire) {
  EXPECT_EQ(decode("GBK", "CT\\MR", vr('C', 'S')), (Values{"CT", "MR"}));
  EXPECT_EQ(decode("ISO_IR 192", "20240101", vr('D', 'A')), Values{"20240101"});
}

TEST(PlainValues, AreThoseOfTheDecoderOrNone) {
  constexpr std::uint32_t kSeed = 7;
  std::mt19937 random(kSeed);
  const std::string_view telling = "AB^= \\\\  \x1b\x7e\xe4";
  std::size_t plain = 0;
  for (const Vr v : {vr('C', 'S'), vr('L', 'O'), kPn, vr('L', 'T'), vr('U', 'I'), Vr::kUnknown}) {
    for (int round = 0; round < 2000; ++round) {
      std::string octets(random() % 8, ' ');
      for (char& c : octets) c = telling[random() % telling.size()];
      if (random() % 4 == 0) octets += '\0';
      std::pmr::vector<std::string_view> views;
      if (!plain_values(as_bytes(octets), v, views)) {
        EXPECT_TRUE(views.empty());
        continue;
      }
      ++plain;
      for (const char* set : {"", "ISO_IR 192", "GBK", "\\ISO 2022 IR 87"}) {
        EXPECT_EQ(TextDecoder(as_bytes(set)).values(as_bytes(octets), v),
                  Values(views.begin(), views.end()))
            << set << ", seed " << kSeed << " round " << round;
      }
    }
  }
  EXPECT_GT(plain, 1000U);
}

}  // namespace
}  // namespace dr::encoding
