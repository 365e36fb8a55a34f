#include <random>

#include <dcmtk/dcmdata/dcspchrs.h>

#include "dimse/encoding/text.h"
#include "dimse/encoding/transfer_syntax.h"
#include "test/dimse/encoding/dcmtk_reference.h"
#include "test/dimse/encoding/split_scan.h"
#include "test/support/temp_dir.h"

namespace dr::encoding {
namespace {

using State = HeaderScanner::State;

constexpr std::uint32_t kSeed = 20240607;

/// All shared objects that are sound.
std::vector<fs::path> shared_objects() {
  auto files = files_below(kShared / "objects");
  std::ranges::copy(files_below(kShared / "rtstruct"), std::back_inserter(files));
  return files;
}

TEST(HeaderScannerDifferential, AgreesWithDcmtkOnEveryElementOfEveryObject) {
  const auto files = shared_objects();
  if (files.empty()) GTEST_SKIP() << "left out: shared data is not here";
  std::mt19937 random(kSeed);
  std::size_t compared = 0;
  for (const fs::path& path : files) {
    SCOPED_TRACE(path.string() + ", seed " + std::to_string(kSeed));
    Reference reference;
    ASSERT_TRUE(reference.load(path));
    std::vector<Tag> wanted;
    for (DcmElement* element : reference.elements()) wanted.push_back(tag_of(*element));
    const ScanPlan plan(wanted);
    const Bytes file = contents(path);
    const ByteSpan set = data_set_of(file);
    const auto whole = scan_in_pieces(plan, reference.syntax, set, [] { return SIZE_MAX; });
    ASSERT_EQ(whole.state(), State::kDone) << whole.error().to_string();
    compared += compare_with_dcmtk(reference, whole);
    const auto octetwise = scan_in_pieces(plan, reference.syntax, set, [] { return 1; });
    EXPECT_EQ(difference(plan, whole, octetwise), std::nullopt);
    const auto pieces = scan_in_pieces(plan, reference.syntax, set,
                                       [&] { return 1 + random() % (1U << random() % 16); });
    EXPECT_EQ(difference(plan, whole, pieces), std::nullopt);
  }
  EXPECT_GT(compared, 1'000'000U);
}

TEST(HeaderScannerDifferential, EndsQuicklyAndWithinBoundsOnEveryBadFile) {
  const auto files = files_below(kShared / "bad");
  if (files.empty()) GTEST_SKIP() << "left out: shared data is not here";
  std::vector<Tag> wanted;
  for (std::uint32_t i = 0; i < 4000; ++i) {
    wanted.push_back({static_cast<std::uint16_t>(8 + i % 64), static_cast<std::uint16_t>(i)});
  }
  const ScanPlan plan(wanted);
  for (const fs::path& path : files) {
    const Bytes file = contents(path);
    for (const char* syntax : {"1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2",
                               "1.2.840.10008.1.2.1.99"}) {
      for (const ByteSpan octets : {data_set_of(file), ByteSpan(file)}) {
        const auto whole =
            scan_in_pieces(plan, uid_literal(syntax), octets, [] { return SIZE_MAX; });
        EXPECT_NE(whole.state(), State::kMore) << path;
        std::size_t kept = 0;
        for (const Tag tag : wanted) {
          const ScannedElement* element = whole.find(tag);
          if (element) kept += element->value.size();
        }
        EXPECT_LE(kept, 1024U * 1024U);
        const auto pieces = scan_in_pieces(plan, uid_literal(syntax), octets, [] { return 7; });
        EXPECT_EQ(difference(plan, whole, pieces), std::nullopt) << path;
      }
    }
  }
}

/// Sequences of all kinds between a few values.
Bytes sample(Encoding encoding) {
  const Tag sequence{0x0008, 0x1140};
  return DataSetBuilder(encoding)
      .element(tags::kSopClassUid, vr('U', 'I'), "1.2.3.4.")
      .undefined(sequence, vr('S', 'Q'))
      .item()
      .undefined(sequence, vr('S', 'Q'))
      .item(4)
      .raw(as_bytes("item"))
      .end_sequence()
      .end_item()
      .end_sequence()
      .undefined({0x0009, 0x1001}, vr('O', 'B'))
      .item(6)
      .raw(as_bytes("pieces"))
      .end_sequence()
      .element(tags::kPatientId, vr('L', 'O'), "PATIENT ")
      .element({0x0018, 0x0010}, vr('U', 'N'), "unknown ")
      .element(tags::kSeriesInstanceUid, vr('U', 'I'), "1.2.840.")
      .bytes();
}

TEST(HeaderScannerDifferential, MutatedDataSetsScanAlikeWhateverThePieces) {
  std::mt19937 random(kSeed);
  const ScanPlan plan({tags::kSopClassUid, Tag{0x0008, 0x1140}, Tag{0x0009, 0x1001},
                       tags::kPatientId, tags::kSeriesInstanceUid});
  // Octets that mean something are likelier than others.
  const std::vector<std::uint8_t> telling = {0x00, 0xff, 0xfe, 0xe0, 0x0d, 0xdd, 'S',
                                             'Q',  'U',  'N',  'O',  'B',  0x08, 0x10};
  std::size_t failed = 0;
  for (int round = 0; round < 20'000; ++round) {
    const bool big_endian = round % 3 == 2;
    const Encoding encoding{round % 3 != 0, big_endian};
    const Uid syntax = uid_literal(round % 3 == 0 ? "1.2.840.10008.1.2"
                                   : big_endian   ? "1.2.840.10008.1.2.2"
                                                  : "1.2.840.10008.1.2.1");
    Bytes octets = sample(encoding);
    for (std::size_t n = 1 + random() % 4; n > 0; --n) {
      octets[random() % octets.size()] =
          static_cast<std::byte>(random() % 2 == 0 ? telling[random() % telling.size()] : random());
    }
    const auto whole = scan_in_pieces(plan, syntax, octets, [] { return SIZE_MAX; });
    const auto pieces = scan_in_pieces(plan, syntax, octets, [&] { return 1 + random() % 20; });
    ASSERT_EQ(difference(plan, whole, pieces), std::nullopt)
        << "seed " << kSeed << " round " << round;
    failed += whole.state() == State::kFailed ? 1 : 0;
  }
  EXPECT_GT(failed, 1000U);
  EXPECT_LT(failed, 19'000U);
}

/// The object without its pixel data, written by DCMTK in another transfer syntax.
Bytes rewritten(DcmFileFormat& file, E_TransferSyntax xfer, E_EncodingType lengths) {
  const test::TempDir folder;
  const auto path = folder / "object.dcm";
  const auto saved = file.saveFile(path.c_str(), xfer, lengths);
  EXPECT_TRUE(saved.good()) << saved.text();
  return contents(path);
}

TEST(HeaderScannerDifferential, AgreesInEveryEncodingOfEveryObject) {
  const auto files = shared_objects();
  if (files.empty()) GTEST_SKIP() << "left out: shared data is not here";
  std::size_t compared = 0;
  for (const fs::path& path : files) {
    DcmFileFormat original;
    ASSERT_TRUE(original.loadFile(path.c_str()).good());
    ASSERT_TRUE(original.loadAllDataIntoMemory().good());
    for (const unsigned element : {0x0008U, 0x0009U, 0x0010U}) {
      original.getDataset()->findAndDeleteElement(DcmTagKey(0x7fe0, static_cast<Uint16>(element)));
    }
    for (const E_TransferSyntax xfer : {EXS_LittleEndianImplicit, EXS_LittleEndianExplicit,
                                        EXS_BigEndianExplicit, EXS_DeflatedLittleEndianExplicit}) {
      for (const E_EncodingType lengths : {EET_ExplicitLength, EET_UndefinedLength}) {
        SCOPED_TRACE(path.string() + " as " + DcmXfer(xfer).getXferName() +
                     (lengths == EET_ExplicitLength ? ", lengths" : ", delimiters"));
        const Bytes file = rewritten(original, xfer, lengths);
        Reference reference;
        ASSERT_TRUE(reference.load(file));
        std::vector<Tag> wanted{{0x0009, 0x0001}};  // one that is not there
        for (DcmElement* element : reference.elements()) wanted.push_back(tag_of(*element));
        const ScanPlan plan(wanted);
        const auto scanner =
            scan_in_pieces(plan, reference.syntax, data_set_of(file), [] { return 1000; });
        ASSERT_EQ(scanner.state(), State::kDone) << scanner.error().to_string();
        EXPECT_EQ(scanner.find({0x0009, 0x0001}), nullptr);
        compared += compare_with_dcmtk(reference, scanner);
      }
    }
  }
  EXPECT_GT(compared, 10'000'000U);
}

TEST(TransferSyntaxDifferential, EncodingsAreThoseThatDcmtkKnows) {
  std::size_t known = 0;
  for (const TransferSyntax& row : transfer_syntaxes()) {
    const DcmXfer theirs(std::string(row.uid).c_str());
    if (theirs.getXfer() == EXS_Unknown) continue;  // younger than DCMTK, or private
    if (row.uid == "1.2.840.113619.5.2") continue;  // whose big endian is the pixels' only
    ++known;
    EXPECT_EQ(row.encoding.explicit_vr, theirs.isExplicitVR() != OFFalse) << row.name;
    EXPECT_EQ(row.encoding.big_endian, theirs.getByteOrder() == EBO_BigEndian) << row.name;
    EXPECT_EQ(row.deflated, theirs.getStreamCompression() != ESC_none) << row.name;
  }
  EXPECT_GT(known, 20U);
}

}  // namespace
}  // namespace dr::encoding
