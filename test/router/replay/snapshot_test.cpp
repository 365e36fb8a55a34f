// What is kept of an object's head: everything that rules may ask about, and of the patient no more
// than was chosen.
#include "router/replay/snapshot.h"

#include <algorithm>
#include <filesystem>

#include <gtest/gtest.h>

#include "dimse/encoding/header_scanner.h"
#include "dimse/encoding/text.h"
#include "dimse/file/part10_reader.h"
#include "test/dimse/encoding/data_set_builder.h"
#include "test/support/dicom_objects.h"

namespace dr::replay {
namespace {

using encoding::DataSetBuilder;
using encoding::HeaderScanner;
using encoding::ScanPlan;
using encoding::Tag;
using encoding::vr;

constexpr Tag kName{0x0010, 0x0010};
constexpr Tag kRequest{0x0040, 0x0275};
const Uid kExplicit = uid_literal("1.2.840.10008.1.2.1");
const Uid kImplicit = uid_literal("1.2.840.10008.1.2");
const Uid kBigEndian = uid_literal("1.2.840.10008.1.2.2");

Uid plain_syntax(const Header& header) {
  return header.explicit_vr ? header.big_endian ? kBigEndian : kExplicit : kImplicit;
}

std::optional<std::string> value_of(ByteSpan data_set, const Uid& syntax, Tag tag) {
  const ScanPlan plan({tag});
  HeaderScanner scanner(plan, syntax);
  scanner.feed(data_set);
  scanner.finish();
  const auto* found = scanner.find(tag);
  if (found == nullptr) return std::nullopt;
  return std::string(trim_padding(as_text(found->value)));
}
std::optional<std::string> value_of(const Header& header, Tag tag) {
  return value_of(header.octets, plain_syntax(header), tag);
}

TEST(Snapshot, KeepsEveryElementBeforeThePixelDataInAnyEncoding) {
  for (const auto& [encoding, syntax] : {std::pair{encoding::kExplicitLittleEndian, kExplicit},
                                         std::pair{encoding::kImplicitLittleEndian, kImplicit},
                                         std::pair{encoding::Encoding{true, true}, kBigEndian}}) {
    DataSetBuilder set(encoding);
    set.element({0x0008, 0x0060}, vr('C', 'S'), "CT");
    set.element(kName, vr('P', 'N'), "Test^Object ");
    set.undefined(kRequest, vr('S', 'Q')).item();
    set.element({0x0040, 0x0007}, vr('L', 'O'), "Thorax");
    set.end_item().end_sequence();
    set.element({0x7fe0, 0x0010}, vr('O', 'W'), std::string(100'000, 'x'));
    const Header header =
        cut_header(ByteSpan(set.bytes()).first(65'536), syntax, false, Keep::kFull, nullptr);
    EXPECT_EQ(value_of(header, {0x0008, 0x0060}), "CT");
    EXPECT_EQ(value_of(header, kName), "Test^Object");
    const auto items = value_of(header, kRequest);
    ASSERT_TRUE(items);
    EXPECT_NE(items->find("Thorax"), std::string::npos);
    EXPECT_TRUE(header.missing.empty());
    EXPECT_FALSE(header.cut) << "what lies behind is pixel data";
    EXPECT_LT(header.octets.size(), 200U);
  }
}

TEST(Snapshot, SaysWhatWasTooLongAndWhereItEnds) {
  DataSetBuilder set;
  set.element({0x0008, 0x0060}, vr('C', 'S'), "CT");
  set.element({0x0008, 0x103e}, vr('L', 'O'), std::string(5000, 'x'));
  set.element({0x0020, 0x4000}, vr('L', 'T'), "kept");
  set.element({0x3006, 0x0039}, vr('S', 'Q'), std::string(70'000, '\0'));
  set.element({0x300e, 0x0002}, vr('C', 'S'), "APPROVED");
  const Header header =
      cut_header(ByteSpan(set.bytes()).first(65'536), kExplicit, false, Keep::kFull, nullptr);
  EXPECT_EQ(value_of(header, {0x0020, 0x4000}), "kept");
  EXPECT_EQ(header.missing, (std::vector<Tag>{{0x0008, 0x103e}}));
  EXPECT_EQ(header.cut, (Tag{0x3006, 0x0039}));
}

TEST(Snapshot, AHeadThatEndsBetweenTwoElementsIsCutThere) {
  DataSetBuilder set;
  set.element({0x0008, 0x0060}, vr('C', 'S'), "CT");
  const std::size_t head = set.size();
  set.element({0x0008, 0x0070}, vr('L', 'O'), "ACME");
  const auto cut = [&](std::size_t octets, bool whole) {
    return cut_header(ByteSpan(set.bytes()).first(octets), kExplicit, whole, Keep::kFull, nullptr)
        .cut;
  };
  EXPECT_EQ(cut(head, false), (Tag{0x0008, 0x0061}));
  EXPECT_EQ(cut(head + 4, false), (Tag{0x0008, 0x0061}));
  EXPECT_EQ(cut(head + 9, false), (Tag{0x0008, 0x0070}));
  EXPECT_EQ(cut(set.size(), true), std::nullopt);
}

TEST(Snapshot, PatientDataAreHashedOrLeftOutInsideOfSequencesToo) {
  DataSetBuilder set;
  set.element({0x0008, 0x0060}, vr('C', 'S'), "CT");
  set.element(kName, vr('P', 'N'), "Secret^Name ");
  set.element({0x0010, 0x1030}, vr('D', 'S'), "SECRETWEIGHT");
  set.element({0x0019, 0x0010}, vr('L', 'O'), "VENDOR");
  set.element({0x0019, 0x1001}, vr('L', 'O'), "SecretPrivate ");
  set.undefined(kRequest, vr('S', 'Q')).item();
  set.element({0x0040, 0x0006}, vr('P', 'N'), "Secret^Physician");
  set.element({0x0040, 0x0007}, vr('L', 'O'), "Thorax");
  set.end_item().end_sequence();
  const ValueHash hash("a key");
  for (const Keep keep : {Keep::kNone, Keep::kKeyedHash}) {
    const Header header = cut_header(set.bytes(), kExplicit, true, keep, &hash);
    const std::string text(as_text(header.octets));
    EXPECT_EQ(text.find("Secret"), std::string::npos);
    EXPECT_EQ(text.find("SECRET"), std::string::npos);
    EXPECT_NE(text.find("Thorax"), std::string::npos);
    EXPECT_NE(text.find("VENDOR"), std::string::npos) << "whose private elements they were";
    EXPECT_EQ(value_of(header, {0x0008, 0x0060}), "CT");
  }
  const Header hashed = cut_header(set.bytes(), kExplicit, true, Keep::kKeyedHash, &hash);
  EXPECT_EQ(value_of(hashed, kName), hash.of("Secret^Name"));
  EXPECT_NE(ValueHash("another key").of("Secret^Name"), hash.of("Secret^Name"));
  EXPECT_EQ(hashed.missing, (std::vector<Tag>{{0x0010, 0x1030}, {0x0019, 0x1001}}));
  const Header none = cut_header(set.bytes(), kExplicit, true, Keep::kNone, nullptr);
  EXPECT_EQ(value_of(none, kName), std::nullopt);
  EXPECT_EQ(none.missing, (std::vector<Tag>{kName, {0x0010, 0x1030}, {0x0019, 0x1001}, kRequest}));
}

TEST(Snapshot, HashesOfKnownValuesAreTakenBack) {
  DataSetBuilder set;
  set.element({0x0010, 0x0020}, vr('L', 'O'), "ID-1");
  set.element({0x0010, 0x1000}, vr('L', 'O'), "A\\ID-1\\B");
  const ValueHash hash("a key");
  const Header header = cut_header(set.bytes(), kExplicit, true, Keep::kKeyedHash, &hash);
  const Bytes restored = restore(header, {{hash.of("ID-1"), "ID-1"}});
  EXPECT_EQ(value_of(restored, kExplicit, {0x0010, 0x0020}), "ID-1");
  EXPECT_EQ(value_of(restored, kExplicit, {0x0010, 0x1000}),
            hash.of("A") + "\\ID-1\\" + hash.of("B"));
}

TEST(Snapshot, AnyOctetsAreTakenWithoutComplaint) {
  Bytes octets = test::make_data_set({});
  for (std::size_t length = 0; length < 600; ++length) {
    const Header header =
        cut_header(ByteSpan(octets).first(length), kExplicit, false, Keep::kFull, nullptr);
    EXPECT_LE(header.octets.size(), length + 1);
  }
  for (std::size_t at = 0; at < 600; ++at) {
    Bytes broken = octets;
    broken[at] ^= std::byte{0xff};
    cut_header(broken, kExplicit, true, Keep::kNone, nullptr);
    cut_header(broken, kImplicit, true, Keep::kFull, nullptr);
  }
}

/// Every real object: what a scan of the whole finds, one of the snapshot finds as well; and what
/// names the patient is not in it.
TEST(Snapshot, AgreesWithRealObjectsAndNamesNobody) {
  const auto root = test::shared_data("snapshots of real objects");
  if (!root) return;
  const std::vector<Tag> tags = {
      {0x0008, 0x0005}, {0x0008, 0x0016}, {0x0008, 0x0018}, {0x0008, 0x0020}, {0x0008, 0x0060},
      {0x0008, 0x0070}, {0x0008, 0x1010}, {0x0008, 0x1030}, {0x0008, 0x103e}, {0x0018, 0x0015},
      {0x0018, 0x0050}, {0x0018, 0x1030}, {0x0020, 0x000d}, {0x0020, 0x000e}, {0x0028, 0x0010}};
  const ValueHash hash("a key");
  std::size_t files = 0;
  std::size_t compared = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(*root / "objects")) {
    if (!entry.is_regular_file()) continue;
    const auto reader = file::Part10Reader::open(entry.path().string());
    if (!reader) continue;
    Bytes octets(static_cast<std::size_t>(reader->data_set_length()));
    if (const auto n = reader->read(0, octets); !n || *n != octets.size()) continue;
    const Uid syntax = reader->header().transfer_syntax_uid;
    const bool whole = octets.size() <= kMaxHead;
    const ByteSpan head = ByteSpan(octets).first(std::min(octets.size(), kMaxHead));
    const Header full = cut_header(head, syntax, whole, Keep::kFull, nullptr);
    const Header hidden = cut_header(head, syntax, whole, Keep::kKeyedHash, &hash);
    ++files;
    for (const Tag tag : tags) {
      const bool missing = std::ranges::count(full.missing, tag) > 0;
      if (missing || (full.cut && tag >= *full.cut)) continue;
      const auto expected = value_of(octets, syntax, tag);
      EXPECT_EQ(value_of(full, tag), expected) << entry.path() << " " << tag.to_string();
      EXPECT_EQ(value_of(hidden, tag), expected) << entry.path() << " " << tag.to_string();
      ++compared;
    }
    for (const Tag tag : {Tag{0x0010, 0x0010}, Tag{0x0010, 0x0020}, Tag{0x0008, 0x0090}}) {
      const auto value = value_of(octets, syntax, tag);
      if (!value || value->size() < 8 || value->find_first_not_of("0123456789.") == value->npos) {
        continue;  // a number that is part of UIDs
      }
      EXPECT_EQ(as_text(hidden.octets).find(*value), std::string_view::npos)
          << entry.path() << " " << tag.to_string();
    }
  }
  std::cout << files << " objects, " << compared << " values\n";
  EXPECT_GT(compared, files * 5);
}

}  // namespace
}  // namespace dr::replay
