#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>

#include <dcmtk/dcmdata/dcistrmb.h>
#include <dcmtk/dcmdata/dcspchrs.h>
#include <dcmtk/dcmdata/dctk.h>
#include <dcmtk/oflog/oflog.h>
#include <gtest/gtest.h>

#include "dimse/encoding/element_header.h"
#include "dimse/encoding/header_scanner.h"
#include "dimse/encoding/text.h"
#include "dimse/encoding/transfer_syntax.h"
#include "test/dimse/encoding/data_set_builder.h"
#include "test/dimse/encoding/split_scan.h"

namespace dr::encoding {
namespace {

namespace fs = std::filesystem;
using State = HeaderScanner::State;

const fs::path kShared = fs::path(DR_SOURCE_DIR) / "../shared/data";
constexpr std::uint32_t kSeed = 20240607;

Bytes contents(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  const std::string text(std::istreambuf_iterator<char>(in), {});
  const ByteSpan bytes = as_bytes(text);
  return {bytes.begin(), bytes.end()};
}

std::vector<fs::path> files_below(const fs::path& folder) {
  std::vector<fs::path> files;
  if (!fs::exists(folder)) return files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    const auto extension = entry.path().extension();
    if (entry.is_regular_file() && extension != ".gz" && extension != ".tsv") {
      files.push_back(entry.path());
    }
  }
  std::ranges::sort(files);
  return files;
}

/// Behind preamble and group 0002, if they are there.
ByteSpan data_set_of(ByteSpan file) {
  const bool part10 = file.size() > 132 && as_text(file).substr(128, 4) == "DICM";
  ByteSpan rest = part10 ? file.subspan(132) : file;
  while (true) {
    const auto header = decode_element_header(rest, kExplicitLittleEndian);
    if (!header || header->tag.group != 2) return rest;
    rest = rest.subspan(std::min<std::size_t>(rest.size(), header->size + header->length));
  }
}

/// One file as DCMTK reads it.
struct Reference {
  DcmFileFormat file;
  E_TransferSyntax xfer = EXS_Unknown;
  Uid syntax;

  bool load(const fs::path& path) {
    OFLog::configure(OFLogger::FATAL_LOG_LEVEL);  // its warnings are not what is tested
    if (file.loadFile(path.c_str()).bad()) return false;
    xfer = file.getDataset()->getOriginalXfer();
    syntax = uid_literal(DcmXfer(xfer).getXferID());
    return true;
  }
  /// Top-level elements before pixel data.
  std::vector<DcmElement*> elements() {
    std::vector<DcmElement*> found;
    DcmDataset& set = *file.getDataset();
    for (unsigned long i = 0; i < set.card(); ++i) {
      if (set.getElement(i)->getGTag() < 0x7fe0) found.push_back(set.getElement(i));
    }
    return found;
  }
};

Tag tag_of(DcmElement& element) { return {element.getGTag(), element.getETag()}; }

Bytes value_octets(DcmElement& element, E_TransferSyntax xfer) {
  Bytes value(element.getLengthField());
  const auto read = element.getPartialValue(value.data(), 0, static_cast<Uint32>(value.size()),
                                            nullptr, DcmXfer(xfer).getByteOrder());
  EXPECT_TRUE(value.empty() || read.good()) << read.text();
  return value;
}

/// The items that the scan brought, in a data set of their own, as DCMTK reads them.
bool same_items(DcmElement& element, const ScannedElement& scanned, E_TransferSyntax xfer) {
  const bool un = scanned.vr == vr('U', 'N');
  const DcmXfer syntax(xfer);
  const bool big_endian = syntax.getByteOrder() == EBO_BigEndian;
  DataSetBuilder alone({syntax.isExplicitVR() != OFFalse, big_endian});
  alone.undefined(scanned.tag, scanned.vr).raw(scanned.value);
  alone.raw((un ? DataSetBuilder(kImplicitLittleEndian) : DataSetBuilder({true, big_endian}))
                .end_sequence()
                .bytes());
  DcmInputBufferStream stream;
  stream.setBuffer(alone.bytes().data(), static_cast<offile_off_t>(alone.size()));
  stream.setEos();
  DcmDataset set;
  const E_TransferSyntax plain =
      xfer == EXS_DeflatedLittleEndianExplicit ? EXS_LittleEndianExplicit : xfer;
  set.transferInit();
  const auto read = set.read(stream, plain);
  set.transferEnd();
  DcmElement* again = nullptr;
  if (read.bad() || set.findAndGetElement(element.getTag(), again).bad()) return false;
  return again->compare(element) == 0;
}

/// Every element of one file that the scan may bring, against DCMTK. Octets of values compared.
std::size_t compare_with_dcmtk(Reference& reference, const HeaderScanner& scanner) {
  std::size_t compared = 0;
  for (DcmElement* element : reference.elements()) {
    const Tag tag = tag_of(*element);
    const ScannedElement* scanned = scanner.find(tag);
    if (!scanned) {
      ADD_FAILURE() << tag.to_string() << " is missing";
      continue;
    }
    if (scanned->truncated) continue;
    if (element->ident() == EVR_SQ) {
      EXPECT_TRUE(same_items(*element, *scanned, reference.xfer)) << tag.to_string();
    } else {
      std::string theirs(as_text(value_octets(*element, reference.xfer)));
      // DCMTK has already used private creators, and replaced their padding by a NUL.
      const bool creator = tag.group % 2 != 0 && tag.element >= 0x10 && tag.element < 0x100;
      if (creator && theirs.ends_with('\0')) theirs.back() = ' ';
      EXPECT_EQ(as_text(scanned->value), theirs) << tag.to_string();
    }
    compared += scanned->value.size() + 1;
  }
  return compared;
}

TEST(HeaderScannerDifferential, AgreesWithDcmtkOnEveryElementOfEveryObject) {
  auto files = files_below(kShared / "objects");
  std::ranges::copy(files_below(kShared / "rtstruct"), std::back_inserter(files));
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

// Where DCMTK can convert at all (not the Japanese double-octet sets), it agrees.
TEST(TextDifferential, AgreesWithDcmtkOnThePatientNamesOfEveryObject) {
  const auto files = files_below(kShared / "objects");
  if (files.empty()) GTEST_SKIP() << "left out: shared data is not here";
  std::size_t compared = 0;
  for (const fs::path& path : files) {
    Reference reference;
    ASSERT_TRUE(reference.load(path));
    DcmDataset& set = *reference.file.getDataset();
    OFString characters;
    (void)set.findAndGetOFStringArray(DCM_SpecificCharacterSet, characters);
    OFString name;
    if (set.findAndGetOFString(DCM_PatientName, name).bad() || name.empty()) continue;
    const TextDecoder decoder(as_bytes({characters.c_str(), characters.size()}));
    const auto ours = decoder.values(as_bytes({name.c_str(), name.size()}), vr('P', 'N'));
    DcmSpecificCharacterSet converter;
    OFString theirs;
    if (converter.selectCharacterSet(set).bad() ||
        converter.convertString(name, theirs, "^=").bad()) {
      continue;
    }
    ++compared;
    ASSERT_EQ(ours.size(), 1U) << path;
    EXPECT_EQ(ours.front(), trim_padding({theirs.c_str(), theirs.size()})) << path;
  }
  EXPECT_GT(compared, 100U);
}

}  // namespace
}  // namespace dr::encoding
