// Text in every character set of PS3.3 C.12.1.1.2, character by character and mixed, against
// readers that share no code with ours: DCMTK where it can convert, iconv(3)'s own ISO 2022
// decoders else.
#include <random>

#include <dcmtk/dcmdata/dcspchrs.h>
#include <iconv.h>

#include "dimse/encoding/text.h"
#include "test/dimse/encoding/dcmtk_reference.h"

namespace dr::encoding {
namespace {

constexpr std::uint32_t kSeed = 20260131;

/// `octets` in UTF-8 after iconv(3); empty where it has no such character.
std::string by_iconv(const char* from, std::string octets) {
  const iconv_t handle = iconv_open("UTF-8", from);
  EXPECT_NE(handle, reinterpret_cast<iconv_t>(-1)) << from;
  std::string out(4 * octets.size() + 16, '\0');
  char* in = octets.data();
  std::size_t in_left = octets.size();
  char* to = out.data();
  std::size_t out_left = out.size();
  const bool good = iconv(handle, &in, &in_left, &to, &out_left) == 0 && in_left == 0;
  iconv_close(handle);
  return good ? out.substr(0, out.size() - out_left) : "";
}

/// The one value in UTF-8; empty where an octet has no meaning.
std::string ours(const TextDecoder& decoder, std::string_view octets, Vr v = vr('L', 'O')) {
  const auto values = decoder.values(as_bytes(octets), v);
  EXPECT_EQ(values.size(), 1U);
  const std::string text = values.empty() ? "" : values.front();
  const auto at = text.find("\xf4\x8f");  // U+10FF00 and above stand for octets without meaning
  return at != std::string::npos && static_cast<unsigned char>(text[at + 2]) >= 0xbc ? "" : text;
}

struct SingleOctets {
  const char* term;
  const char* escape;  // in ISO 2022: behind ESC
};
constexpr SingleOctets kSingle[] = {{"100", "-A"}, {"101", "-B"}, {"109", "-C"}, {"110", "-D"},
                                    {"144", "-L"}, {"127", "-G"}, {"126", "-F"}, {"138", "-H"},
                                    {"148", "-M"}, {"203", "-b"}, {"166", "-T"}};

TEST(TextDifferential, EveryOctetOfEverySingleOctetSetIsThatOfDcmtk) {
  OFLog::configure(OFLogger::FATAL_LOG_LEVEL);
  std::size_t characters = 0;
  for (const auto& [term, escape] : kSingle) {
    const std::string name = std::string("ISO_IR ") + term;
    DcmSpecificCharacterSet converter;
    const bool known = converter.selectCharacterSet(name.c_str()).good();
    EXPECT_TRUE(known || std::string(term) == "203")
        << name << " (ISO_IR 203 is younger than DCMTK)";
    const TextDecoder plain(as_bytes(name));
    const TextDecoder single(as_bytes(std::string("ISO 2022 IR ") + term));
    const TextDecoder extended(as_bytes(std::string("\\ISO 2022 IR ") + term));
    for (int octet = 0xa0; octet <= 0xff; ++octet) {
      const std::string text = "a" + std::string(1, static_cast<char>(octet)) + "b";
      std::string theirs;
      if (known) {
        OFString converted;
        if (converter.convertString(text.c_str(), converted).good()) theirs = converted.c_str();
      } else {
        theirs = by_iconv("ISO-8859-15", text);
      }
      EXPECT_EQ(ours(plain, text), theirs) << name << " " << octet;
      EXPECT_EQ(ours(single, text), theirs) << name << " " << octet;
      EXPECT_EQ(ours(extended, "\x1b" + std::string(escape) + text), theirs)
          << name << " " << octet;
      characters += theirs.empty() ? 0 : 1;
    }
  }
  EXPECT_GT(characters, 900U);
}

TEST(TextDifferential, EveryKatakanaIsThatOfShiftJis) {
  const TextDecoder plain(as_bytes("ISO_IR 13"));
  const TextDecoder extended(as_bytes("\\ISO 2022 IR 13"));
  for (int octet = 0xa1; octet <= 0xfe; ++octet) {
    const std::string text(1, static_cast<char>(octet));
    // From E0H on it has the first octets of longer characters, and JIS X 0201 nothing.
    const std::string theirs = octet <= 0xdf ? by_iconv("SHIFT_JIS", text) : "";
    EXPECT_EQ(theirs.empty(), octet > 0xdf);
    EXPECT_EQ(ours(plain, text), theirs) << octet;
    EXPECT_EQ(ours(extended, "\x1b)I" + text), theirs) << octet;
  }
  EXPECT_EQ(ours(plain, "a~b"), by_iconv("SHIFT_JIS", "a~b")) << "an overline";
}

/// A set of two octets a character: how DICOM writes it, and how the other decoder wants it.
struct DoubleOctets {
  const char* term;
  std::string_view escape;  // behind ESC
  bool g0;
  const char* iconv;
  std::string_view before, after;  // around the octets, in 7 bits
};
constexpr DoubleOctets kDouble[] = {
    {"ISO 2022 IR 87", "$B", true, "ISO-2022-JP-2", "\x1b$B", "\x1b(B"},
    {"ISO 2022 IR 159", "$(D", true, "ISO-2022-JP-2", "\x1b$(D", "\x1b(B"},
    {"ISO 2022 IR 149", "$)C", false, "ISO-2022-KR", "\x1b$)C\n\x0e", "\x0f"},
    {"ISO 2022 IR 58", "$)A", false, "ISO-2022-CN", "\x1b$)A\x0e", "\x0f"}};

std::string reference(const DoubleOctets& set, std::string_view seven_bits) {
  std::string text(set.before);
  text.append(seven_bits).append(set.after);
  const std::string out = by_iconv(set.iconv, text);
  return out.starts_with('\n') ? out.substr(1) : out;
}

std::string in_dicom(const DoubleOctets& set, std::string_view seven_bits) {
  std::string text = "\x1b" + std::string(set.escape);
  for (const char c : seven_bits) text += set.g0 ? c : static_cast<char>(c | 0x80);
  return text + (set.g0 ? "\x1b(B" : "");
}

TEST(TextDifferential, EveryCharacterOfEveryDoubleOctetSetIsThatOfIconv) {
  for (const DoubleOctets& set : kDouble) {
    const TextDecoder decoder(as_bytes(std::string("\\") + set.term));
    std::size_t characters = 0;
    for (int row = 0x21; row <= 0x7e; ++row) {
      for (int cell = 0x21; cell <= 0x7e; ++cell) {
        const std::string pair{static_cast<char>(row), static_cast<char>(cell)};
        const std::string theirs = reference(set, pair);
        ASSERT_EQ(ours(decoder, in_dicom(set, pair)), theirs)
            << set.term << " " << row << " " << cell;
        characters += theirs.empty() ? 0 : 1;
      }
    }
    EXPECT_GT(characters, 6000U) << set.term;
  }
}

TEST(TextDifferential, EveryCharacterOfTheChineseSetsWithoutExtensionsIsThatOfDcmtk) {
  OFLog::configure(OFLogger::FATAL_LOG_LEVEL);
  for (const char* name : {"GB18030", "GBK"}) {
    DcmSpecificCharacterSet converter;
    ASSERT_TRUE(converter.selectCharacterSet(name).good());
    const TextDecoder decoder(as_bytes(name));
    for (int lead = 0x81; lead <= 0xfe; ++lead) {
      for (int trail = 0x40; trail <= 0xfe; ++trail) {
        const std::string text{'a', static_cast<char>(lead), static_cast<char>(trail), 'b'};
        OFString converted;
        const bool good = converter.convertString(text.c_str(), converted).good();
        ASSERT_EQ(ours(decoder, text), good ? converted.c_str() : "")
            << name << lead << " " << trail;
      }
    }
  }
}

/// Characters of several sets in one value, with the escape sequences between them, as
/// PS3.5 6.1.2.5 has them; what each is alone, they are together.
TEST(TextDifferential, MixedSetsAreWhatTheirCharactersAre) {
  std::mt19937 random(kSeed);
  const TextDecoder decoder(
      as_bytes("ISO 2022 IR 13\\ISO 2022 IR 87\\ISO 2022 IR 159\\ISO 2022 IR 149\\ISO 2022 IR 58\\"
               "ISO 2022 IR 100\\ISO 2022 IR 144"));
  for (int round = 0; round < 20'000; ++round) {
    std::string octets = "\x1b(B";
    std::string expected;
    for (std::size_t parts = 1 + random() % 6; parts > 0; --parts) {
      const std::size_t kind = random() % (std::size(kDouble) + 3);
      if (kind < std::size(kDouble)) {
        const std::string pair{static_cast<char>(0x30 + random() % 0x20),
                               static_cast<char>(0x21 + random() % 0x5e)};
        const std::string character = reference(kDouble[kind], pair);
        if (character.empty()) continue;
        octets += in_dicom(kDouble[kind], pair);
        expected += character;
      } else if (kind == std::size(kDouble)) {
        octets += "x ";
        expected += "x ";
      } else {
        const auto& single = kSingle[kind == std::size(kDouble) + 1 ? 0 : 4];
        const char octet = static_cast<char>(0xc0 + random() % 0x30);
        octets += "\x1b" + std::string(single.escape) + octet;
        expected += by_iconv(kind == std::size(kDouble) + 1 ? "ISO-8859-1" : "ISO-8859-5",
                             std::string(1, octet));
      }
    }
    const auto values = decoder.values(as_bytes(octets), vr('L', 'O'));
    std::string text = values.empty() ? "" : values.front();
    while (expected.ends_with(' ')) expected.pop_back();
    ASSERT_EQ(text, expected) << "seed " << kSeed << " round " << round;
  }
}

bool is_text(DcmElement& element) {
  switch (element.ident()) {
    case EVR_LO:
    case EVR_LT:
    case EVR_PN:
    case EVR_SH:
    case EVR_ST:
    case EVR_UC:
    case EVR_UT:
      return true;
    default:
      return false;
  }
}

bool has_one_value(DcmElement& element) {
  return element.ident() == EVR_LT || element.ident() == EVR_ST || element.ident() == EVR_UT;
}

std::string trimmed(std::string text) {
  while (!text.empty() && (text.back() == ' ' || text.back() == '\0')) text.pop_back();
  return text.substr(std::min(text.find_first_not_of(' '), text.size()));
}

std::string joined(const std::vector<std::string>& values) {
  std::string text;
  for (std::size_t i = 0; i < values.size(); ++i) text += (i > 0 ? "\\" : "") + trimmed(values[i]);
  return text;
}

/// Of all elements, those inside of sequences too.
void each_text(DcmItem& item, const std::function<void(DcmItem&, DcmElement&)>& take) {
  for (unsigned long i = 0; i < item.card(); ++i) {
    DcmElement& element = *item.getElement(i);
    if (auto* sequence = dynamic_cast<DcmSequenceOfItems*>(&element)) {
      for (unsigned long n = 0; n < sequence->card(); ++n) each_text(*sequence->getItem(n), take);
    } else if (is_text(element)) {
      take(item, element);
    }
  }
}

// Where DCMTK can convert at all (not the Japanese double-octet sets), it agrees.
TEST(TextDifferential, AgreesWithDcmtkOnEveryTextOfEveryObject) {
  auto files = files_below(kShared / "objects");
  std::ranges::copy(files_below(kShared / "rtstruct"), std::back_inserter(files));
  if (files.empty()) GTEST_SKIP() << "left out: shared data is not here";
  std::size_t compared = 0;
  std::size_t not_ascii = 0;
  for (const fs::path& path : files) {
    Reference reference;
    ASSERT_TRUE(reference.load(path));
    DcmDataset& set = *reference.file.getDataset();
    OFString characters;
    (void)set.findAndGetOFStringArray(DCM_SpecificCharacterSet, characters);
    DcmSpecificCharacterSet converter;
    if (converter.selectCharacterSet(characters).bad()) continue;
    const TextDecoder decoder(as_bytes({characters.c_str(), characters.size()}));
    each_text(set, [&](DcmItem&, DcmElement& element) {
      OFString raw;
      OFString theirs;
      if (element.getOFStringArray(raw, OFFalse).bad() || raw.empty()) return;
      const bool name = element.ident() == EVR_PN;
      const char* delimiters = name ? "\\^=" : has_one_value(element) ? "" : "\\";
      if (converter.convertString(raw, theirs, delimiters).bad()) return;
      const char* letters = element.getTag().getVR().getVRName();
      const auto values =
          decoder.values(as_bytes({raw.c_str(), raw.size()}), vr(letters[0], letters[1]));
      std::vector<std::string> split;
      std::string rest(theirs.c_str(), theirs.size());
      for (std::size_t at;
           !has_one_value(element) && (at = rest.find('\\')) != std::string::npos;) {
        split.push_back(rest.substr(0, at));
        rest.erase(0, at + 1);
      }
      split.push_back(rest);
      EXPECT_EQ(joined(values), joined(values.empty() ? std::vector<std::string>{} : split))
          << path << " " << tag_of(element).to_string();
      ++compared;
      not_ascii +=
          std::any_of(theirs.begin(), theirs.end(), [](char c) { return (c & 0x80) != 0; }) ? 1 : 0;
    });
  }
  EXPECT_GT(compared, 10'000U);
  EXPECT_GE(not_ascii, 10U);
}

}  // namespace
}  // namespace dr::encoding
