#include <algorithm>
#include <array>
#include <fstream>
#include <map>
#include <regex>
#include <set>

#include "dimse/encoding/text.h"
#include "dimse/encoding/transfer_syntax.h"
#include "dimse/file/part10_reader.h"
#include "dimse/file/part10_writer.h"
#include "router/rules/transform_profile.h"
#include "router/rules/transform_safe_private.h"
#include "test/router/rules/transform_fixture.h"
#include "test/support/dicom_objects.h"
#include "test/support/process.h"

namespace dr::rules {
namespace {

using encoding::Tag;
using encoding::Vr;
using encoding::vr;

constexpr const char* kBasic = R"t([{ deidentify = "basic", pixels = "accept" }])t";

Tag tag_of(std::uint32_t number) {
  return {static_cast<std::uint16_t>(number >> 16), static_cast<std::uint16_t>(number)};
}

Vr vr_of(Tag tag) {
  const auto entry = encoding::find_tag(tag);
  return entry && entry->vr != Vr::kUnknown ? entry->vr : vr('L', 'O');
}

/// A value of this VR that is none of the dummies, padded.
std::string sample(Vr v) {
  if (v == vr('U', 'I')) return std::string("1.2.3.99\0", 8);
  if (v == vr('D', 'A')) return "20240229";
  if (v == vr('T', 'M')) return "123456";
  if (v == vr('D', 'T')) return "20240229123456";
  if (v == vr('A', 'S')) return "042Y";
  if (v == vr('C', 'S')) return "SECRET";
  if (v == vr('A', 'E')) return "SECRET";
  if (v == vr('D', 'S') || v == vr('I', 'S')) return "4711";
  if (v == vr('U', 'S') || v == vr('S', 'S')) return "\x12\x34";
  if (!is_writable(v) || !is_charset_text(v)) return "\x12\x34\x56\x78\x12\x34\x56\x78";
  return "Secret value";
}

/// The octets of the element of this tag; nullopt: it is not there.
std::optional<Bytes> element_of(const Bytes& octets, Tag tag) {
  const MemorySet source(octets);
  const auto set = DataSet::parse(source, encoding::kExplicitLittleEndian);
  if (!set) return std::nullopt;
  const Element* const e = set->root().find(tag);
  if (e == nullptr) return std::nullopt;
  if (e->sequence) return Bytes(e->items.size());
  return *set->value(*e);
}

/// What stands in the place of the attribute after `actions`: "gone", "empty", "kept", "other".
std::string outcome(Tag tag, std::string_view actions) {
  const Vr v = vr_of(tag);
  Made made;
  if (v == vr('S', 'Q')) {
    made.builder().undefined(tag, v).item();
    made.text("CodeMeaning", "Secret value").builder().end_item().end_sequence();
  } else {
    made.builder().element(tag, v, sample(v));
  }
  const auto before = element_of(made.bytes(), tag);
  const auto copy = transformed(actions, made.bytes());
  if (!copy) return copy.error().detail;
  const auto after = element_of(copy->octets, tag);
  if (!after) return "gone";
  if (after->empty()) return "empty";
  return *after == before ? "kept" : "other";
}

const std::set<Tag> kSpecial = {encoding::tags::kSopInstanceUid,  // of the fixture itself
                                {0x0042, 0x0011},                 // accepted by `pixels = "accept"`
                                {0x0010, 0x0010},
                                {0x0010, 0x0020},  // keyed pseudonyms
                                {0x0010, 0x2297},
                                {0x0010, 0x2299},
                                {0x0040, 0x100a},  // what some IOD requires: tested below
                                {0x0070, 0x0082},
                                {0x0070, 0x0083},
                                {0x0008, 0x1110}};  // keyed pseudonyms

std::vector<ProfileRow> single_rows() {
  auto rows = profile_rows();
  std::erase_if(rows, [](const ProfileRow& row) {
    return row.mask != 0xffffffff || kSpecial.contains(tag_of(row.first));
  });
  return rows;
}

TEST(DeidentifyTable, EveryAttributeIsTreatedAsItsRowSays) {
  std::size_t checked = 0;
  for (const ProfileRow& row : single_rows()) {
    const Tag tag = tag_of(row.first);
    const std::string basic = row.basic;
    const std::string got = outcome(tag, kBasic);
    const bool sequence = vr_of(tag) == vr('S', 'Q');
    const bool dummy = basic.find('D') != std::string::npos || basic.find('U') != std::string::npos;
    std::set<std::string> right;
    if (basic.find('X') != std::string::npos) right.insert("gone");
    if (basic.find('Z') != std::string::npos) right.insert("empty");
    if (dummy) right.insert("other");
    if (dummy && sequence) right.insert("kept");  // its items are gone through instead
    EXPECT_TRUE(right.contains(got)) << tag.to_string() << " " << basic << " is " << got;
    ++checked;
  }
  EXPECT_GT(checked, 600U);
}

struct Option {
  const char* word;
  std::size_t column;
};

class DeidentifyOption : public testing::TestWithParam<Option> {};

TEST_P(DeidentifyOption, KeepsWhatItsColumnSaysAndNothingElse) {
  const Option& option = GetParam();
  const std::string with = "[{ deidentify = \"basic\", pixels = \"accept\", keep = [\"" +
                           std::string(option.word) + "\"] }]";
  std::size_t kept = 0;
  for (const ProfileRow& row : single_rows()) {
    const Tag tag = tag_of(row.first);
    const std::string got = outcome(tag, with);
    if (row.columns[option.column] == 'K') {
      EXPECT_EQ(got, "kept") << tag.to_string();
      ++kept;
    } else if (row.columns[option.column] == '-') {
      EXPECT_EQ(got, outcome(tag, kBasic)) << tag.to_string();
    }
  }
  EXPECT_GT(kept, 5U);
}

INSTANTIATE_TEST_SUITE_P(All, DeidentifyOption,
                         testing::Values(Option{"device-identity", 0},
                                         Option{"institution-identity", 1}, Option{"uids", 2},
                                         Option{"patient-characteristics", 3},
                                         Option{"longitudinal-full-dates", 4}),
                         [](const auto& each) {
                           std::string name = each.param.word;
                           std::ranges::replace(name, '-', '_');
                           return name;
                         });

TEST(DeidentifyTable, IsThatOfTheStandardWhereItIsKnownByHeart) {
  const std::map<std::string, std::string> known = {{"PatientName", "Z"},
                                                    {"PatientID", "Z/D"},
                                                    {"PatientBirthDate", "Z"},
                                                    {"PatientSex", "Z"},
                                                    {"PatientAge", "X"},
                                                    {"PatientWeight", "X"},
                                                    {"AccessionNumber", "Z"},
                                                    {"StudyID", "Z"},
                                                    {"StudyDate", "Z"},
                                                    {"StudyTime", "Z"},
                                                    {"ReferringPhysicianName", "Z"},
                                                    {"InstitutionName", "X/Z/D"},
                                                    {"InstitutionAddress", "X"},
                                                    {"StationName", "X/Z/D"},
                                                    {"OperatorsName", "X/Z/D"},
                                                    {"StudyInstanceUID", "U"},
                                                    {"SeriesInstanceUID", "U"},
                                                    {"SOPInstanceUID", "U"},
                                                    {"FrameOfReferenceUID", "U"},
                                                    {"StudyDescription", "X"},
                                                    {"SeriesDescription", "X"},
                                                    {"PatientComments", "X"},
                                                    {"OtherPatientIDsSequence", "X"},
                                                    {"PatientAddress", "X"},
                                                    {"DeviceSerialNumber", "X/Z/D"},
                                                    {"ProtocolName", "X/D"},
                                                    {"ImageComments", "X"},
                                                    {"ReferencedImageSequence", "X/Z/U*"},
                                                    {"ContentDate", "Z/D"},
                                                    {"StructureSetLabel", "D"},
                                                    {"VerifyingObserverName", "D"},
                                                    {"PersonName", "D"},
                                                    {"MilitaryRank", "X"},
                                                    {"EthnicGroup", "X"},
                                                    {"DigitalSignaturesSequence", "X"}};
  for (const auto& [keyword, basic] : known) {
    const auto entry = encoding::find_keyword(keyword);
    ASSERT_TRUE(entry) << keyword;
    const ProfileRow* const row = find_profile_row(entry->tag);
    ASSERT_NE(row, nullptr) << keyword;
    EXPECT_EQ(row->basic, basic) << keyword;
  }
  EXPECT_EQ(find_profile_row(encoding::find_keyword("Modality")->tag), nullptr);
}

TEST(DeidentifyTable, WhatAnIodRequiresStaysWithoutItsValue) {
  EXPECT_EQ(outcome({0x0010, 0x2297}, kBasic), "empty");
  EXPECT_EQ(outcome({0x0010, 0x2299}, kBasic), "empty");
  EXPECT_EQ(outcome({0x0040, 0x100a}, kBasic), "empty");
  EXPECT_EQ(outcome({0x0070, 0x0082}, kBasic), "other");
  EXPECT_EQ(outcome({0x0070, 0x0083}, kBasic), "other");
  EXPECT_EQ(outcome({0x0008, 0x1110}, kBasic), "gone");
}

std::string after(std::string_view actions, const Bytes& set, std::string_view path) {
  const auto copy = transformed(actions, set);
  return copy ? value_of(copy->octets, path) : copy.error().detail;
}

TEST(Deidentify, SaysWhatWasDone) {
  Made made;
  made.text("PatientName", "Doe^Jane").text("PatientID", "id-7");
  const Bytes& set = made.bytes();
  EXPECT_EQ(after(kBasic, set, "PatientIdentityRemoved"), "YES");
  EXPECT_EQ(after(kBasic, set, "DeidentificationMethodCodeSequence[1].CodeValue"), "113100");
  EXPECT_EQ(after(kBasic, set, "LongitudinalTemporalInformationModified"), "REMOVED");
  const char* const modified = R"t([{ deidentify = "basic", pixels = "accept",
    keep = ["longitudinal-modified-dates"] }])t";
  std::string one_line(modified);
  std::erase(one_line, '\n');
  EXPECT_EQ(after(one_line, set, "LongitudinalTemporalInformationModified"), "MODIFIED");
  EXPECT_EQ(after(one_line, set, "DeidentificationMethodCodeSequence[2].CodeValue"), "113107");
  const std::string name = after(kBasic, set, "PatientName");
  EXPECT_EQ(name.size(), 16U);
  EXPECT_EQ(after(kBasic, set, "PatientID"), name) << "one patient, one pseudonym";
}

TEST(Deidentify, ModifiedDatesKeepTheirDistance) {
  Made made;
  made.text("StudyDate", "20240229").text("SeriesDate", "20240301");
  made.text("PatientBirthDate", "19700101").text("PatientID", "id-7");
  const std::string actions =
      R"t([{ deidentify = "basic", pixels = "accept", keep = ["longitudinal-modified-dates"] }])t";
  const int days = Pseudonymizer(kTestKey).days(std::string("id-7\0", 5));
  EXPECT_EQ(after(actions, made.bytes(), "StudyDate"), shift_date("20240229", days));
  EXPECT_EQ(after(actions, made.bytes(), "SeriesDate"), shift_date("20240301", days));
  EXPECT_EQ(after(actions, made.bytes(), "PatientBirthDate"), "");
}

TEST(Deidentify, CleanDescriptorsLoseWhatIdentifies) {
  Made made;
  made.text("StudyDescription", "CT Thorax for Doe, Jane (4711234) ward B");
  made.text("ReferringPhysicianName", "Who^Doctor");
  made.text("SeriesDescription", "as told by doctor WHO");
  made.text("PatientName", "Doe^Jane").text("PatientID", "id-7");
  const std::string actions =
      R"t([{ deidentify = "basic", pixels = "accept", clean = ["descriptors"] }])t";
  EXPECT_EQ(after(actions, made.bytes(), "StudyDescription"), "CT Thorax for ,  () ward B");
  EXPECT_EQ(after(actions, made.bytes(), "SeriesDescription"), "as told by");
}

TEST(Deidentify, WhatNobodyKnowsGoes) {
  Made made;
  made.builder().element({0x0009, 0x0010}, vr('L', 'O'), "ACME");
  made.builder().element({0x0009, 0x1001}, vr('L', 'O'), "secret");
  made.builder().element({0x0010, 0x9999}, vr('L', 'O'), "secret");
  made.builder().element({0x5002, 0x3000}, vr('O', 'W'), "secret");
  made.builder().element({0x6000, 0x0022}, vr('L', 'O'), "secret");
  const auto copy = transformed(kBasic, made.bytes());
  ASSERT_TRUE(copy);
  EXPECT_EQ(as_text(copy->octets).find("secret"), std::string_view::npos);
  EXPECT_EQ(as_text(copy->octets).find("ACME"), std::string_view::npos);
}

// --- PS3.15 E.3.10, Retain Safe Private

constexpr const char* kSafe =
    R"t([{ deidentify = "basic", pixels = "accept", keep = ["safe-private"] }])t";

void add_private(Made& made, std::uint16_t group, std::uint16_t block, std::string_view creator,
                 std::initializer_list<std::pair<std::uint8_t, std::string_view>> elements) {
  made.builder().element({group, block}, vr('L', 'O'), creator);
  for (const auto& [element, value] : elements) {
    const Tag tag{group, static_cast<std::uint16_t>(block << 8 | element)};
    made.builder().element(tag, vr('L', 'O'), value);
  }
}

/// The private elements that are left, "(0019,SIEMENS MR HEADER,0c)=1000".
std::string left(std::string_view actions, const Made& made) {
  const auto copy = transformed(actions, made.bytes());
  if (!copy) return copy.error().detail;
  const MemorySet source(copy->octets);
  const auto set = DataSet::parse(source, encoding::kExplicitLittleEndian);
  std::string out;
  for (const Element& e : set->root().elements) {
    if (e.tag.group % 2 == 0) continue;
    out += e.tag.to_string() + "=" + std::string(as_text(*set->value(e))) + " ";
  }
  return out;
}

TEST(SafePrivate, TheTableHasEveryRowOfTheStandard) {
  EXPECT_EQ(safe_private_rows(), 479U);
  EXPECT_TRUE(is_safe_private("GEMS_ACQU_01", 0x0019, 0x23));
  EXPECT_TRUE(is_safe_private("SIEMENS MR HEADER", 0x0019, 0x0c));
  EXPECT_TRUE(is_safe_private("Philips PET Private Group", 0x7053, 0x09));
  EXPECT_FALSE(is_safe_private("SIEMENS MR HEADER", 0x0019, 0x23)) << "of another creator";
  EXPECT_FALSE(is_safe_private("GEMS_ACQU_01", 0x0043, 0x23)) << "of another group";
  EXPECT_FALSE(is_safe_private("siemens mr header", 0x0019, 0x0c));
}

TEST(SafePrivate, WhatTheStandardListsStaysWithItsCreator) {
  Made made;
  add_private(made, 0x0019, 0x0011, "SIEMENS MR HEADER", {{0x0c, "1000"}, {0x0f, "secret"}});
  add_private(made, 0x0029, 0x0010, "SIEMENS CSA HEADER", {{0x10, "secret"}});
  EXPECT_EQ(left(kBasic, made), "");
  EXPECT_EQ(left(kSafe, made), "(0019,0011)=SIEMENS MR HEADER (0019,110c)=1000 ");
  EXPECT_EQ(after(kSafe, made.bytes(), "DeidentificationMethodCodeSequence[2].CodeValue"),
            "113111");
}

TEST(SafePrivate, WhatTheAdminListsStaysToo) {
  Made made;
  add_private(made, 0x0019, 0x0010, "ACME 1.0", {{0x30, "kept"}, {0x31, "secret"}});
  const std::string actions =
      R"t([{ deidentify = "basic", pixels = "accept", keep = ["safe-private"], safe_private = ["(0019,ACME 1.0,30)"] }])t";
  EXPECT_EQ(left(actions, made), "(0019,0010)=ACME 1.0 (0019,1030)=kept ");
  EXPECT_EQ(canonical(canonical(actions)), canonical(actions));
}

TEST(SafePrivate, WithoutACreatorNothingIsSafe) {
  Made made;
  made.builder().element({0x0019, 0x110c}, vr('L', 'O'), "1000");
  EXPECT_EQ(left(kSafe, made), "");
}

TEST(SafePrivate, ItemsThatNobodyCanReadGo) {
  Made made;
  add_private(made, 0x2001, 0x0010, "Philips Imaging DD 001", {{0x03, "1.5 "}});
  encoding::DataSetBuilder items;
  items.item().element({0x0010, 0x0010}, vr('P', 'N'), "secret").end_item();
  made.builder().element({0x2001, 0x105f}, vr('U', 'N'), items.bytes());
  EXPECT_EQ(left(kSafe, made), "(2001,0010)=Philips Imaging DD 001 (2001,1003)=1.5  ");
}

TEST(SafePrivate, InsideOfASafeSequenceTheProfileHolds) {
  Made made;
  add_private(made, 0x2001, 0x0010, "Philips Imaging DD 001", {});
  encoding::DataSetBuilder& set = made.builder();
  set.undefined({0x2001, 0x105f}, vr('S', 'Q')).item();
  set.element({0x0010, 0x4000}, vr('L', 'T'), "secret");
  set.element({0x2001, 0x0010}, vr('L', 'O'), "Philips Imaging DD 001");
  set.element({0x2001, 0x102d}, vr('L', 'O'), "12");
  set.element({0x2001, 0x1020}, vr('L', 'O'), "secret").end_item().end_sequence();
  const auto copy = transformed(kSafe, made.bytes());
  ASSERT_TRUE(copy);
  EXPECT_EQ(as_text(copy->octets).find("secret"), std::string_view::npos);
  EXPECT_EQ(
      value_of(copy->octets, "(2001,Philips Imaging DD 001,5f).(2001,Philips Imaging DD 001,2d)"),
      "12");
}

TEST(SafePrivate, UidsOfInstancesAreRemappedAllTheSame) {
  Made made;
  made.builder().element({0x0099, 0x0010}, vr('L', 'O'), "NQHeader");
  made.builder().element({0x0099, 0x1002}, vr('U', 'I'), "1.2.3.77");
  const std::string fresh = Pseudonymizer(kTestKey).uid("1.2.3.77");
  EXPECT_EQ(after(kSafe, made.bytes(), "(0099,NQHeader,02)"), fresh);
  const std::string keeps_uids =
      R"t([{ deidentify = "basic", pixels = "accept", keep = ["safe-private", "uids"] }])t";
  EXPECT_EQ(after(keeps_uids, made.bytes(), "(0099,NQHeader,02)"), "1.2.3.77");
}

/// An object that says of its private elements what they are (PS3.3 C.12.1.1.7).
Made characterised(std::string_view creator, std::string_view status) {
  Made made;
  encoding::DataSetBuilder& set = made.builder();
  const auto us = [](std::initializer_list<std::uint8_t> values) {
    std::string octets;
    for (const std::uint8_t value : values) octets += {static_cast<char>(value), '\0'};
    return octets;
  };
  set.undefined({0x0008, 0x0300}, vr('S', 'Q')).item();
  set.element({0x0008, 0x0301}, vr('U', 'S'), us({0x19}));
  set.element({0x0008, 0x0302}, vr('L', 'O'), creator);
  set.element({0x0008, 0x0303}, vr('C', 'S'), status);
  if (status == "MIXED ") {
    set.element({0x0008, 0x0304}, vr('U', 'S'), us({0x01}));
    set.undefined({0x0008, 0x0305}, vr('S', 'Q')).item();
    set.element({0x0008, 0x0306}, vr('U', 'S'), us({0x02, 0x0c}));
    set.element({0x0008, 0x0307}, vr('C', 'S'), "Z ").end_item().end_sequence();
  }
  set.end_item().end_sequence();
  return made;
}

TEST(SafePrivate, WhatTheObjectSaysOfItsOwnElementsCounts) {
  Made safe = characterised("ACME", "SAFE");
  add_private(safe, 0x0019, 0x0010, "ACME", {{0x01, "kept"}});
  EXPECT_EQ(left(kSafe, safe), "(0019,0010)=ACME (0019,1001)=kept ");
  EXPECT_EQ(left(kBasic, safe), "") << "only with keep = safe-private";

  Made mixed = characterised("ACME", "MIXED ");
  add_private(mixed, 0x0019, 0x0010, "ACME", {{0x01, "kept"}, {0x02, "secret"}, {0x03, "secret"}});
  EXPECT_EQ(left(kSafe, mixed), "(0019,0010)=ACME (0019,1001)=kept (0019,1002)= ");

  // Before what the standard says of their maker.
  Made unsafe = characterised("SIEMENS MR HEADER ", "UNSAFE");
  add_private(unsafe, 0x0019, 0x0010, "SIEMENS MR HEADER", {{0x0c, "1000"}});
  EXPECT_EQ(left(kSafe, unsafe), "");
  Made emptied = characterised("SIEMENS MR HEADER ", "MIXED ");
  add_private(emptied, 0x0019, 0x0010, "SIEMENS MR HEADER", {{0x0c, "1000"}, {0x0d, "NONE"}});
  EXPECT_EQ(left(kSafe, emptied), "(0019,0010)=SIEMENS MR HEADER (0019,100c)= (0019,100d)=NONE ");
}

TEST(DeidentifyPixels, AreHeldUnlessTheyAreKnownToBeClean) {
  const auto held = [](std::string_view sop_class, const char* annotation, bool pixels,
                       bool document = false) {
    encoding::DataSetBuilder set;
    std::string uid(sop_class);
    if (uid.size() % 2 != 0) uid += '\0';
    set.element(encoding::tags::kSopClassUid, vr('U', 'I'), uid);
    set.element(encoding::tags::kSopInstanceUid, vr('U', 'I'), "1.2.3.40");
    if (annotation != nullptr) set.element({0x0028, 0x0301}, vr('C', 'S'), annotation);
    if (document) set.element({0x0042, 0x0011}, vr('O', 'B'), "%PDF");
    if (pixels) set.element({0x7fe0, 0x0010}, vr('O', 'W'), "pixels");
    const auto copy = transformed(R"t([{ deidentify = "basic" }])t", set.bytes());
    const auto accepted = transformed(kBasic, set.bytes());
    EXPECT_TRUE(accepted) << accepted.error().to_string();
    return copy ? std::string() : copy.error().detail;
  };
  constexpr std::string_view kCt = "1.2.840.10008.5.1.4.1.1.2";
  EXPECT_EQ(held(kCt, "NO", true), "");
  EXPECT_EQ(held(kCt, "YES ", true), "burned_in_annotation");
  EXPECT_EQ(held(kCt, nullptr, true), "burned_in_annotation");
  EXPECT_EQ(held("1.2.840.10008.5.1.4.1.1.481.3", nullptr, false), "");
  EXPECT_EQ(held("1.2.840.10008.5.1.4.1.1.7", "NO", true), "secondary_capture");
  EXPECT_EQ(held("1.2.840.10008.5.1.4.1.1.7.2", "NO", true), "secondary_capture");
  EXPECT_EQ(held("1.2.840.10008.5.1.4.1.1.104.1", "NO", false, true), "encapsulated_document");
  EXPECT_EQ(held(kCt, "NO", false, true), "encapsulated_document");
}

// --- real objects

struct RealObject {
  std::filesystem::path path;
  file::Part10Header header;
  Bytes data_set;
};

bool has_instance_uid(const RealObject& object) {
  const encoding::ScanPlan plan({encoding::tags::kSopInstanceUid});
  encoding::HeaderScanner scanner(plan, object.header.transfer_syntax_uid);
  scanner.feed(object.data_set);
  scanner.finish();
  return scanner.find(encoding::tags::kSopInstanceUid) != nullptr;
}

std::vector<RealObject> real_objects() {
  std::vector<RealObject> all;
  const auto shared = test::shared_data("transforms of real objects");
  if (!shared) return all;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(*shared / "objects")) {
    if (!entry.is_regular_file()) continue;
    auto reader = file::Part10Reader::open(entry.path().string());
    if (!reader) continue;
    RealObject object{entry.path(), reader->header(), Bytes(reader->data_set_length())};
    const auto n = reader->read(0, object.data_set);
    // What names no instance is no object: a router never has it.
    const bool named = has_instance_uid(object);
    if (n && *n == object.data_set.size() && named) all.push_back(std::move(object));
  }
  std::ranges::sort(all, {}, &RealObject::path);
  return all;
}

/// As a worker leaves it: what is deflated is inflated by a transform that changes nothing.
struct Plain {
  Bytes octets;
  encoding::Encoding encoding;
  Uid transfer_syntax_uid;
};
std::optional<Plain> plain(const RealObject& object) {
  const auto& syntax = encoding::transfer_syntax(object.header.transfer_syntax_uid);
  if (!syntax.deflated) {
    return Plain{object.data_set, syntax.encoding, object.header.transfer_syntax_uid};
  }
  const auto copy = transformed(R"t([{ remove = "(0014,4002)" }])t", object.data_set,
                                object.header.transfer_syntax_uid.view());
  if (!copy) return std::nullopt;
  return Plain{copy->octets, encoding::kExplicitLittleEndian, copy->result.transfer_syntax_uid};
}

TEST(RealObjects, ATransformThatFindsNothingLeavesEveryOctet) {
  std::size_t compared = 0;
  for (const RealObject& object : real_objects()) {
    if (encoding::transfer_syntax(object.header.transfer_syntax_uid).deflated) continue;
    const auto copy =
        transformed(R"t([{ remove = "(0014,4002)" }, { prefix = "(0014,4004)", with = "X" }])t",
                    object.data_set, object.header.transfer_syntax_uid.view());
    ASSERT_TRUE(copy) << object.path << ": " << copy.error().to_string();
    EXPECT_TRUE(copy->octets == object.data_set) << object.path;
    ++compared;
  }
  EXPECT_TRUE(compared == 0 || compared > 100U) << compared;
}

/// Text of every character set there is comes out as it went in.
TEST(RealObjects, TextIsWrittenAsItIsRead) {
  std::map<std::string, std::size_t> written;
  for (const RealObject& object : real_objects()) {
    const auto data = plain(object);
    ASSERT_TRUE(data);
    const MemorySet source(data->octets);
    const auto set = DataSet::parse(source, data->encoding);
    ASSERT_TRUE(set);
    const std::string charset = charset_of(*set, set->root(), {});
    for (const Element& e : set->root().elements) {
      if (!is_charset_text(e.vr) || e.sequence || e.tag.group % 2 != 0 || e.length > 4096) continue;
      const auto values = read_values(*set, e, charset);
      ASSERT_TRUE(values);
      const bool understood = std::ranges::none_of(*values, [&](const std::string& value) {
        return value.find("\xf4\x8f") != std::string::npos || !why_no_value(e.vr, value).empty();
      });
      if (!understood) continue;
      const auto octets = write_values(*values, e.vr, charset, set->big_endian());
      ASSERT_TRUE(octets) << object.path << ' ' << e.tag.to_string();
      EXPECT_EQ(encoding::TextDecoder(as_bytes(charset)).values(*octets, e.vr), *values)
          << object.path << ' ' << e.tag.to_string();
      ++written[charset];
    }
  }
  EXPECT_TRUE(written.empty() || written.size() > 8U) << written.size();
}

TEST(RealObjects, OneChangedElementIsTheOnlyDifference) {
  for (const RealObject& object : real_objects()) {
    const auto before = plain(object);
    ASSERT_TRUE(before);
    const auto copy = transformed(R"t([{ set = "PatientID", to = "CHANGED-BY-RULE" }])t",
                                  before->octets, before->transfer_syntax_uid.view());
    ASSERT_TRUE(copy) << object.path << ": " << copy.error().to_string();
    const MemorySet old_source(before->octets);
    const MemorySet new_source(copy->octets);
    const auto old_set = DataSet::parse(old_source, before->encoding);
    const auto new_set = DataSet::parse(new_source, before->encoding);
    ASSERT_TRUE(old_set && new_set) << object.path;
    std::map<Tag, std::string> old_octets;
    const auto octets = [](const Bytes& all, const Element& e) {
      return std::string(as_text(ByteSpan(all).subspan(e.begin, e.end - e.begin)));
    };
    for (const Element& e : old_set->root().elements) {
      if (e.tag.element != 0 && e.tag != encoding::tags::kPatientId) {
        old_octets[e.tag] += octets(before->octets, e);
      }
    }
    for (const Element& e : new_set->root().elements) {
      if (e.tag.element == 0 || e.tag == encoding::tags::kPatientId) continue;
      const auto at = old_octets.find(e.tag);
      ASSERT_NE(at, old_octets.end()) << object.path << e.tag.to_string();
      EXPECT_TRUE(at->second == octets(copy->octets, e)) << object.path << e.tag.to_string();
      old_octets.erase(at);
    }
    EXPECT_TRUE(old_octets.empty()) << object.path;
    EXPECT_EQ(value_of(copy->octets, "PatientID", before->encoding), "CHANGED-BY-RULE");
  }
}

/// Values of an object's text, by whether the profile takes them away.
struct Values {
  std::map<std::string, Tag> removed;
  std::set<std::string> retained;

  void add(const DataSet& set, const Item& item, const std::string& outer, bool inside_removed) {
    const std::string charset = charset_of(set, item, outer);
    for (const Element& e : item.elements) {
      const ProfileAction action = profile_action(e.tag, {});
      const bool unknown =
          e.tag.group % 2 != 0 || (!encoding::find_tag(e.tag) && action == ProfileAction::kNone);
      const bool goes = inside_removed || unknown ||
                        (action != ProfileAction::kNone && action != ProfileAction::kKeep);
      const bool whole = inside_removed || unknown || action == ProfileAction::kRemove ||
                         action == ProfileAction::kEmpty;
      for (const Item& inner : e.items) add(set, inner, charset, whole);
      if (e.sequence || e.length > 4096 || e.tag.group >= 0x7fe0 || !is_writable(e.vr)) continue;
      const auto values = read_values(set, e, charset);
      if (!values) continue;
      for (const std::string& value : *values) {
        if (value.size() < 6) continue;
        if (goes) {
          removed.emplace(value, e.tag);
        } else {
          retained.insert(value);
        }
      }
    }
  }
};

std::string without_pixel_data(const Bytes& octets, encoding::Encoding encoding) {
  const MemorySet source(octets);
  const auto set = DataSet::parse(source, encoding);
  std::string text;
  if (!set) return text;
  for (const Element& e : set->root().elements) {
    if (e.tag.group == 0x7fe0 || e.tag == Tag{0x0042, 0x0011}) continue;
    text += as_text(ByteSpan(octets).subspan(e.begin, e.end - e.begin));
  }
  return text;
}

TEST(RealObjects, NothingThatWasTakenAwayIsLeftAnywhere) {
  for (const RealObject& object : real_objects()) {
    const auto before = plain(object);
    ASSERT_TRUE(before);
    const auto copy = transformed(kBasic, before->octets, before->transfer_syntax_uid.view());
    ASSERT_TRUE(copy) << object.path << ": " << copy.error().to_string();
    const bool well_known = object.header.sop_instance_uid.view().starts_with("1.2.840.10008.");
    EXPECT_EQ(copy->result.sop_instance_uid == object.header.sop_instance_uid, well_known);
    const MemorySet source(before->octets);
    const auto set = DataSet::parse(source, before->encoding);
    ASSERT_TRUE(set);
    Values values;
    values.add(*set, set->root(), {}, false);
    // Digits of new UIDs may be anything.
    static const std::regex kNewUid("2\\.25\\.[0-9]+");
    const std::string text =
        std::regex_replace(without_pixel_data(copy->octets, before->encoding), kNewUid, "UID");
    const std::string ours = "ANONYMIZED REMOVED 19000101000000";
    for (const auto& [value, tag] : values.removed) {
      // A retained value that contains a removed one is retained all the same: "TOSHIBA_MEC".
      const bool of_the_standard = value.starts_with("1.2.840.10008.");
      const bool retained =
          of_the_standard || std::ranges::any_of(values.retained, [&](const std::string& other) {
            return other.find(value) != std::string::npos;
          });
      if (retained || ours.find(value) != std::string::npos) continue;
      const std::size_t at = text.find(value);
      EXPECT_EQ(at, std::string::npos)
          << object.path << " " << tag.to_string() << " '" << value << "' in '"
          << text.substr(std::max<std::size_t>(at, 40) - 40, 80) << "'";
    }
  }
}

/// What dciodvfy complains about, each with how often.
std::map<std::string, int> complaints(const std::filesystem::path& path) {
  std::map<std::string, int> found;
  std::istringstream lines(test::run({"dciodvfy", path.string()}).output);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("Error")) continue;
    // UIDs differ, of course.
    static const std::regex kUid("[0-9]+(\\.[0-9]+){2,}|0$");  // "0" stands for one in two reports
    line = std::regex_replace(line, kUid, "UID");
    ++found[line];
  }
  return found;
}

void write_file(const std::filesystem::path& path, const Bytes& octets, const Uid& sop_class,
                const Uid& sop_instance, const Uid& transfer_syntax) {
  const Bytes head = file::part10_head(
      {sop_class, sop_instance, transfer_syntax, uid_literal("1.2.3.4.5"), "TEST", {}});
  std::ofstream out(path, std::ios::binary);
  out << as_text(head) << as_text(octets);
}

TEST(RealObjects, WhatIsDeidentifiedIsAsLegalAsItWas) {
  if (test::run({"sh", "-c", "command -v dciodvfy"}).status != 0) {
    GTEST_SKIP() << "left out: dciodvfy (dicom3tools) is not installed";
  }
  const test::TempDir folder;
  std::map<std::string, int> all;
  for (const RealObject& object : real_objects()) {
    const auto before = plain(object);
    ASSERT_TRUE(before);
    const auto copy = transformed(kBasic, before->octets, before->transfer_syntax_uid.view());
    ASSERT_TRUE(copy) << object.path;
    const auto& h = object.header;
    write_file(folder / "before.dcm", before->octets, h.sop_class_uid, h.sop_instance_uid,
               before->transfer_syntax_uid);
    write_file(folder / "after.dcm", copy->octets, h.sop_class_uid, copy->result.sop_instance_uid,
               before->transfer_syntax_uid);
    const auto old_errors = complaints(folder / "before.dcm");
    for (const auto& [line, count] : complaints(folder / "after.dcm")) {
      const auto at = old_errors.find(line);
      EXPECT_TRUE(at != old_errors.end() && at->second >= count) << object.path << ": " << line;
    }
  }
}

}  // namespace
}  // namespace dr::rules
