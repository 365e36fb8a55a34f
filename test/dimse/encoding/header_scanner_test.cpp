#include "dimse/encoding/header_scanner.h"

#include <numeric>
#include <string>

#include <gtest/gtest.h>
#include <zlib.h>

#include "dimse/encoding/transfer_syntax.h"
#include "test/dimse/encoding/data_set_builder.h"

namespace dr::encoding {
namespace {

using State = HeaderScanner::State;

const Uid kImplicit = uid_literal("1.2.840.10008.1.2");
const Uid kExplicit = uid_literal("1.2.840.10008.1.2.1");
const Uid kBigEndian = uid_literal("1.2.840.10008.1.2.2");
const Uid kDeflated = uid_literal("1.2.840.10008.1.2.1.99");

constexpr Vr kSq = vr('S', 'Q');
constexpr Vr kLo = vr('L', 'O');
constexpr Vr kUi = vr('U', 'I');
constexpr Tag kSequence{0x0008, 0x1140};
constexpr Tag kPrivateCreator{0x0009, 0x0010};
constexpr Tag kPrivate{0x0009, 0x1001};

/// Feeds in pieces of `piece` octets; the data set ends behind the last.
HeaderScanner scan(const ScanPlan& plan, const Uid& syntax, ByteSpan octets,
                   std::size_t piece = SIZE_MAX) {
  HeaderScanner scanner(plan, syntax);
  while (!octets.empty()) {
    const std::size_t n = std::min(piece, octets.size());
    scanner.feed(octets.first(n));
    octets = octets.subspan(n);
  }
  scanner.finish();
  return scanner;
}

std::string text(const HeaderScanner& scanner, Tag tag) {
  const ScannedElement* found = scanner.find(tag);
  return found ? std::string(as_text(found->value)) : "(absent)";
}

Bytes deflate_raw(ByteSpan plain) {
  z_stream z{};
  EXPECT_EQ(deflateInit2(&z, 6, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
  Bytes out(deflateBound(&z, plain.size()));
  z.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(plain.data()));
  z.avail_in = static_cast<uInt>(plain.size());
  z.next_out = reinterpret_cast<Bytef*>(out.data());
  z.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&z, Z_FINISH), Z_STREAM_END);
  out.resize(z.total_out);
  deflateEnd(&z);
  return out;
}

const ScanPlan kPlan({tags::kPatientId, tags::kModality, tags::kSopClassUid, tags::kModality,
                      kPrivate, tags::kSeriesInstanceUid});

/// An ordinary head of a data set, with what a scan must step over.
DataSetBuilder ordinary(Encoding encoding) {
  DataSetBuilder set(encoding);
  set.element({0x0008, 0x0000}, vr('U', 'L'), std::string_view("\0\0\0\0", 4))
      .element(tags::kSopClassUid, kUi, std::string_view("1.2.3\0", 6))
      .element(tags::kModality, vr('C', 'S'), "CT")
      .undefined(kSequence, kSq)
      .item()
      .element(tags::kPatientId, kLo, "INSIDE")
      .undefined(kSequence, kSq)
      .item(0)
      .end_sequence()
      .end_item()
      .item(8)
      .header({0x0008, 0x0000}, vr('U', 'L'), 0)
      .end_sequence()
      .element(kPrivateCreator, kLo, "ACME")
      .element(kPrivate, vr('O', 'B'), "private ")
      .element(tags::kPatientId, kLo, "")
      .element({0x0018, 0x0015}, vr('C', 'S'), "HEAD")
      .element(tags::kSeriesInstanceUid, kUi, "1.2.840.1")
      .header({0x7fe0, 0x0010}, vr('O', 'W'), 0x40000000);
  return set;
}

struct Case {
  const char* name;
  Uid syntax;
  Encoding encoding;
};
class InEveryEncoding : public testing::TestWithParam<Case> {};
INSTANTIATE_TEST_SUITE_P(HeaderScanner, InEveryEncoding,
                         testing::Values(Case{"Implicit", kImplicit, kImplicitLittleEndian},
                                         Case{"Explicit", kExplicit, kExplicitLittleEndian},
                                         Case{"BigEndian", kBigEndian, {true, true}},
                                         Case{"Deflated", kDeflated, kExplicitLittleEndian}),
                         [](const auto& each) { return each.param.name; });

TEST_P(InEveryEncoding, BringsThePlannedElementsWhateverThePieces) {
  const auto& [name, syntax, encoding] = GetParam();
  const Bytes plain = ordinary(encoding).bytes();
  const Bytes octets = syntax == kDeflated ? deflate_raw(plain) : plain;
  for (std::size_t piece = 1; piece <= octets.size(); ++piece) {
    const HeaderScanner scanner = scan(kPlan, syntax, octets, piece);
    ASSERT_EQ(scanner.state(), State::kDone) << piece << ": " << scanner.error().to_string();
    EXPECT_EQ(text(scanner, tags::kSopClassUid), std::string("1.2.3\0", 6));
    EXPECT_EQ(text(scanner, tags::kModality), "CT");
    EXPECT_EQ(text(scanner, kPrivate), "private ");
    EXPECT_EQ(text(scanner, tags::kPatientId), "");
    EXPECT_EQ(text(scanner, tags::kSeriesInstanceUid), "1.2.840.1");
    EXPECT_EQ(scanner.find(tags::kStudyInstanceUid), nullptr);
    EXPECT_EQ(scanner.find(tags::kModality)->vr,
              encoding.explicit_vr ? vr('C', 'S') : Vr::kUnknown);
    EXPECT_EQ(scanner.find(tags::kModality)->big_endian, encoding.big_endian);
  }
}

TEST_P(InEveryEncoding, BringsTheItemsOfAPlannedSequenceOfUndefinedLength) {
  const auto& [name, syntax, encoding] = GetParam();
  const Bytes items = DataSetBuilder(encoding)
                          .item()
                          .undefined(kSequence, kSq)
                          .item(0)
                          .end_sequence()
                          .element(tags::kPatientId, kLo, "INSIDE")
                          .end_item()
                          .bytes();
  const Bytes plain = DataSetBuilder(encoding)
                          .undefined(kSequence, kSq)
                          .raw(items)
                          .end_sequence()
                          .element(tags::kPatientId, kLo, "OUTSIDE ")
                          .bytes();
  const Bytes octets = syntax == kDeflated ? deflate_raw(plain) : plain;
  const ScanPlan plan({kSequence, tags::kPatientId});
  for (const std::size_t piece : {1U, 3U, 7U, 1000U}) {
    const HeaderScanner scanner = scan(plan, syntax, octets, piece);
    ASSERT_EQ(scanner.state(), State::kDone) << scanner.error().to_string();
    EXPECT_EQ(text(scanner, kSequence), as_text(items));
    EXPECT_EQ(text(scanner, tags::kPatientId), "OUTSIDE ");
  }
}

TEST_P(InEveryEncoding, FailsWhereTheDataSetEndsInsideAnElement) {
  const auto& [name, syntax, encoding] = GetParam();
  const Bytes plain = DataSetBuilder(encoding).element(tags::kModality, vr('C', 'S'), "CT").bytes();
  const Bytes whole = syntax == kDeflated ? deflate_raw(plain) : plain;
  const ScanPlan plan({tags::kModality, tags::kPatientId});
  EXPECT_EQ(scan(plan, syntax, whole).state(), State::kDone);
  for (std::size_t n = 1; n < whole.size(); ++n) {
    const HeaderScanner scanner = scan(plan, syntax, ByteSpan(whole).first(n));
    EXPECT_EQ(scanner.state(), State::kFailed) << n;
    EXPECT_EQ(scanner.error().code, Errc::kMalformed);
    EXPECT_EQ(scanner.find(tags::kPatientId), nullptr);
  }
}

TEST(HeaderScanner, IsDoneBehindTheHighestPlannedTagWithoutWhatFollows) {
  const Bytes head = DataSetBuilder().element(tags::kModality, vr('C', 'S'), "CT").bytes();
  const ScanPlan plan({tags::kModality});
  HeaderScanner scanner(plan, kExplicit);
  EXPECT_EQ(scanner.feed(ByteSpan(head).first(head.size() - 1)), State::kMore);
  EXPECT_EQ(scanner.find(tags::kModality), nullptr);
  EXPECT_EQ(scanner.feed(ByteSpan(head).last(1)), State::kDone);
  EXPECT_EQ(scanner.feed(as_bytes("ignored")), State::kDone);
  EXPECT_EQ(text(scanner, tags::kModality), "CT");
}

TEST(HeaderScanner, IsDoneAtTheFirstElementBehindTheHighestPlannedTag) {
  const Bytes head = DataSetBuilder().header(tags::kPatientId, kLo, 60'000).bytes();
  const ScanPlan plan({tags::kModality});
  EXPECT_EQ(HeaderScanner(plan, kExplicit).feed(head), State::kDone);
}

TEST(HeaderScanner, WantsNothingForAPlanThatNamesNothingBeforePixelData) {
  const ScanPlan nothing({});
  EXPECT_EQ(HeaderScanner(nothing, kExplicit).state(), State::kDone);
  const ScanPlan pixels({Tag{0x7fe0, 0x0010}});
  EXPECT_EQ(HeaderScanner(pixels, kExplicit).state(), State::kDone);
}

TEST(HeaderScanner, NeverReadsPixelData) {
  const ScanPlan plan({tags::kModality, Tag{0x7fe0, 0x0010}, Tag{0xfffa, 0xfffa}, Tag{0x6000, 1}});
  const Bytes octets = DataSetBuilder()
                           .element(tags::kModality, vr('C', 'S'), "CT")
                           .undefined({0x7fe0, 0x0010}, vr('O', 'B'))
                           .bytes();
  const HeaderScanner scanner = scan(plan, kExplicit, octets);
  EXPECT_EQ(scanner.state(), State::kDone);
  EXPECT_EQ(text(scanner, tags::kModality), "CT");
  EXPECT_EQ(text(scanner, {0x7fe0, 0x0010}), "(absent)");
}

TEST(HeaderScanner, FindsElementsOutOfOrderBelowTheHighestPlannedTag) {
  const Bytes octets = DataSetBuilder()
                           .element(tags::kPatientId, kLo, "P1")
                           .element(tags::kModality, vr('C', 'S'), "CT")
                           .element(tags::kStudyInstanceUid, kUi, "1.2")
                           .bytes();
  const ScanPlan plan({tags::kModality, tags::kPatientId, tags::kStudyInstanceUid});
  const HeaderScanner scanner = scan(plan, kExplicit, octets);
  EXPECT_EQ(text(scanner, tags::kModality), "CT");
  EXPECT_EQ(text(scanner, tags::kPatientId), "P1");
}

TEST(HeaderScanner, TakesTheFirstOfTwoElementsWithOneTag) {
  const Bytes octets = DataSetBuilder()
                           .element(tags::kPatientId, kLo, "FIRST ")
                           .element(tags::kPatientId, kLo, "SECOND")
                           .element(tags::kStudyInstanceUid, kUi, "1.2")
                           .bytes();
  const ScanPlan plan({tags::kPatientId, tags::kStudyInstanceUid});
  EXPECT_EQ(text(scan(plan, kExplicit, octets), tags::kPatientId), "FIRST ");
}

// PS3.5 6.2.2, note 4: implicit VR little endian, even in a big endian data set.
TEST(HeaderScanner, ReadsUnOfUndefinedLengthAsImplicitLittleEndian) {
  for (const bool big_endian : {false, true}) {
    const Bytes items = DataSetBuilder(kImplicitLittleEndian)
                            .item()
                            .element({0x0009, 0x1002}, kLo, "deep")
                            .undefined({0x0009, 0x1003}, kSq)
                            .end_sequence()
                            .end_item()
                            .bytes();
    const Bytes end = DataSetBuilder(kImplicitLittleEndian).end_sequence().bytes();
    const Bytes octets = DataSetBuilder({true, big_endian})
                             .undefined(kPrivate, vr('U', 'N'))
                             .raw(items)
                             .raw(end)
                             .element(tags::kPatientId, kLo, "P1")
                             .bytes();
    const ScanPlan plan({kPrivate, tags::kPatientId});
    const HeaderScanner scanner = scan(plan, big_endian ? kBigEndian : kExplicit, octets, 5);
    ASSERT_EQ(scanner.state(), State::kDone) << scanner.error().to_string();
    EXPECT_EQ(text(scanner, kPrivate), as_text(items));
    EXPECT_FALSE(scanner.find(kPrivate)->big_endian);
    EXPECT_EQ(text(scanner, tags::kPatientId), "P1");
  }
}

TEST(HeaderScanner, StepsOverEncapsulatedPixelDataInsideASequence) {
  const Bytes octets = DataSetBuilder()
                           .undefined({0x0009, 0x1010}, kSq)
                           .item()
                           .undefined({0x7fe0, 0x0010}, vr('O', 'B'))
                           .item(0)
                           .item(8)
                           .end_sequence()  // eight octets of a fragment that look like an end
                           .end_sequence()
                           .end_item()
                           .end_sequence()
                           .element(tags::kPatientId, kLo, "P1")
                           .bytes();
  const ScanPlan plan({tags::kPatientId});
  const HeaderScanner scanner = scan(plan, kExplicit, octets);
  EXPECT_EQ(text(scanner, tags::kPatientId), "P1") << scanner.error().to_string();
}

TEST(HeaderScanner, GivesUnknownVrsOfTwoLettersALongLengthAndOthersAShortOne) {
  for (const Vr odd : {vr('Z', 'Z'), vr('U', 'V'), vr('?', '?'), vr('\0', '\0'), vr('-', 'a')}) {
    const Bytes octets = DataSetBuilder()
                             .element({0x0009, 0x1010}, odd, "unknown ")
                             .element(tags::kPatientId, kLo, "P1")
                             .bytes();
    EXPECT_EQ(octets.size(), (has_short_length(odd) ? 16U : 20U) + 10U);
    const ScanPlan plan({tags::kPatientId});
    EXPECT_EQ(text(scan(plan, kExplicit, octets), tags::kPatientId), "P1");
  }
  EXPECT_TRUE(has_short_length(vr('?', '?')));
  EXPECT_FALSE(has_short_length(vr('Z', 'Z')));
}

TEST(HeaderScanner, TakesAnUnknownTransferSyntaxAsExplicitLittleEndian) {
  const Bytes octets = DataSetBuilder().element(tags::kPatientId, kLo, "P1").bytes();
  const ScanPlan plan({tags::kPatientId});
  EXPECT_EQ(text(scan(plan, uid_literal("1.2.3"), octets), tags::kPatientId), "P1");
  EXPECT_EQ(text(scan(plan, Uid{}, octets), tags::kPatientId), "P1");
}

TEST(HeaderScanner, KeepsTheHeadOfALongValueAndSaysSo) {
  const Bytes longer(65'537, std::byte{'x'});
  const Bytes octets = DataSetBuilder()
                           .element(kPrivate, vr('U', 'T'), longer)
                           .element(tags::kPatientId, kLo, "P1")
                           .bytes();
  const ScanPlan plan({kPrivate, tags::kPatientId});
  for (const std::size_t piece : {std::size_t{1000}, SIZE_MAX}) {
    const HeaderScanner scanner = scan(plan, kExplicit, octets, piece);
    EXPECT_EQ(text(scanner, kPrivate), std::string(65'536, 'x'));
    EXPECT_TRUE(scanner.find(kPrivate)->truncated);
    EXPECT_EQ(text(scanner, tags::kPatientId), "P1");
    EXPECT_FALSE(scanner.find(tags::kPatientId)->truncated);
  }
}

TEST(HeaderScanner, KeepsAtMostOneMebibyteOfValues) {
  const Bytes full(65'536, std::byte{'x'});
  std::vector<Tag> wanted;
  DataSetBuilder set;
  for (std::uint16_t i = 0; i < 20; ++i) {
    wanted.push_back({0x0009, static_cast<std::uint16_t>(0x1000 + i)});
    set.element(wanted.back(), vr('U', 'T'), full);
  }
  const ScanPlan plan(wanted);
  const HeaderScanner scanner = scan(plan, kExplicit, set.bytes());
  ASSERT_EQ(scanner.state(), State::kDone);
  std::size_t kept = 0;
  std::size_t truncated = 0;
  for (const Tag tag : wanted) {
    kept += scanner.find(tag)->value.size();
    truncated += scanner.find(tag)->truncated ? 1 : 0;
  }
  EXPECT_EQ(kept, 1024U * 1024U);
  EXPECT_EQ(truncated, 4U);
}

TEST(HeaderScanner, RefusesSequencesNestedDeeperThan32) {
  for (const std::size_t depth : {32U, 33U}) {
    DataSetBuilder set;
    for (std::size_t i = 0; i < depth; ++i) set.undefined(kSequence, kSq).item();
    for (std::size_t i = 0; i < depth; ++i) set.end_item().end_sequence();
    set.element(tags::kPatientId, kLo, "P1");
    const ScanPlan plan({tags::kPatientId});
    const HeaderScanner scanner = scan(plan, kExplicit, set.bytes());
    EXPECT_EQ(scanner.state(), depth == 32 ? State::kDone : State::kFailed);
    EXPECT_EQ(scanner.error().detail.empty(), depth == 32);
  }
}

TEST(HeaderScanner, NamesTagAndOffsetOfADefectAndNoValue) {
  const Bytes octets = DataSetBuilder()
                           .element(tags::kModality, vr('C', 'S'), "CT")
                           .undefined(kSequence, kSq)
                           .element({0x0010, 0x0010}, vr('P', 'N'), "SECRET")
                           .bytes();
  const ScanPlan plan({tags::kPatientId});
  const HeaderScanner scanner = scan(plan, kExplicit, octets);
  ASSERT_EQ(scanner.state(), State::kFailed);
  EXPECT_EQ(scanner.error().detail,
            "(0010,0010) at offset 22: not an item, inside a sequence of undefined length");
}

struct Defect {
  const char* name;
  Bytes octets;
};
class Refuses : public testing::TestWithParam<Defect> {};
INSTANTIATE_TEST_SUITE_P(
    HeaderScanner, Refuses,
    testing::Values(Defect{"AnItemAtTopLevel", DataSetBuilder().item(0).bytes()},
                    Defect{"ADelimiterAtTopLevel", DataSetBuilder().end_sequence().bytes()},
                    Defect{
                        "ASequenceEndInsideAnItem",
                        DataSetBuilder().undefined(kSequence, kSq).item().end_sequence().bytes()},
                    Defect{"AnItemEndInsideASequence",
                           DataSetBuilder().undefined(kSequence, kSq).end_item().bytes()},
                    Defect{"AFragmentOfUndefinedLength",
                           DataSetBuilder().undefined(kPrivate, vr('O', 'B')).item().bytes()},
                    Defect{"TextOfUndefinedLength",
                           DataSetBuilder().undefined(kPrivate, vr('U', 'T')).bytes()}),
    [](const auto& each) { return each.param.name; });

TEST_P(Refuses, AsMalformed) {
  HeaderScanner scanner(kPlan, kExplicit);
  EXPECT_EQ(scanner.feed(GetParam().octets), State::kFailed);
  EXPECT_EQ(scanner.error().code, Errc::kMalformed);
}

TEST(HeaderScanner, FailsAtANestedSequenceThatIsNeverClosed) {
  const Bytes octets = DataSetBuilder().undefined(kSequence, kSq).item().end_item().bytes();
  EXPECT_EQ(scan(kPlan, kExplicit, octets).state(), State::kFailed);
}

TEST(HeaderScanner, StopsInflatingAtItsCeilings) {
  // One private element of 15 MiB of noise-free text before the planned tag: a ratio of 1000.
  const Bytes bomb(15 * 1024 * 1024, std::byte{0});
  const ScanPlan plan({tags::kPatientId});
  const Bytes dense = DataSetBuilder().element(kPrivate, vr('O', 'B'), bomb).bytes();
  const HeaderScanner by_ratio = scan(plan, kDeflated, deflate_raw(dense));
  EXPECT_EQ(by_ratio.state(), State::kFailed);
  EXPECT_EQ(by_ratio.error().code, Errc::kTooLong);

  Bytes noise(17 * 1024 * 1024);
  std::uint32_t x = 1;
  for (auto& octet : noise) octet = static_cast<std::byte>((x = x * 1664525 + 1013904223) >> 24);
  const Bytes large = DataSetBuilder().element(kPrivate, vr('O', 'B'), noise).bytes();
  const HeaderScanner by_size = scan(plan, kDeflated, deflate_raw(large), 100'000);
  EXPECT_EQ(by_size.state(), State::kFailed);
  EXPECT_EQ(by_size.error().code, Errc::kTooLong);
}

TEST(HeaderScanner, RefusesADeflatedDataSetThatIsNone) {
  const ScanPlan plan({tags::kPatientId});
  const Bytes noise(100, std::byte{0xff});
  const HeaderScanner scanner = scan(plan, kDeflated, noise);
  EXPECT_EQ(scanner.state(), State::kFailed);
  EXPECT_EQ(scanner.error().code, Errc::kMalformed);
}

TEST(HeaderScanner, IgnoresPaddingBehindADeflatedStream) {
  Bytes octets = deflate_raw(DataSetBuilder().element(tags::kModality, vr('C', 'S'), "CT").bytes());
  octets.push_back(std::byte{0});
  const ScanPlan plan({tags::kModality, tags::kPatientId});
  const HeaderScanner scanner = scan(plan, kDeflated, octets);
  EXPECT_EQ(scanner.state(), State::kDone);
  EXPECT_EQ(text(scanner, tags::kModality), "CT");
}

TEST(HeaderScanner, MovesWithItsValues) {
  const Bytes octets = ordinary(kExplicitLittleEndian).bytes();
  HeaderScanner first(kPlan, kExplicit);
  first.feed(ByteSpan(octets).first(40));
  HeaderScanner second = std::move(first);
  second.feed(ByteSpan(octets).subspan(40));
  EXPECT_EQ(text(second, tags::kSopClassUid), std::string("1.2.3\0", 6));
  EXPECT_EQ(text(second, tags::kSeriesInstanceUid), "1.2.840.1");
}

TEST(TransferSyntax, KnowsTheEncodings) {
  EXPECT_FALSE(transfer_syntax(kImplicit).encoding.explicit_vr);
  EXPECT_TRUE(transfer_syntax(kBigEndian).encoding.big_endian);
  EXPECT_TRUE(transfer_syntax(kDeflated).deflated);
  EXPECT_TRUE(transfer_syntax(uid_literal("1.2.840.10008.1.2.4.90")).encapsulated);
  EXPECT_FALSE(transfer_syntax(uid_literal("1.2.3")).known());
  EXPECT_TRUE(transfer_syntax(uid_literal("1.2.3")).encoding.explicit_vr);
}

}  // namespace
}  // namespace dr::encoding
