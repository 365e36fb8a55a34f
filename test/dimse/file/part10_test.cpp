#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>
#include <unistd.h>

#include "dimse/file/part10_reader.h"
#include "dimse/file/part10_writer.h"
#include "test/support/paths.h"

namespace dr::file {
namespace {

namespace fs = std::filesystem;

const Uid kCt = uid_literal("1.2.840.10008.5.1.4.1.1.2");
const Uid kInstance = uid_literal("1.2.3.4.5");
const Uid kExplicit = uid_literal("1.2.840.10008.1.2.1");
const Uid kDeflated = uid_literal("1.2.840.10008.1.2.1.99");

Bytes head(const Uid& syntax = kExplicit) {
  return part10_head(
      {kCt, kInstance, syntax, uid_literal("1.2.826.0.1"), "TEST_1", *AeTitle::parse("MODALITY")});
}

Bytes operator+(Bytes a, std::string_view b) {
  ByteWriter(a).text(b);
  return a;
}

Result<Part10Header> parse(const Bytes& octets) {
  return read_part10_header([&](std::uint64_t offset, MutableByteSpan into) -> Result<std::size_t> {
    const ByteSpan all(octets);
    const ByteSpan rest = all.subspan(std::min<std::size_t>(offset, all.size()));
    const std::size_t n = std::min(rest.size(), into.size());
    std::ranges::copy(rest.first(n), into.begin());
    return n;
  });
}

Bytes without_element(const Bytes& octets, std::uint16_t element) {
  Bytes out(octets.begin(), octets.begin() + 132);
  for (std::size_t at = 132; at + 8 <= octets.size();) {
    const auto tag = load_le<std::uint16_t>(octets.data() + at + 2);
    const bool ob = octets[at + 4] == std::byte{'O'};
    const std::size_t size = ob ? 12 + load_le<std::uint32_t>(octets.data() + at + 8)
                                : 8U + load_le<std::uint16_t>(octets.data() + at + 6);
    if (tag != element) ByteWriter(out).put(ByteSpan(octets).subspan(at, size));
    at += size;
  }
  return out;
}

TEST(Part10Writer, WritesTheHeadOfPs310) {
  const Bytes octets = head();
  EXPECT_TRUE(std::all_of(octets.begin(), octets.begin() + 128,
                          [](std::byte b) { return b == std::byte{0}; }));
  const std::string_view text = as_text(octets);
  EXPECT_EQ(text.substr(128, 4), "DICM");
  EXPECT_EQ(text.substr(132, 8), std::string_view("\x02\0\0\0UL\x04\0", 8));
  EXPECT_EQ(load_le<std::uint32_t>(octets.data() + 140), octets.size() - 144);
  EXPECT_EQ(text.substr(144, 14), std::string_view("\x02\0\x01\0OB\0\0\x02\0\0\0\0\x01", 14));
  EXPECT_NE(text.find(std::string_view("\x02\0\x02\0UI\x1a\0"
                                       "1.2.840.10008.5.1.4.1.1.2\0",
                                       8 + 26)),
            text.npos);
  EXPECT_NE(text.find(std::string_view("\x02\0\x16\0AE\x08\0MODALITY", 16)), text.npos);
  EXPECT_EQ(octets.size() % 2, 0U);
}

TEST(Part10Header, ReadsWhatTheWriterWrote) {
  const Bytes octets = head();
  const auto header = parse(octets + "data set");
  ASSERT_TRUE(header) << header.error().to_string();
  EXPECT_EQ(header->sop_class_uid, kCt);
  EXPECT_EQ(header->sop_instance_uid, kInstance);
  EXPECT_EQ(header->transfer_syntax_uid, kExplicit);
  EXPECT_EQ(header->data_set_offset, octets.size());
}

TEST(Part10Header, AcceptsAMissingGroupLengthAndAMissingPreamble) {
  const Bytes no_length = without_element(head(), 0x0000);
  const auto header = parse(no_length + "\x08\0data set");
  ASSERT_TRUE(header) << header.error().to_string();
  EXPECT_EQ(header->data_set_offset, no_length.size());
  const Bytes bare(no_length.begin() + 132, no_length.end());
  const auto same = parse(bare);
  ASSERT_TRUE(same) << same.error().to_string();
  EXPECT_EQ(same->sop_instance_uid, kInstance);
  EXPECT_EQ(same->data_set_offset, bare.size());
}

TEST(Part10Header, DoesNotTrustTheGroupLength) {
  for (const std::uint32_t wrong : {0U, 14U, 0x7fffffffU}) {
    Bytes octets = head();
    ByteWriter(octets).patch_le(140, wrong);
    const auto header = parse(octets + "\x08\0\x05\0CS\0\0");
    ASSERT_TRUE(header) << wrong;
    EXPECT_EQ(header->data_set_offset, octets.size());
  }
}

TEST(Part10Header, TakesTheGroupLengthBeforeADeflatedDataSetThatLooksLikeMeta) {
  const Bytes octets = head(kDeflated);
  const auto header = parse(octets + std::string_view("\x02\0\x10\0UI\x04\0", 8) + "1.2.");
  ASSERT_TRUE(header);
  EXPECT_EQ(header->data_set_offset, octets.size());
  EXPECT_EQ(header->transfer_syntax_uid, kDeflated);
}

TEST(Part10Header, TakesMissingUidsFromTheDataSet) {
  const Bytes meta = without_element(without_element(head(), 0x0002), 0x0003);
  const std::string data_set(
      "\x08\0\x16\0UI\x06\0"
      "1.2.9\0"
      "\x08\0\x18\0UI\x06\0"
      "1.2.10",
      28);
  const auto header = parse(meta + data_set);
  ASSERT_TRUE(header) << header.error().to_string();
  EXPECT_EQ(header->sop_class_uid, "1.2.9");
  EXPECT_EQ(header->sop_instance_uid, "1.2.10");
  EXPECT_EQ(header->data_set_offset, meta.size());
  EXPECT_EQ(parse(meta).error().code, Errc::kMalformed);
}

TEST(Part10Header, TheDataSetsOwnUidsLead) {
  const std::string data_set(
      "\x08\0\x16\0UI\x06\0"
      "1.2.9\0"
      "\x08\0\x18\0UI\x06\0"
      "1.2.10",
      28);
  const auto header = parse(head() + data_set);
  ASSERT_TRUE(header) << header.error().to_string();
  EXPECT_EQ(header->sop_class_uid, "1.2.9");
  EXPECT_EQ(header->sop_instance_uid, "1.2.10");
}

TEST(Part10Header, RefusesUidsThatArePaths) {
  Part10Meta meta{kCt, kInstance, kExplicit, uid_literal("1.2"), "", {}};
  Bytes octets = part10_head(meta);
  const auto at = as_text(octets).find("1.2.3.4.5");
  std::ranges::copy(as_bytes("../../../"), octets.begin() + static_cast<std::ptrdiff_t>(at));
  EXPECT_EQ(parse(octets).error().code, Errc::kMalformed);
}

TEST(Part10Header, RefusesWhatHasNoMetaInformationOrNoTransferSyntax) {
  EXPECT_EQ(parse({}).error().code, Errc::kMalformed);
  EXPECT_EQ(parse(Bytes{} + "plain text, which is not DICOM").error().code, Errc::kUnsupported);
  const Bytes preamble(128, std::byte{0});
  EXPECT_EQ(parse(preamble + "DICM").error().code, Errc::kUnsupported);
  EXPECT_EQ(parse(preamble + "DICM" + std::string_view("\x08\0\x05\0CS\x02\0  ", 10)).error().code,
            Errc::kUnsupported);
  EXPECT_EQ(parse(without_element(head(), 0x0010)).error().code, Errc::kMalformed);
}

TEST(Part10Header, EndsInAnErrorWhereverTheMetaInformationIsCut) {
  const Bytes octets = without_element(head(), 0x0016);
  const auto syntax_end = as_text(octets).find("1.2.840.10008.1.2.1") + 20;
  for (std::size_t n = 0; n < syntax_end; ++n) {
    EXPECT_FALSE(parse(Bytes(octets.begin(), octets.begin() + static_cast<std::ptrdiff_t>(n))))
        << n;
  }
}

TEST(Part10Header, RefusesMetaInformationAboveItsCeilingWithoutReadingIt) {
  Bytes octets = without_element(head(), 0x0010);
  octets = octets + std::string_view("\x02\0\x02\x01OB\0\0\0\0\0\x40", 12);
  EXPECT_EQ(parse(octets).error().code, Errc::kTooLong);
}

/// A file in the temporary folder that goes with the test.
class TemporaryFile {
 public:
  explicit TemporaryFile(const Bytes& octets)
      : path_(fs::temp_directory_path() / ("part10_test." + std::to_string(::getpid()))) {
    write(octets);
  }
  ~TemporaryFile() { fs::remove(path_); }
  void write(const Bytes& octets) { std::ofstream(path_, std::ios::binary) << as_text(octets); }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

TEST(Part10Reader, GivesTheDataSetAsItLiesThere) {
  const TemporaryFile file(head() + "0123456789");
  auto reader = Part10Reader::open(file.path());
  ASSERT_TRUE(reader) << reader.error().to_string();
  EXPECT_EQ(reader->data_set_length(), 10U);
  const Part10Reader moved = std::move(*reader);
  Bytes piece(4);
  std::string all;
  for (std::uint64_t at = 0;; at += 4) {
    const auto n = moved.read(at, piece);
    ASSERT_TRUE(n);
    if (*n == 0) break;
    all += as_text(ByteSpan(piece).first(*n));
  }
  EXPECT_EQ(all, "0123456789");
}

TEST(Part10Reader, NoticesThatTheFileHasShrunk) {
  TemporaryFile file(head() + "0123456789");
  const auto reader = Part10Reader::open(file.path());
  ASSERT_TRUE(reader);
  file.write(head() + "0123");
  Bytes piece(10);
  EXPECT_EQ(reader->read(0, piece).error().code, Errc::kCorrupt);
}

TEST(Part10Reader, OpensOnlyRegularFiles) {
  EXPECT_EQ(Part10Reader::open("/nonexistent/file").error().code, Errc::kNotFound);
  EXPECT_EQ(Part10Reader::open(fs::temp_directory_path()).error().code, Errc::kInvalid);
  EXPECT_FALSE(Part10Reader::open("/dev/zero"));
}

const fs::path kShared = test::source_dir() / "../shared/data";

/// The columns of the manifest that matter here.
struct Row {
  std::string path, sop_class_uid, transfer_syntax_uid;
};
std::vector<Row> manifest() {
  std::vector<Row> rows;
  std::ifstream in(kShared / "MANIFEST.tsv");
  std::string line;
  std::getline(in, line);
  while (std::getline(in, line)) {
    std::istringstream fields(line);
    std::vector<std::string> field(7);
    for (auto& each : field) std::getline(fields, each, '\t');
    rows.push_back({field[0], field[5], field[6]});
  }
  return rows;
}

TEST(Part10SharedData, AgreesWithTheManifestOnEveryObject) {
  const auto rows = manifest();
  if (rows.empty()) GTEST_SKIP() << "left out: shared data is not here";
  std::size_t seen = 0;
  for (const Row& row : rows) {
    const bool object = row.path.starts_with("objects/") || row.path.starts_with("rtstruct/");
    // Without a SOP class or a transfer syntax nothing can be sent: those are refused.
    if (!object || row.transfer_syntax_uid.empty() || row.sop_class_uid.empty()) continue;
    ++seen;
    const auto reader = Part10Reader::open(kShared / row.path);
    ASSERT_TRUE(reader) << row.path << ": " << reader.error().to_string();
    EXPECT_EQ(reader->header().transfer_syntax_uid, row.transfer_syntax_uid) << row.path;
    EXPECT_EQ(reader->header().sop_class_uid, row.sop_class_uid) << row.path;
    EXPECT_GT(reader->data_set_length(), 0U) << row.path;
  }
  EXPECT_GT(seen, 500U);
}

TEST(Part10SharedData, DecidesOnEveryBadFile) {
  const fs::path bad = kShared / "bad";
  if (!fs::exists(bad)) GTEST_SKIP() << "left out: shared data is not here";
  const auto opens = [&](const char* name) { return Part10Reader::open(bad / name).ok(); };
  for (const char* name :
       {"no-meta-length.dcm", "no_meta_group_length.dcm", "derived/meta_group_length_too_big.dcm",
        "CTImageStorage_bad_meta.dcm", "derived/mz_preamble_polyglot.dcm", "badVR.dcm",
        "empty_uids_ct_j2k_1.dcm", "derived/unknown_transfer_syntax.dcm",
        "derived/uid_missing.dcm"}) {
    EXPECT_TRUE(opens(name)) << name;
  }
  for (const char* name :
       {"no_meta.dcm", "GH340_no_preamble.dcm", "ExplVR_LitEndNoMeta.dcm",
        "ExplVR_BigEndNoMeta.dcm", "git-lfs-pointer.dcm", "no_preamble_dicm_in_data.dcm",
        "meta_missing_tsyntax.dcm", "derived/empty_file.dcm", "derived/plain_text.dcm",
        "derived/preamble_only.dcm", "derived/truncated_in_meta.dcm",
        "derived/uid_path_traversal.dcm", "derived/uid_too_long.dcm"}) {
    EXPECT_FALSE(opens(name)) << name;
  }
}

}  // namespace
}  // namespace dr::file
