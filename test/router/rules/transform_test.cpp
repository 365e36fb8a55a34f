#include <fstream>

#include <zlib.h>

#include "router/rules/transform_explain.h"
#include "test/router/rules/transform_fixture.h"

namespace dr::rules {
namespace {

using encoding::vr;

constexpr encoding::Encoding kBigEndian{true, true};

/// The element's value after these actions, or the reason why the copy is held.
std::string after(std::string_view actions, const Bytes& data_set, std::string_view path) {
  const auto copy = transformed(actions, data_set);
  return copy ? value_of(copy->octets, path) : copy.error().detail;
}

Made patient() {
  Made made;
  made.text("StudyDate", "20240229").text("AccessionNumber", "ACC1");
  made.text("StudyDescription", "Knee OLD-17 left").text("PatientName", "Doe^Jane");
  made.text("PatientID", "id-7").text("StudyInstanceUID", "1.2.3.5");
  return made;
}

TEST(TransformSet, ReplacesInsertsAndFillsIn) {
  const Bytes set = patient().bytes();
  EXPECT_EQ(after(R"t([{ set = "PatientID", to = "X" }])t", set, "PatientID"), "X");
  EXPECT_EQ(after(R"t([{ set = "PatientComments", to = "new" }])t", set, "PatientComments"), "new");
  EXPECT_EQ(after(R"t([{ set = "StudyID", to = "{PatientID|upper}_{StudyDate|slice:0:4}" }])t", set,
                  "StudyID"),
            "ID-7_2024");
  EXPECT_EQ(after(R"t([{ set = "StudyID", to = "{{{PatientID}}}" }])t", set, "StudyID"), "{id-7}");
  EXPECT_EQ(after(R"t([{ set = "StudyID", to = "a{PatientComments}b" }])t", set, "StudyID"), "ab");
  EXPECT_EQ(after(R"t([{ set = "StudyID", to = "{PatientName|slice:-4:}" }])t", set, "StudyID"),
            "Jane");
  EXPECT_EQ(after(R"t([{ set = "PatientID", to = "" }])t", set, "PatientID"), "");
}

TEST(TransformSet, ActionsSeeWhatThoseBeforeThemDid) {
  EXPECT_EQ(
      after(R"t([{ set = "PatientID", to = "X" }, { set = "StudyID", to = "{PatientID}1" }])t",
            patient().bytes(), "StudyID"),
      "X1");
}

TEST(TransformSet, NumbersInTheirBinaryForm) {
  Made made;
  made.builder().element({0x0028, 0x0010}, vr('U', 'S'), std::string_view("\x10\0", 2));
  EXPECT_EQ(after(R"t([{ set = "Rows", to = "513" }])t", made.bytes(), "Rows"), "513");
  Made big(kBigEndian);
  big.builder().element({0x0028, 0x0010}, vr('U', 'S'), std::string_view("\0\x10", 2));
  const auto copy = transformed(R"t([{ set = "Rows", to = "513" }])t", big.bytes(), kExplicitBe);
  ASSERT_TRUE(copy) << copy.error().to_string();
  EXPECT_EQ(value_of(copy->octets, "Rows", kBigEndian), "513");
  EXPECT_TRUE(std::string(as_text(copy->octets)).ends_with(std::string("US\0\x02\x02\x01", 6)));
}

TEST(TransformSet, PrivateElementsFindOrGetTheirBlock) {
  Made made;
  made.builder().element({0x0019, 0x0010}, vr('L', 'O'), "OTHER ");
  made.builder().element({0x0019, 0x0011}, vr('L', 'O'), "ACME");
  made.builder().element({0x0019, 0x1101}, vr('L', 'O'), "old ");
  EXPECT_EQ(after(R"t([{ set = "(0019,ACME,01)", to = "new" }])t", made.bytes(), "(0019,ACME,01)"),
            "new");
  const auto copy = transformed(R"t([{ set = "(0019,NEW,05)", to = "v" }])t", made.bytes());
  ASSERT_TRUE(copy);
  EXPECT_NE(as_text(copy->octets)
                .find("\x19\0\x12\0LO\x04\0NEW "
                      "\x19\0\x05\x12LO\x02\0v "),
            std::string_view::npos)
      << "the first free block is 12";
}

TEST(TransformHash, IsKeyedAndAlwaysTheSame) {
  const Bytes set = patient().bytes();
  const char* const actions = R"t([{ set = "PatientID", to = "{PatientID|hash}" }])t";
  const std::string hash = after(actions, set, "PatientID");
  EXPECT_EQ(hash.size(), 16U);
  EXPECT_EQ(after(actions, set, "PatientID"), hash);
  const auto other = transformed(actions, set, kExplicitLe, "another key of some length");
  ASSERT_TRUE(other);
  EXPECT_NE(value_of(other->octets, "PatientID"), hash);
  const auto none = transformed(actions, set, kExplicitLe, "");
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().detail, "key_missing");
}

TEST(TransformShift, DatesOfOnePatientMoveAlike) {
  const auto shifted = [](std::string_view id, std::string_view date) {
    Made made;
    made.text("StudyDate", date).text("PatientID", id);
    return after(R"t([{ set = "StudyDate", to = "{StudyDate|shift}" }])t", made.bytes(),
                 "StudyDate");
  };
  const std::string first = shifted("id-7", "20240229");
  EXPECT_EQ(first.size(), 8U);
  EXPECT_LT(first, "20240229");
  EXPECT_GT(shifted("id-7", "20240301"), first);
  EXPECT_EQ(shifted("id-7", "20240229"), first);
  EXPECT_NE(shifted("id-8", "20240229"), first);
  EXPECT_EQ(shift_date("20240301", 1), "20240229");
  EXPECT_EQ(shift_date("20240301123000.5+0100", 1), "20240229123000.5+0100");
  EXPECT_EQ(shift_date("2024", 1), "");
  EXPECT_EQ(shift_date("20241301", 1), "");
}

TEST(TransformRemove, NamedOnesPatternsVrsAndPrivateGroups) {
  Made made = patient();
  made.builder().undefined({0x0040, 0x0275}, vr('S', 'Q')).item();
  made.builder().element({0x0010, 0x0010}, vr('P', 'N'), "In^Item ");
  made.builder().element({0x0041, 0x0010}, vr('L', 'O'), "ACME").end_item().end_sequence();
  made.builder().element({0x0041, 0x0010}, vr('L', 'O'), "ACME");
  made.builder().element({0x5000, 0x0005}, vr('U', 'S'), std::string_view("\1\0", 2));
  made.builder().element({0x6002, 0x0010}, vr('U', 'S'), std::string_view("\1\0", 2));
  const auto gone = [&](std::string_view actions, std::string_view path) {
    return after(actions, made.bytes(), path) == "(absent)";
  };
  EXPECT_TRUE(gone(R"t([{ remove = "PatientName" }])t", "PatientName"));
  EXPECT_FALSE(gone(R"t([{ remove = "PatientName" }])t", "RequestAttributesSequence.PatientName"));
  EXPECT_TRUE(gone(R"t([{ remove = "PatientName", everywhere = true }])t",
                   "RequestAttributesSequence.PatientName"));
  EXPECT_TRUE(gone(R"t([{ remove = "RequestAttributesSequence[1].PatientName" }])t",
                   "RequestAttributesSequence.PatientName"));
  EXPECT_FALSE(gone(R"t([{ remove = "RequestAttributesSequence[2].PatientName" }])t",
                    "RequestAttributesSequence.PatientName"));
  EXPECT_TRUE(gone(R"t([{ remove = ["vr:PN", "private"] }])t", "PatientName"));
  EXPECT_TRUE(gone(R"t([{ remove = ["vr:PN"] }])t", "RequestAttributesSequence.PatientName"));
  EXPECT_TRUE(gone(R"t([{ remove = "private" }])t", "(0041,0010)"));
  EXPECT_TRUE(gone(R"t([{ remove = "private" }])t", "RequestAttributesSequence.(0041,0010)"));
  EXPECT_TRUE(gone(R"t([{ remove = "(0041,xxxx)" }])t", "(0041,0010)"));
  EXPECT_TRUE(gone(R"t([{ remove = "curves" }])t", "(5000,0005)"));
  EXPECT_FALSE(gone(R"t([{ remove = "curves" }])t", "(6002,0010)"));
  EXPECT_TRUE(gone(R"t([{ remove = "overlays" }])t", "(6002,0010)"));
  EXPECT_FALSE(gone(R"t([{ remove = "(00xx,xxxx)" }])t", "SOPInstanceUID"));
}

TEST(TransformCopy, CopyPrefixAndReplace) {
  const Bytes set = patient().bytes();
  EXPECT_EQ(after(R"t([{ copy = "PatientID", to = "OtherPatientIDs" }])t", set, "OtherPatientIDs"),
            "id-7");
  EXPECT_EQ(after(R"t([{ prefix = "AccessionNumber", with = "SITE-" }])t", set, "AccessionNumber"),
            "SITE-ACC1");
  EXPECT_EQ(after(R"t([{ prefix = "PatientComments", with = "x" }])t", set, "PatientComments"),
            "(absent)");
  EXPECT_EQ(after(R"t([{ replace = "StudyDescription", pattern = '/old-(\d+)/i', with = 'N\1' }])t",
                  set, "StudyDescription"),
            "Knee N17 left");
}

TEST(TransformValues, WhatAVrCanNotHoldHoldsTheCopy) {
  const Bytes set = patient().bytes();
  EXPECT_EQ(after(R"t([{ prefix = "AccessionNumber", with = "SIXTEEN-LETTERS" }])t", set,
                  "AccessionNumber"),
            "value (0008,0050)");
  EXPECT_EQ(after(R"t([{ set = "StudyDate", to = "{PatientID}" }])t", set, "StudyDate"),
            "value (0008,0020)");
}

TEST(TransformCharsets, NewTextIsInTheObjectsOwnSet) {
  const auto with = [](std::string_view charset) {
    Made made;
    made.text("SpecificCharacterSet", charset).text("PatientName", "x");
    return made.bytes();
  };
  // SpecificCharacterSet stands before the UIDs in a data set in order.
  const char* const actions = R"t([{ set = "PatientName", to = "Müller" }])t";
  const auto octets = [&](std::string_view charset) {
    const auto copy = transformed(actions, with(charset));
    return copy ? std::string(as_text(copy->octets)) : copy.error().detail;
  };
  EXPECT_NE(octets("ISO_IR 100").find("M\xfcller"), std::string::npos);
  EXPECT_NE(octets("ISO_IR 192").find("M\xc3\xbcller"), std::string::npos);
  EXPECT_NE(octets("GB18030").find("M\xa8\xb9"
                                   "ller"),
            std::string::npos);
  EXPECT_EQ(octets("ISO_IR 144"), "character_set (0010,0010)");
  EXPECT_EQ(octets(""), "character_set (0010,0010)");
}

TEST(TransformCharsets, CopiesTakeTheOctetsOfAnySet) {
  Made made;
  made.text("SpecificCharacterSet", "\\ISO 2022 IR 87");
  const std::string name = "Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B ";
  made.text("PatientName", name);
  const auto copy =
      transformed(R"t([{ copy = "PatientName", to = "OtherPatientNames" }])t", made.bytes());
  ASSERT_TRUE(copy) << copy.error().to_string();
  EXPECT_EQ(value_of(copy->octets, "OtherPatientNames"), "Yamada^Tarou=山田^太郎");
  EXPECT_NE(as_text(copy->octets).find(name, as_text(copy->octets).find(name) + 1),
            std::string_view::npos);
}

TEST(TransformUids, AreRemappedAlikeAndConsistently) {
  Made made = patient();
  made.builder().undefined({0x0008, 0x1140}, vr('S', 'Q')).item();
  made.text("ReferencedSOPClassUID", "1.2.840.10008.5.1.4.1.1.2");
  made.text("ReferencedSOPInstanceUID", "1.2.3.4");
  made.builder().end_item().end_sequence();
  const auto copy = transformed(R"t([{ uid_remap = "all" }])t", made.bytes());
  ASSERT_TRUE(copy) << copy.error().to_string();
  const std::string instance = value_of(copy->octets, "SOPInstanceUID");
  EXPECT_TRUE(instance.starts_with("2.25."));
  EXPECT_LE(instance.size(), 44U);
  EXPECT_EQ(copy->result.sop_instance_uid, instance);
  EXPECT_EQ(copy->result.sop_class_uid, "1.2.840.10008.5.1.4.1.1.2");
  EXPECT_EQ(value_of(copy->octets, "ReferencedImageSequence.ReferencedSOPInstanceUID"), instance);
  EXPECT_EQ(value_of(copy->octets, "ReferencedImageSequence.ReferencedSOPClassUID"),
            "1.2.840.10008.5.1.4.1.1.2");
  const auto some = transformed(R"t([{ uid_remap = ["StudyInstanceUID"] }])t", made.bytes());
  ASSERT_TRUE(some);
  EXPECT_EQ(value_of(some->octets, "SOPInstanceUID"), "1.2.3.4");
  EXPECT_EQ(value_of(some->octets, "StudyInstanceUID"), value_of(copy->octets, "StudyInstanceUID"));
  EXPECT_TRUE(some->result.sealed_uids.empty());
}

TEST(TransformUids, AReversibleMapIsReadWithTheKeyOnly) {
  const auto copy = transformed(R"t([{ uid_remap = ["StudyInstanceUID"], reversible = true }])t",
                                patient().bytes());
  ASSERT_TRUE(copy);
  ASSERT_EQ(copy->result.sealed_uids.size(), 1U);
  const std::string& sealed = copy->result.sealed_uids.front();
  EXPECT_EQ(sealed.find("1.2.3.5"), std::string::npos);
  const auto pair = Pseudonymizer(kTestKey).unseal(sealed);
  ASSERT_TRUE(pair);
  EXPECT_EQ(*pair, "1.2.3.5 " + value_of(copy->octets, "StudyInstanceUID"));
  EXPECT_EQ(Pseudonymizer("other").unseal(sealed).error().code, Errc::kCorrupt);
}

class TransformMap : public testing::Test {
 protected:
  std::string actions(const std::string& csv, const std::string& more = "") {
    std::ofstream(folder_ / "map.csv", std::ios::binary) << csv;
    return "[{ map = \"PatientID\", file = \"" + (folder_ / "map.csv").string() + "\"" + more +
           " }]";
  }
  /// As a worker is asked, with `now` as what the file has become since.
  std::string mapped(const std::string& actions_text, const std::string& now) {
    const Bytes set = patient().bytes();
    const MemoryFile in(set);
    const MemoryFile csv(as_bytes(now));
    const MemoryFile out;
    const MemoryFile scratch;
    const TransformRequest request{canonical(actions_text), uid_literal(kExplicitLe), kTestKey,
                                   "ROUTER", UtcMicros{}};
    const std::vector<int> inputs{in.fd(), csv.fd()};
    const std::vector<int> outputs{out.fd(), scratch.fd()};
    const auto result = run_transform(encode(request), inputs, outputs);
    return result ? value_of(out.content(), "PatientID") : result.error().detail;
  }

 private:
  test::TempDir folder_;
};

TEST_F(TransformMap, LooksUpByTheFirstColumn) {
  const std::string csv = "\"id-7\",\"TRIAL \"\"7\"\"\"\r\nother,x\n";
  EXPECT_EQ(mapped(actions(csv), csv), "TRIAL \"7\"");
  EXPECT_EQ(mapped(actions("a,b\n"), "a,b\n"), "map_missing PatientID");
  EXPECT_EQ(mapped(actions("a,b\n", ", missing = \"keep\""), "a,b\n"), "id-7");
  EXPECT_EQ(mapped(actions("a,b\n", ", missing = \"empty\""), "a,b\n"), "");
}

TEST_F(TransformMap, AFileThatHasChangedHoldsTheCopy) {
  EXPECT_EQ(mapped(actions("id-7,A\n"), "id-7,B\n"), "map_changed");
}

TEST(TransformOriginalAttributes, KeepsWhatWasThere) {
  const auto copy =
      transformed(R"t([{ set = "PatientID", to = "NEW" }, { original_attributes = "COERCE" }])t",
                  patient().bytes());
  ASSERT_TRUE(copy) << copy.error().to_string();
  const std::string path = "OriginalAttributesSequence.";
  EXPECT_EQ(value_of(copy->octets, "PatientID"), "NEW");
  EXPECT_EQ(value_of(copy->octets, path + "ModifiedAttributesSequence.PatientID"), "id-7");
  EXPECT_EQ(value_of(copy->octets, path + "ModifiedAttributesSequence.PatientName"), "(absent)");
  EXPECT_EQ(value_of(copy->octets, path + "ModifyingSystem"), "ROUTER");
  EXPECT_EQ(value_of(copy->octets, path + "ReasonForTheAttributeModification"), "COERCE");
  EXPECT_EQ(value_of(copy->octets, path + "AttributeModificationDateTime"), "20231114221320+0000");
}

TEST(TransformOctets, WhatIsNotNamedKeepsItsOctets) {
  Made made = patient();
  const std::size_t before = made.bytes().size();
  // Odd length, wrong padding, an unknown VR, a sequence of defined length: nothing of it is
  // righted.
  made.builder().element({0x0020, 0x0010}, vr('S', 'H'), std::string_view("\0\0x", 3));
  made.builder().element({0x0021, 0x1001}, vr('Z', 'Z'), "abcd");
  made.builder().header({0x0040, 0x0275}, vr('S', 'Q'), 16).item(8);
  made.builder().element({0x0040, 0x0007}, vr('L', 'O'), "");
  made.builder().undefined({0x7fe0, 0x0010}, vr('O', 'B'));
  made.builder().item(0).item(4).raw(as_bytes("\xff\xd8\xff\xd9")).end_sequence();
  const auto copy = transformed(R"t([{ set = "PatientName", to = "Roe" }])t", made.bytes());
  ASSERT_TRUE(copy) << copy.error().to_string();
  const ByteSpan tail = ByteSpan(made.bytes()).subspan(before);
  const std::string_view octets = as_text(copy->octets);
  EXPECT_TRUE(octets.ends_with(as_text(tail)));
  std::string expected(as_text(ByteSpan(made.bytes())));
  const std::string old_name("PN\x08\0Doe^Jane", 12);
  expected.replace(expected.find(old_name), old_name.size(), std::string("PN\x04\0Roe ", 8));
  EXPECT_EQ(octets, expected);
}

TEST(TransformOctets, GroupLengthsThatWouldLieGo) {
  Made made;
  made.builder().element({0x0010, 0x0000}, vr('U', 'L'), std::string_view("\x0c\0\0\0", 4));
  made.text("PatientID", "id-7");
  made.builder().element({0x0020, 0x0000}, vr('U', 'L'), std::string_view("\0\0\0\0", 4));
  const auto copy =
      transformed(R"t([{ set = "PatientID", to = "longer than before" }])t", made.bytes());
  ASSERT_TRUE(copy);
  const std::string_view octets = as_text(copy->octets);
  EXPECT_EQ(octets.find(std::string_view("\x10\0\0\0UL", 6)), std::string_view::npos);
  EXPECT_NE(octets.find(std::string_view("\x20\0\0\0UL", 6)), std::string_view::npos);
}

TEST(TransformCanonical, ReadsAsItself) {
  const char* const actions = R"t([{ set = "(0010,0020)", to = "a\"\\{PatientID|hash}" },
    { remove = ["curves", "PatientName", "(0019,xxxx)", "vr:PN"], everywhere = true },
    { copy = "PatientID", to = "StudyID" },
    { replace = "StudyDescription", pattern = '/a\d/i', with = '\0' },
    { prefix = "AccessionNumber", with = "A" },
    { uid_remap = ["StudyInstanceUID"], reversible = true },
    { deidentify = "basic", keep = ["uids", "longitudinal-full-dates"], clean = ["descriptors"], pixels = "accept" }])t";
  const std::string once = canonical(actions);
  const auto again = parse_transform(once);
  ASSERT_TRUE(again) << again.error().to_string();
  EXPECT_EQ(again->canonical(), once);
  EXPECT_EQ(once.find('\n'), std::string::npos);
  EXPECT_EQ(canonical(R"t([{ to = "X", set = "PatientID" }])t"),
            canonical(R"t([{ set = "(0010,0020)", to = "X" }])t"));
  EXPECT_TRUE(is_deidentified(once));
  EXPECT_FALSE(is_deidentified(R"t([{set="PatientID",to="X"}])t"));
}

Result<TransformChanges> explained(const TransformRequest& request, const MemoryFile& in) {
  const MemoryFile scratch;
  const std::array<int, 1> inputs{in.fd()};
  const std::array<int, 1> outputs{scratch.fd()};
  const auto octets = explain_transform(encode(request), inputs, outputs);
  if (!octets) return octets.error();
  return decode_transform_changes(*octets);
}

TEST(TransformExplain, ListsWhatChanges) {
  const Bytes set = patient().bytes();
  const MemoryFile in(set);
  const TransformRequest request{
      canonical(R"t([{ set = "PatientID", to = "NEW" }, { remove = "PatientName" },
                    { set = "StudyID", to = "S" }, { set = "AccessionNumber", to = "ACC1" }])t"),
      uid_literal(kExplicitLe), kTestKey, "ROUTER", UtcMicros{}};
  const auto changes = explained(request, in);
  ASSERT_TRUE(changes) << changes.error().to_string();
  EXPECT_EQ(changes->elements,
            (std::vector<ElementChange>{{"PatientName", "Doe^Jane", std::nullopt},
                                        {"PatientID", "id-7", "NEW"},
                                        {"StudyID", std::nullopt, "S"}}));
  EXPECT_EQ(changes->left_out, 0U);
}

TEST(TransformExplain, CutsLongValuesAndCountsWhatItLeavesOut) {
  Made set;
  std::string long_text;
  while (long_text.size() < 10'000) long_text += "ä";
  set.text("SpecificCharacterSet", "ISO_IR 192");
  set.text("ImageComments", long_text);
  const MemoryFile in(set.bytes());
  const auto cut = explained(
      {canonical(R"t([{ remove = "ImageComments" }])t"), uid_literal(kExplicitLe), "", "", {}}, in);
  ASSERT_TRUE(cut) << cut.error().to_string();
  ASSERT_EQ(cut->elements.size(), 1U);
  const std::string shown = cut->elements.front().before.value_or("");
  EXPECT_LE(shown.size(), TransformChanges::kMostValue);
  EXPECT_TRUE(shown.ends_with("ä…")) << shown.size();

  Made many;
  many.text("SpecificCharacterSet", "ISO_IR 192");
  many.builder().undefined({0x0054, 0x0220}, vr('S', 'Q'));  // View Code Sequence
  for (int i = 0; i < 3000; ++i) {
    many.builder().item().element({0x0008, 0x0104}, vr('L', 'O'), long_text.substr(0, 4000));
    many.builder().end_item();
  }
  many.builder().end_sequence();
  const MemoryFile all(many.bytes());
  const auto left = explained(
      {canonical(R"t([{ remove = "vr:LO" }])t"), uid_literal(kExplicitLe), "", "", {}}, all);
  ASSERT_TRUE(left) << left.error().to_string();
  EXPECT_EQ(left->elements.size() + left->left_out, 3000U);
  EXPECT_GT(left->left_out, 0U);
}

Bytes deflated(ByteSpan plain) {
  z_stream z{};
  EXPECT_EQ(deflateInit2(&z, 1, Z_DEFLATED, -MAX_WBITS, 9, Z_DEFAULT_STRATEGY), Z_OK);
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

/// With 20 MiB of pixel data, more than the header scan would inflate.
Bytes large_object() {
  Made made = patient();
  Bytes pixels(20U << 20);
  std::uint32_t noise = 1;
  for (std::byte& octet : pixels) {
    noise = noise * 1664525 + 1013904223;
    octet = static_cast<std::byte>(noise >> 30);
  }
  made.builder().element({0x7fe0, 0x0010}, vr('O', 'W'), pixels);
  return made.bytes();
}

std::string octets_of(std::string_view element, const Result<Copy>& copy) {
  if (!copy) return copy.error().detail;
  const MemorySet source(copy->octets);
  const auto set = DataSet::parse(source, encoding::kExplicitLittleEndian);
  const Element* const e = set->root().find(encoding::find_keyword(element)->tag);
  return e != nullptr ? std::string(as_text(*set->value(*e))) : "(absent)";
}

TEST(TransformCharacterSet, NewTextUsesTheCodeExtensionsThatTheObjectAnnounces) {
  Made made;
  made.text("SpecificCharacterSet", "\\ISO 2022 IR 87").text("PatientName", "Yamada^Tarou");
  const auto copy =
      transformed(R"t([{ set = "PatientName", to = "Yamada^Tarou=山田^太郎" }])t", made.bytes());
  EXPECT_EQ(octets_of("PatientName", copy), "Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B");
  EXPECT_EQ(octets_of("SpecificCharacterSet", copy), "\\ISO 2022 IR 87 ");
  EXPECT_EQ(after(R"t([{ set = "PatientName", to = "Müller" }])t", made.bytes(), "PatientName"),
            "character_set (0010,0010)");
}

TEST(TransformCharacterSet, WhatIsAssumedIsNamedOnceItIsUsed) {
  Made made;
  made.text("PatientName", "M\xfcller").text("PatientID", "7");
  const auto with = [&](std::string_view actions) {
    return transformed(actions, made.bytes(), kExplicitLe, kTestKey, "ISO_IR 100");
  };
  const auto read = with(R"t([{ set = "PatientID", to = "{PatientName|hash}" }])t");
  EXPECT_EQ(octets_of("PatientID", read), Pseudonymizer(kTestKey).hash("Müller"));
  EXPECT_EQ(octets_of("SpecificCharacterSet", read), "(absent)") << "only ASCII was written";
  const auto wrote = with(R"t([{ set = "PatientID", to = "{PatientName}" }])t");
  EXPECT_EQ(octets_of("PatientID", wrote), "M\xfcller");
  EXPECT_EQ(octets_of("SpecificCharacterSet", wrote), "ISO_IR 100");
  EXPECT_EQ(octets_of("PatientName", wrote), "M\xfcller");
}

TEST(TransformDeflated, LargeObjectsComeBackInflated) {
  const Bytes plain = large_object();
  const auto copy = transformed(R"t([{ set = "PatientID", to = "id-8" }])t", deflated(plain),
                                "1.2.840.10008.1.2.1.99");
  ASSERT_TRUE(copy) << copy.error().to_string();
  EXPECT_EQ(copy->result.transfer_syntax_uid, kExplicitLe);
  const auto expected = transformed(R"t([{ set = "PatientID", to = "id-8" }])t", plain);
  ASSERT_TRUE(expected);
  EXPECT_TRUE(copy->octets == expected->octets);
}

TEST(TransformDeflated, AboveTheLimitTheReasonIsSaid) {
  const MemoryFile in(deflated(large_object()));
  TransformRequest request{canonical(R"t([{ set = "PatientID", to = "X" }])t"),
                           uid_literal("1.2.840.10008.1.2.1.99"),
                           "",
                           "",
                           {}};
  request.most_inflated = 4U << 20;
  const auto held = explained(request, in);
  ASSERT_FALSE(held);
  EXPECT_TRUE(held.error().detail.starts_with("inflated ")) << held.error().detail;
  request.most_inflated = 32U << 20;
  EXPECT_TRUE(explained(request, in));
  const Bytes whole = deflated(large_object());
  const MemoryFile cut(ByteSpan(whole).first(whole.size() / 2));
  EXPECT_EQ(explained(request, cut).error().detail, "malformed deflated data set is cut off");
}

TEST(TransformMalformed, IsHeldAndNamesThePlace) {
  Bytes cut = patient().bytes();
  cut.resize(cut.size() - 3);
  const auto copy = transformed(R"t([{ set = "PatientID", to = "X" }])t", cut);
  ASSERT_FALSE(copy);
  EXPECT_TRUE(copy.error().detail.starts_with("malformed (0020,000d)")) << copy.error().detail;
}

// --- what a rule file is answered with

std::vector<std::string> findings_for(const std::string& transform) {
  return findings_of(
      "[[rule]]\nname = \"r\"\nwhen = {}\nroute = [\"xnat\"]\ntransform = " + transform + "\n");
}

struct Refused {
  const char* transform;
  const char* finding;
};

class TransformRefusals : public testing::TestWithParam<Refused> {};

TEST_P(TransformRefusals, NameThePlaceAndTheNearestWord) {
  const auto findings = findings_for(GetParam().transform);
  ASSERT_FALSE(findings.empty());
  EXPECT_EQ(findings.front(), std::string("rules.d/10.toml:5:") + GetParam().finding);
}

INSTANTIATE_TEST_SUITE_P(
    All, TransformRefusals,
    testing::Values(
        Refused{"[{ sett = \"PatientID\", to = \"X\" }]",
                "16: unknown action 'sett', did you mean 'set'?"},
        Refused{"[{ set = \"PatientId\", to = \"X\" }]",
                "22: unknown keyword 'PatientId', did you mean 'PatientID'?"},
        Refused{"[{ set = \"PatientID\", too = \"X\" }]", "14: 'to' is missing"},
        Refused{"[{ set = \"StudyDate\", to = \"2024-01-01\" }]",
                "40: '2024-01-01' is no date (YYYYMMDD): StudyDate has the VR DA"},
        Refused{"[{ set = \"Modality\", to = \"ct\" }]",
                "39: 'ct' has characters other than A-Z, 0-9, space and underscore: "
                "Modality has the VR CS"},
        Refused{"[{ set = \"Rows\", to = \"70000\" }]",
                "35: '70000' is no number that fits: Rows has the VR US"},
        Refused{"[{ set = \"PixelData\", to = \"x\" }]",
                "22: 'PixelData': pixel data stay as they are"},
        Refused{"[{ set = \"RequestAttributesSequence\", to = \"x\" }]",
                "22: 'RequestAttributesSequence' is a sequence or bulk data: it takes no "
                "text"},
        Refused{"[{ set = \"StudyID\", to = \"{PatientID|hsh}\" }]",
                "38: unknown filter 'hsh', did you mean 'hash'?"},
        Refused{"[{ remove = \"SOPInstanceUID\" }]",
                "25: 'SOPInstanceUID' can not be removed: the object is known by it"},
        Refused{"[{ remove = \"vr:XX\" }]", "25: 'vr:XX' is no VR, such as \"vr:PN\""},
        Refused{"[{ replace = \"StudyID\", pattern = \"/(/\", with = \"\" }]",
                "47: 'pattern' is no regular expression: missing ): ("},
        Refused{"[{ replace = \"StudyID\", pattern = \"/a/\", with = '\\1' }]",
                "61: 'with': Rewrite schema requests 1 matches, but "
                "the regexp only has 0 parenthesized subexpressions."},
        Refused{"[{ deidentify = \"basic\", keep = [\"longitudinal-full-date\"] }]",
                "46: 'keep' does not know 'longitudinal-full-date', did you mean "
                "'longitudinal-full-dates'?"},
        Refused{"[{ deidentify = \"basic\", safe_private = [\"(0019,ACME,30)\"] }]",
                "53: 'safe_private' needs keep = [\"safe-private\"]"},
        Refused{
            "[{ deidentify = \"basic\", keep = [\"safe-private\"], safe_private = [\"PatientID\"] "
            "}]",
            "79: 'PatientID' is no private element with its creator, such as "
            "\"(0019,ACME 1.0,30)\""},
        Refused{"[{ deidentify = \"bsic\" }]",
                "29: 'deidentify' must be one of \"basic\", did you mean 'basic'?"},
        Refused{"[{ deidentify = \"basic\" }, { original_attributes = \"COERCE\" }]",
                "13: 'original_attributes' would keep what 'deidentify' takes away: only one "
                "of them"},
        Refused{"[{ uid_remap = [\"PatientID\"] }]", "29: 'PatientID' is no UID of an instance"},
        Refused{"[]", "13: 'transform' must be a list of actions: [{ set = ... }, ...]"}));

TEST(TransformRefusals, EveryErrorOfAnActionAtOnce) {
  const auto findings = findings_for(
      "[{ set = \"PatientID\", to = \"X\", more = 1 }, { remove = [\"Foo\", \"Bar\"] }]");
  EXPECT_EQ(findings.size(), 3U);
}

TEST(TransformMaps, AreCheckedWithTheRules) {
  const RuleFolder folder;
  const std::string rule =
      "[[rule]]\nname = \"r\"\nwhen = {}\nroute = [\"xnat\"]\n"
      "transform = [{ map = \"AccessionNumber\", file = \"map.csv\" }]\n";
  folder.write("10.toml", rule);
  EXPECT_NE(folder.findings().front().find("can not be read"), std::string::npos);
  folder.write("map.csv", "a,b\nc,d,e\n");
  EXPECT_NE(folder.findings().front().find("line 2: 3 columns instead of 2"), std::string::npos);
  folder.write("map.csv", "a,b\nb,longer than any accession\n");
  EXPECT_NE(folder.findings().front().find("is longer than 16 characters"), std::string::npos);
  folder.write("map.csv", "a,b\n");
  EXPECT_TRUE(folder.findings().empty());
  const std::string text = folder.load().rules->rules().front().transform;
  EXPECT_NE(text.find("sha256=\"" + sha256_of("a,b\n")), std::string::npos) << text;
}

TEST(TransformDecision, TwoDifferentTransformsForOneDestinationHoldTheCopy) {
  const auto decided = [](const std::string& first, const std::string& second) {
    const auto rules =
        rules_of("[[rule]]\nname = \"a\"\nwhen = {}\nroute = [\"xnat\"]\n" + first +
                 "\n[[rule]]\nname = \"b\"\nwhen = {}\nroute = [\"xnat\"]\n" + second + "\n");
    return decide(*rules, {.data_set = patient().bytes()}).routes.at(0);
  };
  const std::string set = "transform = [{ set = \"PatientID\", to = \"X\" }]";
  const std::string same = "transform = [{ to = \"X\", set = \"(0010,0020)\" }]";
  EXPECT_EQ(decided(set, same).held, "");
  EXPECT_EQ(decided(set, same).transform, R"t([{set="PatientID",to="X"}])t");
  EXPECT_EQ(decided(set, "").held, "conflicting_transforms");
  EXPECT_EQ(decided("", set).held, "conflicting_transforms");
  EXPECT_EQ(decided("", "").held, "");
}

TEST(TransformKeys, AMissingPseudonymKeyIsAnErrorOfTheRule) {
  const auto rules = rules_of(
      "[[rule]]\nname = \"a\"\nwhen = {}\nroute = [\"xnat\"]\ntransform = [{ uid_remap = \"all\" "
      "}]\n"
      "[[rule]]\nname = \"b\"\nwhen = {}\nroute = [\"archive\"]\ntransform = [{ remove = "
      "\"private\" }]\n");
  EXPECT_TRUE(missing_keys(rules->rules(), "rules.d", true).empty());
  const auto missing = missing_keys(rules->rules(), "rules.d", false);
  ASSERT_EQ(missing.size(), 1U);
  EXPECT_EQ(missing.front().to_string(),
            "rules.d/10.toml:1:1: the transform of rule 'a' needs [keys] pseudonym in the "
            "configuration");
}

}  // namespace
}  // namespace dr::rules
