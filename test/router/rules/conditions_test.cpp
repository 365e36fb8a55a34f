// What each construct of the language matches.
#include <optional>
#include <random>

#include "test/router/rules/fixture.h"

namespace dr::rules {
namespace {

using encoding::DataSetBuilder;
using encoding::Tag;
using encoding::vr;

constexpr Tag kCharacterSet{0x0008, 0x0005};
constexpr Tag kImageType{0x0008, 0x0008};
constexpr Tag kStudyDate{0x0008, 0x0020};
constexpr Tag kStudyTime{0x0008, 0x0030};
constexpr Tag kModality{0x0008, 0x0060};
constexpr Tag kStudyDescription{0x0008, 0x1030};
constexpr Tag kPatientName{0x0010, 0x0010};
constexpr Tag kPatientAge{0x0010, 0x1010};
constexpr Tag kSliceThickness{0x0018, 0x0050};
constexpr Tag kAcquisitionDateTime{0x0008, 0x002a};

Object ct() { return with(kModality, "CS", "CT"); }

TEST(Condition, LiteralsAreComparedExactlyWithPaddingTrimmed) {
  EXPECT_TRUE(matches("{ Modality = \"CT\" }", ct()));
  EXPECT_TRUE(matches("{ Modality = \"CT\" }", with(kModality, "CS", " CT ")));
  EXPECT_TRUE(matches("{ StudyDescription = \"A b\" }", with(kStudyDescription, "LO", "A b  ")));
  EXPECT_FALSE(matches("{ StudyDescription = \"a b\" }", with(kStudyDescription, "LO", "A b ")));
  EXPECT_FALSE(matches("{ Modality = \"CT\" }", with(kModality, "CS", "CTX ")));
  EXPECT_FALSE(matches("{ Modality = \"CT\" }", with(kStudyDescription, "LO", "CT")));
  EXPECT_TRUE(matches("{ \"(0008,0060)\" = \"CT\" }", ct()));
}

TEST(Condition, UidsAreTrimmedOfTheirNul) {
  const auto object = with({0x0020, 0x000d}, "UI", std::string_view("1.2.3\0", 6));
  EXPECT_TRUE(matches("{ StudyInstanceUID = \"1.2.3\" }", object));
  EXPECT_TRUE(matches("{ StudyInstanceUID = \"1.2.*\" }", object));
}

TEST(Condition, AnArrayIsAnyOfIts) {
  EXPECT_TRUE(matches("{ Modality = [\"MR\", \"CT\", \"PT\"] }", ct()));
  EXPECT_FALSE(matches("{ Modality = [\"MR\", \"PT\"] }", ct()));
  EXPECT_TRUE(matches("{ Modality = [\"\", \"MR\"] }", with(kStudyDate, "DA", "20240101")));
}

TEST(Condition, OfSeveralValuesAnyMatches) {
  const auto object = with(kImageType, "CS", "ORIGINAL\\PRIMARY \\AXIAL");
  EXPECT_TRUE(matches("{ ImageType = \"PRIMARY\" }", object));
  EXPECT_TRUE(matches("{ ImageType = \"AX*\" }", object));
  EXPECT_FALSE(matches("{ ImageType = \"ORIGINAL*AXIAL\" }", object));
  EXPECT_FALSE(matches("{ not = { ImageType = \"PRIMARY\" } }", object));
}

TEST(Condition, GlobsMatchCharacters) {
  const auto object = with(kStudyDescription, "LO", "TRIAL-7 head");
  for (const std::string yes : {"TRIAL*", "*head", "*-7*", "TRIAL-? head", "*", "**", "T*L*d"}) {
    EXPECT_TRUE(matches("{ StudyDescription = \"" + yes + "\" }", object)) << yes;
  }
  for (const std::string no : {"TRIAL", "TRIAL?", "trial*", "*tail", "?", "*-8*", "*head?"}) {
    EXPECT_FALSE(matches("{ StudyDescription = [\"" + no + "\", \"x\"] }", object)) << no;
  }
}

TEST(Condition, AGlobOfManyStarsEnds) {
  const auto object = with(kStudyDescription, "LT", std::string(60'000, 'a'));
  EXPECT_FALSE(matches("{ StudyDescription = \"*a*a*a*a*a*a*a*a*b\" }", object));
}

TEST(Condition, EqualsTakesTheTextAsItIs) {
  const auto star = with(kStudyDescription, "LO", "*");
  const auto text = with(kStudyDescription, "LO", "x");
  EXPECT_TRUE(matches("{ StudyDescription = { equals = \"*\" } }", star));
  EXPECT_FALSE(matches("{ StudyDescription = { equals = \"*\" } }", text));
  EXPECT_TRUE(matches("{ StudyDescription = [\"y\", { equals = \"< 5\" }] }",
                      with(kStudyDescription, "LO", "< 5 ")));
}

TEST(Condition, EmptyTextIsAbsentOrEmpty) {
  EXPECT_TRUE(matches("{ StudyDescription = \"\" }", ct()));
  EXPECT_TRUE(matches("{ StudyDescription = \"\" }", with(kStudyDescription, "LO", "")));
  EXPECT_TRUE(matches("{ StudyDescription = \"\" }", with(kStudyDescription, "LO", "  ")));
  EXPECT_FALSE(matches("{ StudyDescription = \"\" }", with(kStudyDescription, "LO", "x")));
  EXPECT_TRUE(matches("{ not = { Modality = \"\" } }", ct()));
  EXPECT_TRUE(matches("{ source.user = \"\", source.tls_subject = \"\" }", ct()));
  EXPECT_FALSE(matches("{ StudyDescription = \"*\" }", ct()));
}

TEST(Condition, AnyAllAndNotNest) {
  EXPECT_TRUE(matches("{ any = [ { Modality = \"MR\" }, { Modality = \"CT\" } ] }", ct()));
  EXPECT_FALSE(matches("{ all = [ { Modality = \"C*\" }, { Modality = \"*R\" } ] }", ct()));
  EXPECT_TRUE(matches("{ all = [ { Modality = \"C*\" }, { Modality = \"*T\" } ] }", ct()));
  EXPECT_TRUE(matches("{ not = { Modality = \"CT\", PatientID = \"x\" } }", ct()));
  EXPECT_FALSE(matches("{ not = { not = { Modality = \"MR\" } } }", ct()));
  EXPECT_TRUE(matches(
      "{ any = [ { not = { any = [ { Modality = \"MR\" } ] } } ], PatientID = \"\" }", ct()));
}

TEST(Condition, ATableOfItsOwnIsTheSameCondition) {
  const auto rules = rules_of(
      "[[rule]]\nname = \"r\"\nroute = [\"archive\"]\n[rule.when]\nModality = \"CT\"\n"
      "source.ae_title = \"CT*\"\n[rule.when.not]\nPatientID = \"x\"\n");
  EXPECT_EQ(decide(*rules, ct()).matched.size(), 1U);
}

TEST(Condition, SourceIsTheSenderAndItsAssociation) {
  auto object = ct();
  object.tls_subject = "CN=ct1.example";
  object.user = "ann";
  EXPECT_TRUE(
      matches("{ source.ae_title = \"CT?\", source.called_ae_title = \"ROUTER\" }", object));
  EXPECT_TRUE(matches("{ source.address = \"10.1.*\", source.listener = \"modalities\" }", object));
  EXPECT_TRUE(matches("{ source.tls_subject = \"CN=ct1.*\", source.user = \"ann\" }", object));
  EXPECT_TRUE(matches("{ \"source.ae_title\" = \"CT1\" }", object));
  EXPECT_FALSE(matches("{ source.ae_title = \"ct1\" }", object));
  EXPECT_FALSE(matches("{ source.address = \"10.1.2.30\" }", object));
}

TEST(Condition, SopClassByNameUidAndGroup) {
  auto object = ct();
  for (const std::string yes : {"CT Image Storage", "CTImageStorage", "1.2.840.10008.5.1.4.1.1.2",
                                "1.2.840.10008.5.1.4.1.1.*", "group:ct"}) {
    EXPECT_TRUE(matches("{ sop_class = \"" + yes + "\" }", object)) << yes;
  }
  EXPECT_FALSE(matches("{ sop_class = [\"MR Image Storage\", \"group:radiotherapy\"] }", object));
  object.sop_class = "1.2.840.10008.5.1.4.1.1.481.3";
  EXPECT_TRUE(matches("{ sop_class = \"group:radiotherapy\" }", object));
  object.sop_class = "1.2.840.113619.4.2";
  EXPECT_TRUE(matches("{ sop_class = \"1.2.840.113619.4.2\" }", object));
}

TEST(Condition, TransferSyntaxByNameAndUid) {
  EXPECT_TRUE(matches("{ transfer_syntax = \"Explicit VR Little Endian\" }", ct()));
  EXPECT_TRUE(matches("{ transfer_syntax = \"1.2.840.10008.1.2.1\" }", ct()));
  EXPECT_FALSE(matches("{ transfer_syntax = \"1.2.840.10008.1.2.4.*\" }", ct()));
}

TEST(Condition, RegularExpressionsAreFoundAnywhere) {
  const auto object = with({0x0008, 0x1010}, "SH", "ED12");
  EXPECT_TRUE(matches("{ StationName = '/^ED\\d+$/' }", object));
  EXPECT_TRUE(matches("{ StationName = '/d1/i' }", object));
  EXPECT_FALSE(matches("{ StationName = '/d1/' }", object));
}

TEST(Condition, ARegularExpressionTakesLinearTime) {
  const auto object = with(kStudyDescription, "LT", std::string(60'000, 'a'));
  EXPECT_FALSE(matches("{ StudyDescription = '/^(a+)+$b/' }", object));
}

struct Number {
  std::string_view condition;
  std::string_view value;
  bool fits;
};

void expect(std::string_view keyword, Tag tag, const char (&v)[3], const Number& n) {
  const std::string when = "{ " + std::string(keyword) + " = " + std::string(n.condition) + " }";
  EXPECT_EQ(matches(when, with(tag, v, n.value)), n.fits) << when << " for " << n.value;
}

TEST(Condition, NumbersAreComparedAsNumbers) {
  for (const Number& n :
       {Number{"\"<= 1.5\"", "1.50", true}, Number{"\"< 1.5\"", "1.50", false},
        Number{"\">1.5\"", "+2", true}, Number{"\">= 1.5\"", "1.4999", false},
        Number{"\"1..5\"", "5.0 ", true}, Number{"\"1..5\"", "5.01", false},
        Number{"\"-5..-1\"", "-3", true}, Number{"\"1.5\"", "1.500", true},
        Number{"1.5", "15e-1", true}, Number{"2", "2.0", true}, Number{"\"< 5\"", "thin", false},
        Number{"\"< 5\"", "", false}, Number{"\"< 5\"", "nan ", false},
        Number{"\"1?\"", "12", true}, Number{"{ equals = \"1.5\" }", "1.50", false},
        Number{"\"< 2\"", "9\\1 ", true}}) {
    expect("SliceThickness", kSliceThickness, "DS", n);
  }
}

TEST(Condition, DatesTimesAndAgesHaveRanges) {
  for (const Number& n :
       {Number{"\"20240131\"", "20240131", true}, Number{"\"20240101-20241231\"", "20241231", true},
        Number{"\"20240101-20241231\"", "20250101", false},
        Number{"\"20240101-\"", "20300101", true}, Number{"\"-20240101\"", "20240102", false},
        Number{"\"< 20240101\"", "20231231", true}, Number{"\"202401*\"", "20240131", true}}) {
    expect("StudyDate", kStudyDate, "DA", n);
  }
  for (const Number& n :
       {Number{"\"0800-1200\"", "120059.5", true}, Number{"\"0800-1200\"", "120100", false},
        Number{"\"0830\"", "083015", true}, Number{"\"083000\"", "0830", true},
        Number{"\"> 1200\"", "120030", false}, Number{"\"<= 1200\"", "120030", true},
        Number{"\"< 1200\"", "120000", false}}) {
    expect("StudyTime", kStudyTime, "TM", n);
  }
  for (const Number& n : {Number{"\"2024\"", "20240131120000.5", true},
                          Number{"\"202401310800-202401311200\"", "20240131120059+0100 ", true},
                          Number{"\"202401310800-202401311200\"", "20240131120100", false}}) {
    expect("AcquisitionDateTime", kAcquisitionDateTime, "DT", n);
  }
  for (const Number& n : {Number{"\"1..5\"", "005Y", true}, Number{"\"1..5\"", "006Y", false},
                          Number{"\"1..5\"", "018M", true}, Number{"\"< 18\"", "017Y", true},
                          Number{"\"< 6M\"", "020W", true}, Number{"\"< 6M\"", "030W", false},
                          Number{"\"018Y\"", "018Y", true}, Number{"\"< 18\"", "old ", false}}) {
    expect("PatientAge", kPatientAge, "AS", n);
  }
}

TEST(Condition, BinaryNumbersInEveryEncoding) {
  constexpr Tag kRows{0x0028, 0x0010};
  for (const bool big : {false, true}) {
    for (const bool explicit_vr : {true, false}) {
      if (big && !explicit_vr) continue;
      Bytes value;
      const std::uint16_t rows = 512;
      big ? ByteWriter(value).be(rows) : ByteWriter(value).le(rows);
      DataSetBuilder set({explicit_vr, big});
      set.element(kModality, vr('C', 'S'), "CT").element(kRows, vr('U', 'S'), value);
      const Object object{.data_set = set.bytes(),
                          .transfer_syntax = big           ? kExplicitBe
                                             : explicit_vr ? kExplicitLe
                                                           : kImplicitLe};
      EXPECT_TRUE(matches("{ Rows = \"512\", Modality = \"CT\" }", object)) << big << explicit_vr;
      EXPECT_TRUE(matches("{ Rows = 512 }", object)) << big << explicit_vr;
      EXPECT_TRUE(matches("{ Rows = [\"51?\"] }", object)) << big << explicit_vr;
      EXPECT_FALSE(matches("{ Rows = \"< 512\" }", object)) << big << explicit_vr;
    }
  }
}

TEST(Condition, FloatsAndTagsAreWrittenAsPeopleDo) {
  Bytes value;
  ByteWriter(value).le(std::bit_cast<std::uint64_t>(0.1));
  DataSetBuilder set;
  set.element({0x0018, 0x9073}, vr('F', 'D'), value);  // AcquisitionDuration
  EXPECT_TRUE(matches("{ AcquisitionDuration = { equals = \"0.1\" } }", {.data_set = set.bytes()}));
  Bytes tag;
  ByteWriter(tag).le(std::uint16_t{0x0018});
  ByteWriter(tag).le(std::uint16_t{0x1063});
  DataSetBuilder pointer;
  pointer.element({0x0028, 0x0009}, vr('A', 'T'), tag);  // FrameIncrementPointer
  EXPECT_TRUE(
      matches("{ FrameIncrementPointer = \"(0018,1063)\" }", {.data_set = pointer.bytes()}));
}

TEST(Condition, TextIsComparedInUnicodeWhateverItsCharacterSet) {
  const auto named = [](std::string_view charset, std::string_view name) {
    DataSetBuilder set;
    set.element(kCharacterSet, vr('C', 'S'), charset).element(kPatientName, vr('P', 'N'), name);
    return Object{.data_set = set.bytes()};
  };
  const std::string_view when = "{ PatientName = \"Müller^J?rg\" }";
  EXPECT_TRUE(matches(when, named("ISO_IR 100", "M\xfcller^J\xf6rg ")));
  EXPECT_TRUE(matches(when, named("ISO_IR 192", "Müller^Jörg")));
  EXPECT_FALSE(matches(when, named("ISO_IR 144", "M\xfcller^J\xf6rg ")));
  EXPECT_FALSE(matches(when, named("", "M\xfcller^J\xf6rg ")));
  EXPECT_TRUE(
      matches("{ PatientName = \"*山田*\" }",
              named("\\ISO 2022 IR 87", "Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=x ")));
  // GB18030 has characters whose second octet is that of a backslash.
  EXPECT_TRUE(matches("{ PatientName = \"Zhang^俓x\" }", named("GB18030", "Zhang^\x82\x5cx")));
  EXPECT_TRUE(matches("{ PatientName = '/^m.ller/i' }", named("ISO_IR 100", "M\xfcller^J\xf6rg ")));
}

TEST(Condition, TheSendersCharacterSetIsThatOfObjectsThatNameNone) {
  const auto named = [](std::optional<std::string_view> charset) {
    DataSetBuilder set;
    if (charset) set.element(kCharacterSet, vr('C', 'S'), *charset);
    set.element(kPatientName, vr('P', 'N'), "M\xfcller ");
    return Object{.data_set = set.bytes(), .character_set = "ISO_IR 100"};
  };
  const std::string_view when = "{ PatientName = \"Müller\" }";
  EXPECT_TRUE(matches(when, named(std::nullopt)));
  EXPECT_TRUE(matches(when, named("")));
  EXPECT_TRUE(matches(when, named("  ")));
  EXPECT_FALSE(matches(when, named("ISO_IR 144"))) << "what the object says counts";
}

TEST(Condition, PrivateElementsAreFoundInWhateverBlockTheirCreatorHas) {
  const auto object = [](std::uint16_t block, std::string_view creator, bool explicit_vr) {
    DataSetBuilder set({explicit_vr, false});
    set.element({0x0019, 0x0010}, vr('L', 'O'), "OTHER ")
        .element({0x0019, block}, vr('L', 'O'), creator)
        .element({0x0019, 0x1030}, vr('L', 'O'), "no")
        .element({0x0019, static_cast<std::uint16_t>(block << 8 | 0x30)}, vr('L', 'O'), "5 ");
    return Object{.data_set = set.bytes(),
                  .transfer_syntax = explicit_vr ? kExplicitLe : kImplicitLe};
  };
  for (const bool explicit_vr : {true, false}) {
    for (const int block : {0x11, 0x80, 0xff}) {
      const auto ours = object(static_cast<std::uint16_t>(block), "GEMS_ACQU_01", explicit_vr);
      EXPECT_TRUE(matches("{ \"(0019,GEMS_ACQU_01,30)\" = \"5\" }", ours));
      EXPECT_TRUE(matches("{ \"(0019,GEMS_ACQU_01,30)\" = \"< 6\" }", ours));
      EXPECT_FALSE(matches("{ \"(0019,GEMS_ACQU_01,30)\" = \"no\" }", ours));
      EXPECT_TRUE(matches("{ \"(0019,GEMS_ACQU_01,31)\" = \"\" }", ours));
    }
  }
  EXPECT_FALSE(
      matches("{ \"(0019,GEMS_ACQU_01,30)\" = \"5\" }", object(0x11, "SIEMENS MR ", true)));
}

/// ProcedureCodeSequence (0008,1032) with two items; the second holds another sequence.
Object with_sequence(encoding::Encoding encoding, bool undefined, std::string_view syntax) {
  constexpr Tag kSequence{0x0008, 0x1032};
  constexpr Tag kInner{0x0008, 0x0121};  // EquivalentCodeSequence
  constexpr Tag kCodeValue{0x0008, 0x0100};
  const auto nest = [&](DataSetBuilder& set, Tag tag, const std::vector<Bytes>& items) {
    DataSetBuilder inside(encoding);
    for (const Bytes& item : items) {
      inside.item(undefined ? encoding::kUndefinedLength : static_cast<std::uint32_t>(item.size()));
      inside.raw(item);
      if (undefined) inside.end_item();
    }
    if (undefined) {
      set.undefined(tag, vr('S', 'Q')).raw(inside.bytes()).end_sequence();
    } else {
      set.element(tag, vr('S', 'Q'), inside.bytes());
    }
  };
  DataSetBuilder innermost(encoding);
  innermost.element(kCodeValue, vr('S', 'H'), "INNER ");
  DataSetBuilder first(encoding);
  first.element(kCodeValue, vr('S', 'H'), "FIRST ");
  DataSetBuilder second(encoding);
  second.element(kCodeValue, vr('S', 'H'), "SECOND");
  nest(second, kInner, {innermost.bytes()});
  DataSetBuilder set(encoding);
  nest(set, kSequence, {first.bytes(), second.bytes()});
  set.element(kPatientName, vr('P', 'N'), "X ");
  return {.data_set = set.bytes(), .transfer_syntax = syntax};
}

TEST(Condition, PathsGoIntoSequencesInEveryEncoding) {
  const std::string key = "ProcedureCodeSequence";
  for (const bool undefined : {false, true}) {
    for (const auto& [encoding, syntax] :
         {std::pair{encoding::Encoding{true, false}, kExplicitLe},
          std::pair{encoding::Encoding{false, false}, kImplicitLe},
          std::pair{encoding::Encoding{true, true}, kExplicitBe}}) {
      const auto object = with_sequence(encoding, undefined, syntax);
      EXPECT_TRUE(matches("{ " + key + ".CodeValue = \"FIRST\" }", object)) << syntax << undefined;
      EXPECT_TRUE(matches("{ " + key + ".CodeValue = \"SECOND\" }", object));
      EXPECT_TRUE(matches("{ \"" + key + "[1].CodeValue\" = \"FIRST\" }", object));
      EXPECT_FALSE(matches("{ \"" + key + "[1].CodeValue\" = \"SECOND\" }", object));
      EXPECT_TRUE(matches("{ \"" + key + "[2].(0008,0100)\" = \"SECOND\" }", object));
      EXPECT_TRUE(matches("{ \"" + key + "[3].CodeValue\" = \"\" }", object));
      EXPECT_TRUE(matches("{ " + key + ".EquivalentCodeSequence.CodeValue = \"INNER\" }", object));
      EXPECT_FALSE(matches("{ " + key + ".CodeValue = \"INNER\" }", object));
      EXPECT_FALSE(matches("{ " + key + " = \"\" }", object));
    }
  }
  EXPECT_TRUE(matches("{ " + key + " = \"\" }", ct()));
}

TEST(Condition, ASequenceOfUnknownVrHoldsImplicitLittleEndian) {
  DataSetBuilder inside({false, false});
  DataSetBuilder item({false, false});
  item.element({0x0008, 0x0100}, {}, "INNER ");
  inside.item(static_cast<std::uint32_t>(item.size())).raw(item.bytes());
  for (const bool undefined : {false, true}) {
    DataSetBuilder outer;  // an explicit VR item with the sequence inside of it
    if (undefined) {
      outer.undefined({0x0008, 0x0121}, vr('U', 'N')).raw(inside.bytes());
      outer.raw(as_bytes(std::string_view("\xfe\xff\xdd\xe0\0\0\0\0", 8)));
    } else {
      outer.element({0x0008, 0x0121}, vr('U', 'N'), inside.bytes());
    }
    DataSetBuilder set;
    set.undefined({0x0008, 0x1032}, vr('S', 'Q'))
        .item(static_cast<std::uint32_t>(outer.size()))
        .raw(outer.bytes())
        .end_sequence();
    EXPECT_TRUE(matches("{ ProcedureCodeSequence.EquivalentCodeSequence.CodeValue = \"INNER\" }",
                        {.data_set = set.bytes()}))
        << undefined;
    DataSetBuilder top;
    top.element({0x0008, 0x0005}, vr('C', 'S'), "")
        .element({0x0008, 0x1032}, vr('U', 'N'), inside.bytes());
    EXPECT_TRUE(
        matches("{ ProcedureCodeSequence.CodeValue = \"INNER\" }", {.data_set = top.bytes()}));
  }
}

TEST(Condition, OctetsThatAreNoItemsAreNotFollowed) {
  for (const std::string_view junk : {"junk", "\xfe\xff", "\xfe\xff\x00\xe0\xff\xff\xff\xff\x08",
                                      "\xfe\xff\x00\xe0\xff\xff\xff\x7fxxxxxxxx"}) {
    DataSetBuilder set;
    set.element({0x0008, 0x1032}, vr('S', 'Q'), junk);
    EXPECT_FALSE(matches("{ ProcedureCodeSequence.CodeValue = \"*\" }", {.data_set = set.bytes()}));
  }
}

TEST(Condition, DamagedSequencesEndTheWalkAndNothingElse) {
  constexpr std::uint32_t kSeed = 3;
  std::mt19937 random(kSeed);
  const auto rules = rules_of(
      "[[rule]]\nname = \"r\"\nroute = [\"archive\"]\nwhen = { any = [ "
      "{ ProcedureCodeSequence.EquivalentCodeSequence.CodeValue = \"NONE\" }, "
      "{ PatientName = \"X\" } ] }\n");
  for (const bool undefined : {false, true}) {
    const auto whole = with_sequence({true, false}, undefined, kExplicitLe);
    ASSERT_EQ(decide(*rules, whole).matched.size(), 1U);
    const std::size_t tail = 10;  // PatientName, which stands behind
    for (int round = 0; round < 5000; ++round) {
      // The damaged octets as the value of an element whose own length is right.
      Bytes items(whole.data_set.begin() + 12, whole.data_set.end() - tail);
      for (int n = 0; n < 3; ++n) items[random() % items.size()] = static_cast<std::byte>(random());
      items.resize(random() % items.size());
      DataSetBuilder set;
      set.element({0x0008, 0x1032}, vr('S', 'Q'), items).element(kPatientName, vr('P', 'N'), "X ");
      EXPECT_EQ(decide(*rules, {.data_set = set.bytes()}).matched.size(), 1U)
          << "seed " << kSeed << " round " << round;
    }
  }
}

TEST(Condition, SequencesNestedTooDeepHideWhatIsInside) {
  Bytes items;
  for (int depth = 0; depth < 4000; ++depth) {
    DataSetBuilder level;
    level.item().undefined({0x0008, 0x1032}, vr('S', 'Q'));
    items.insert(items.end(), level.bytes().begin(), level.bytes().end());
  }
  DataSetBuilder set;
  set.element({0x0008, 0x1032}, vr('S', 'Q'), items).element(kPatientName, vr('P', 'N'), "X ");
  const Object object{.data_set = set.bytes()};
  EXPECT_TRUE(matches("{ ProcedureCodeSequence.CodeValue = \"\", PatientName = \"X\" }", object));
}

TEST(Condition, OfAValueTooLongToKeepTheHeadIsCompared) {
  const auto object = with(kStudyDescription, "UT", "head" + std::string(100'000, 'x'));
  EXPECT_TRUE(matches("{ StudyDescription = \"head*\" }", object));
  EXPECT_FALSE(matches("{ StudyDescription = \"*y\" }", object));
}

TEST(Condition, ThePlanIsWhatTheRulesAndTheNodeAskFor) {
  const auto rules = rules_of(
      "[[rule]]\nname = \"r\"\nroute = [\"archive\"]\nwhen = { SliceThickness = \"1\", "
      "ProcedureCodeSequence.CodeValue = \"x\", source.ae_title = \"x\" }\n");
  const std::vector<Tag> wanted{{0x0008, 0x0005}, {0x0008, 0x0016}, {0x0008, 0x0018},
                                {0x0008, 0x0060}, {0x0008, 0x1032}, {0x0010, 0x0020},
                                {0x0018, 0x0050}, {0x0020, 0x000d}, {0x0020, 0x000e}};
  EXPECT_EQ(rules->scan_plan().tags(), wanted);
}

/// ProcedureCodeSequence with these items.
Object with_items(const std::vector<Bytes>& items, encoding::Encoding encoding = {},
                  std::string_view syntax = kExplicitLe) {
  DataSetBuilder set(encoding);
  set.undefined({0x0008, 0x1032}, vr('S', 'Q'));
  for (const Bytes& item : items) set.item().raw(item).end_item();
  set.end_sequence();
  return {.data_set = set.bytes(), .transfer_syntax = syntax};
}

TEST(Condition, PrivateElementsInsideOfSequencesHaveTheBlockOfTheirOwnItem) {
  for (const bool explicit_vr : {true, false}) {
    const encoding::Encoding encoding{explicit_vr, false};
    const auto item = [&](std::uint16_t block, std::string_view creator, std::string_view value) {
      DataSetBuilder set(encoding);
      set.element({0x0019, 0x0010}, vr('L', 'O'), "OTHER ")
          .element({0x0019, block}, vr('L', 'O'), creator)
          .element({0x0019, 0x1001}, vr('L', 'O'), "other ")
          .element({0x0019, static_cast<std::uint16_t>(block << 8 | 0x01)}, vr('L', 'O'), value);
      return set.bytes();
    };
    const std::string key = "ProcedureCodeSequence.(0019,ACME,01)";
    const auto object = with_items({item(0x11, "ACME", "first "), item(0x42, "ACME", "second"),
                                    item(0x11, "SOMEBODY", "third ")},
                                   encoding, explicit_vr ? kExplicitLe : kImplicitLe);
    EXPECT_TRUE(matches("{ \"" + key + "\" = \"first\" }", object)) << explicit_vr;
    EXPECT_TRUE(matches("{ \"" + key + "\" = \"second\" }", object)) << explicit_vr;
    EXPECT_FALSE(matches("{ \"" + key + "\" = [\"other\", \"third\"] }", object)) << explicit_vr;
    EXPECT_TRUE(matches("{ \"ProcedureCodeSequence[3].(0019,ACME,01)\" = \"\" }", object));
  }
}

TEST(Condition, PathsGoThroughPrivateSequences) {
  DataSetBuilder inner;
  inner.element({0x0008, 0x0100}, vr('S', 'H'), "A1");
  DataSetBuilder set;
  set.element({0x0029, 0x0042}, vr('L', 'O'), "ACME")
      .undefined({0x0029, 0x4210}, vr('S', 'Q'))
      .item()
      .raw(inner.bytes())
      .end_item()
      .end_sequence();
  const Object object{.data_set = set.bytes()};
  EXPECT_TRUE(matches("{ \"(0029,ACME,10).CodeValue\" = \"A1\" }", object));
  EXPECT_TRUE(matches("{ \"(0029,ACME,10)\".CodeValue = \"A1\" }", object));
  EXPECT_TRUE(matches("{ \"(0029,ACME,10)[1].CodeValue\" = \"A1\" }", object));
  EXPECT_FALSE(matches("{ \"(0029,OTHER,10).CodeValue\" = \"A1\" }", object));
  EXPECT_FALSE(matches("{ \"(0029,ACME,10)\" = \"\" }", object));
}

TEST(Condition, AnItemMayHaveACharacterSetOfItsOwn) {
  const auto item = [](std::string_view charset, std::string_view meaning) {
    DataSetBuilder set;
    if (!charset.empty()) set.element(kCharacterSet, vr('C', 'S'), charset);
    set.element({0x0008, 0x0104}, vr('L', 'O'), meaning);
    return set.bytes();
  };
  auto object = with_items({item("ISO_IR 192",
                                 "Sch\xc3\xa4"
                                 "del "),
                            item("",
                                 "Sch\xe4"
                                 "del")});
  DataSetBuilder head;
  head.element(kCharacterSet, vr('C', 'S'), "ISO_IR 100");
  object.data_set.insert(object.data_set.begin(), head.bytes().begin(), head.bytes().end());
  EXPECT_TRUE(matches("{ \"ProcedureCodeSequence[1].CodeMeaning\" = \"Schädel\" }", object));
  EXPECT_TRUE(matches("{ \"ProcedureCodeSequence[2].CodeMeaning\" = \"Schädel\" }", object));
}

TEST(Condition, AddressesAreComparedByRangeHoweverTheyAreWritten) {
  const auto from = [](const char* address) {
    auto object = ct();
    object.address = address;
    return object;
  };
  EXPECT_TRUE(matches("{ source.address = \"10.1.0.0/16\" }", from("10.1.255.255")));
  EXPECT_FALSE(matches("{ source.address = \"10.1.0.0/16\" }", from("10.2.0.0")));
  EXPECT_TRUE(matches("{ source.address = \"FD00:0::1\" }", from("fd00::1")));
  EXPECT_TRUE(matches("{ source.address = [\"::1\", \"fd00::/8\"] }", from("fdff::2%eth0")));
  EXPECT_FALSE(matches("{ source.address = \"0.0.0.0/0\" }", from("fd00::1")));
  EXPECT_TRUE(matches("{ not = { source.address = \"0.0.0.0/0\" } }", from("")));
}

TEST(Condition, SopClassesBelongToGroups) {
  const auto in = [](const char* group, const char* sop_class) {
    auto object = ct();
    object.sop_class = sop_class;
    return matches("{ sop_class = \"group:" + std::string(group) + "\" }", object);
  };
  EXPECT_TRUE(in("images", "1.2.840.10008.5.1.4.1.1.2"));
  EXPECT_TRUE(in("images", "1.2.840.10008.5.1.4.1.1.481.1")) << "RT images are images";
  EXPECT_FALSE(in("images", "1.2.840.10008.5.1.4.1.1.481.3"));
  EXPECT_FALSE(in("images", "1.2.840.10008.5.1.4.1.1.88.11"));
  for (const char* group : {"structured reports", "structured-reports", "report"}) {
    EXPECT_TRUE(in(group, "1.2.840.10008.5.1.4.1.1.88.11")) << group;
  }
}

}  // namespace
}  // namespace dr::rules
