// What a rule file is answered with when it is wrong: place and words, exactly.
#include "test/router/rules/fixture.h"

namespace dr::rules {
namespace {

using Lines = std::vector<std::string>;

/// The findings of a rule with this condition; `when` begins in column 8 of line 3.
Lines of_when(std::string_view when) {
  return findings_of("[[rule]]\nname = \"r\"\nwhen = " + std::string(when) +
                     "\nroute = [\"archive\"]\n");
}

struct Case {
  std::string_view when;
  std::string_view finding;  // behind "rules.d/10.toml:3:"
};

class Condition : public testing::TestWithParam<Case> {};

TEST_P(Condition, IsRefusedWithPlaceAndReason) {
  EXPECT_EQ(of_when(GetParam().when), Lines{"rules.d/10.toml:3:" + std::string(GetParam().finding)})
      << GetParam().when;
}

INSTANTIATE_TEST_SUITE_P(
    Keys, Condition,
    testing::Values(
        Case{"{ Modalty = \"CT\" }", "10: unknown keyword 'Modalty', did you mean 'Modality'?"},
        Case{"{ modality = \"CT\" }", "10: unknown keyword 'modality', did you mean 'Modality'?"},
        Case{"{ Qqqqqqqqqqqq = \"CT\" }", "10: unknown keyword 'Qqqqqqqqqqqq'"},
        Case{"{ sop_clas = \"x\" }", "10: unknown keyword 'sop_clas', did you mean 'sop_class'?"},
        Case{"{ nto = { Modality = \"CT\" } }", "10: unknown keyword 'nto', did you mean 'not'?"},
        Case{"{ source.ae_titel = \"x\" }",
             "17: unknown key 'source.ae_titel', did you mean 'source.ae_title'?"},
        Case{"{ source = \"x\" }", "10: unknown key 'source'"},
        Case{"{ recieved = \"Mon-Fri 20:00-06:00\" }",
             "10: unknown keyword 'recieved', did you mean 'received'?"},
        Case{"{ \"(0008,006)\" = \"CT\" }",
             "10: '(0008,006)' is no tag: write \"(0008,0060)\", or \"(0019,CREATOR,30)\" for a "
             "private one"},
        Case{"{ \"(0019,1030)\" = \"1\" }",
             "10: '(0019,1030)' is private and its block may differ from object to object: name "
             "the creator, \"(0019,CREATOR,30)\""},
        Case{"{ \"(0018,ACME,30)\" = \"1\" }",
             "10: '(0018,ACME,30)': private elements have an odd group above 0008"},
        Case{"{ TransferSyntaxUID = \"1.2\" }",
             "10: 'TransferSyntaxUID' is no part of a data set, did you mean 'transfer_syntax'?"},
        Case{"{ PixelData = \"\" }",
             "10: 'PixelData' can not be asked for: rules read nothing from pixel data on"},
        Case{"{ Modality.CodeValue = \"x\" }", "10: 'Modality' takes a value, not a table"},
        Case{"{ ProcedureCodeSequence.CodeValu = \"x\" }",
             "32: unknown keyword 'CodeValu', did you mean 'CodeValue'?"},
        Case{"{ \"ProcedureCodeSequence[0].CodeValue\" = \"x\" }",
             "10: 'ProcedureCodeSequence[0]': items are counted from 1, "
             "'ProcedureCodeSequence[1]'"},
        Case{"{ \"Modality[1].CodeValue\" = \"x\" }",
             "10: 'Modality' is no sequence: nothing stands inside of it"},
        Case{"{ \"ProcedureCodeSequence.(0019,ACME)\" = \"x\" }",
             "10: '(0019,ACME)' is no tag: write \"(0008,0060)\", or \"(0019,CREATOR,30)\" for a "
             "private one"}));

INSTANTIATE_TEST_SUITE_P(
    Values, Condition,
    testing::Values(
        Case{"{ Modality = 5 }",
             "21: 'Modality' (CS) is not compared as a number: put it in quotes"},
        Case{"{ Modality = true }",
             "21: the value of 'Modality' must be a text in quotes, a number, or a list of these"},
        Case{"{ Modality = [] }", "21: an empty list matches nothing"},
        Case{"{ Modality = [\"CT\", [\"MR\"]] }",
             "28: the value of 'Modality' must be a text in quotes, a number, or a list of these"},
        Case{"{ Modality = { equals = 5 } }",
             "21: the value of 'Modality' may be a table only as { equals = \"text\" }"},
        Case{"{ StudyDate = 2024-01-31 }",
             "22: write dates and times as DICOM does, in quotes: \"20240131\""},
        Case{"{ StudyDate = \"31.01.2024\" }",
             "22: 'StudyDate' (DA) is compared as a date: write \"20240131\", "
             "\"20240101-20241231\", \"< 20240131\" or a glob; '31.01.2024' is none of these"},
        Case{"{ StudyDate = \"20241231-20240101\" }",
             "22: '20241231-20240101' is empty: it begins above its end"},
        Case{
            "{ SliceThickness = \"< thin\" }",
            "27: 'SliceThickness' (DS) is compared as a number: write \"1.5\", \"< 1.5\", \"1..5\" "
            "or a glob; '< thin' is none of these"},
        Case{"{ PatientAge = \"five\" }",
             "23: 'PatientAge' (AS) is compared as an age: write \"018Y\", \"1..5\" (years), "
             "\"< 18\", \"< 6M\" or a glob; 'five' is none of these"},
        Case{"{ StudyDescription = \"< 5\" }",
             "29: 'StudyDescription' (LO) is text, which has no greater or less; for the text "
             "itself write { equals = \"< 5\" }"},
        Case{"{ StationName = '/[/' }", "24: '/[/' is no regular expression: missing ]: ["},
        Case{"{ StationName = '/a' }",
             "24: '/a' is no regular expression: write '/.../' or '/.../i', and for the text "
             "itself { equals = ... }"},
        Case{"{ StationName = '/a/x' }",
             "24: '/a/x' is no regular expression: write '/.../' or '/.../i', and for the text "
             "itself { equals = ... }"},
        Case{"{ ProcedureCodeSequence = \"x\" }",
             "34: 'ProcedureCodeSequence' (SQ) is a sequence: ask for an element inside of it, or "
             "for \"\" (absent or empty)"},
        Case{"{ RedPaletteColorLookupTableData = \"x\" }",
             "43: 'RedPaletteColorLookupTableData' (OW) is binary: only \"\" (absent or empty) can "
             "be asked for"},
        Case{"{ StudyInstanceUID = \"CT\" }", "29: 'CT' is no UID"},
        Case{"{ sop_class = \"CT Image Storag\" }",
             "22: unknown SOP class 'CT Image Storag', did you mean 'CTImageStorage'?"},
        Case{"{ sop_class = \"group:radiotherpy\" }",
             "22: unknown group 'radiotherpy', did you mean 'radiotherapy'?"},
        Case{"{ transfer_syntax = \"JPEG 2001\" }",
             "28: unknown transfer syntax 'JPEG 2001', did you mean 'JPEG 2000'?"},
        Case{"{ source.address = \"10.1.0.0/33\" }",
             "27: '10.1.0.0/33': the prefix length must be 0 to 32; write \"10.1.2.3\", "
             "\"10.1.0.0/16\", \"fd00::/8\" or a glob, \"10.1.*\""},
        Case{"{ source.address = \"ct1\" }",
             "27: 'ct1': not an IPv4 or IPv6 address; write \"10.1.2.3\", \"10.1.0.0/16\", "
             "\"fd00::/8\" or a glob, \"10.1.*\""},
        Case{"{ received = \"Mon-Fry 20:00-06:00\" }",
             "21: 'Mon-Fry 20:00-06:00' is no window of time: write \"Mon-Fri 20:00-06:00\", "
             "\"Sat,Sun\" or \"07:30-18:00\""},
        Case{"{ received = 5 }", "21: 'received' is not compared as a number: put it in quotes"},
        Case{"{ StudyDate = \"20240230-20241331\" }",
             "22: 'StudyDate' (DA) is compared as a date: write \"20240131\", "
             "\"20240101-20241231\", \"< 20240131\" or a glob; '20240230-20241331' is none of "
             "these"},
        Case{"{ StudyTime = \"2460\" }",
             "22: 'StudyTime' (TM) is compared as a time: write \"0830\", \"0800-1200\", "
             "\"< 083000\" or a glob; '2460' is none of these"},
        Case{"{ any = [] }", "16: 'any' must be a list of conditions: [ { ... }, { ... } ]"},
        Case{"{ all = { Modality = \"CT\" } }",
             "16: 'all' must be a list of conditions: [ { ... }, { ... } ]"},
        Case{"{ not = \"CT\" }", "16: 'not' must be a condition: { ... }"},
        Case{"\"unmached\"", "8: 'when' must be a condition, { ... }, or \"unmatched\""},
        Case{"5", "8: 'when' must be a condition, { ... }, or \"unmatched\""}));

TEST(RefusedRule, TextInLowerCaseWhereDicomHasUpperCaseIsAWarning) {
  EXPECT_EQ(of_when("{ Modality = \"ct\" }"),
            Lines{"rules.d/10.toml:3:21: warning: 'Modality' (CS) is upper case in DICOM: 'ct' "
                  "matches no conforming object"});
}

class Warning : public testing::TestWithParam<Case> {};

TEST_P(Warning, IsGivenOfValuesThatMeanSomethingElse) {
  EXPECT_EQ(of_when(GetParam().when),
            Lines{"rules.d/10.toml:3:" + std::string(GetParam().finding)});
}

INSTANTIATE_TEST_SUITE_P(
    Values, Warning,
    testing::Values(
        Case{"{ Modality = \"CT-1\" }",
             "21: warning: 'CT-1' matches nothing: 'Modality' (CS) has only upper case letters, "
             "digits, spaces and underscores"},
        Case{"{ Modality = \"CT-*\" }",
             "21: warning: 'CT-*' matches nothing: 'Modality' (CS) has only upper case letters, "
             "digits, spaces and underscores"},
        Case{"{ StationName = \"SEVENTEEN_LETTERS\" }",
             "24: warning: 'SEVENTEEN_LETTERS' matches nothing: 'StationName' (SH) has at most 16 "
             "characters"},
        Case{"{ ImageType = 'ORIGINAL\\PRIMARY' }",
             "22: warning: 'ORIGINAL\\PRIMARY' matches nothing: 'ImageType' (CS) has its values "
             "between backslashes, and each is compared alone"},
        Case{"{ source.ae_title = \"SEVENTEEN_LETTERS\" }",
             "28: warning: 'SEVENTEEN_LETTERS' matches nothing: 'source.ae_title' has at most 16 "
             "characters"},
        Case{"{ Rows = 65536 }",
             "17: warning: this matches nothing: 'Rows' (US) holds whole numbers from 0 to 65535"},
        Case{"{ Rows = \"1.5\" }",
             "17: warning: this matches nothing: 'Rows' (US) holds whole numbers from 0 to 65535"},
        Case{"{ Rows = \"< 0\" }",
             "17: warning: this matches nothing: 'Rows' (US) holds whole numbers from 0 to 65535"},
        Case{"{ SeriesNumber = \"> 2147483647\" }",
             "25: warning: this matches nothing: 'SeriesNumber' (IS) holds whole numbers from "
             "-2147483648 to 2147483647"},
        Case{"{ source.address = \"10.1.2.3/16\" }",
             "27: warning: '10.1.2.3/16' has bits behind its prefix, which count for nothing"},
        Case{"{ StationName = '/.*/' }",
             "24: warning: '/.*/' matches every value: for any value at all write \"*\", and in a "
             "regular expression '\\.' for a full stop"},
        Case{"{ StationName = '/^/' }",
             "24: warning: '/^/' matches every value: for any value at all write \"*\", and in a "
             "regular expression '\\.' for a full stop"}));

TEST(Warning, IsNotGivenOfWhatCanBe) {
  for (const std::string when :
       {"{ StationName = \"SIXTEEN_LETTERS_\" }", "{ StationName = \"ÄÖÜäöüßÄÖÜäöüßÄÖ\" }",
        "{ StationName = \"*SIXTEEN_LETTERS_*\" }", "{ Rows = [0, 65535, \"> 100\"] }",
        "{ StationName = '/^ED/' }", "{ Modality = \"C?_1*\" }",
        "{ source.address = [\"10.1.2.3\", \"10.1.0.0/16\", \"::1\", \"fd00::/8\"] }",
        "{ StudyDate = [\"20240229\", \"> 19991231\"], StudyTime = \"2359\" }"}) {
    EXPECT_EQ(of_when(when), Lines{}) << when;
  }
}

TEST(RefusedRule, UnknownKeysAreNeverIgnored) {
  EXPECT_EQ(findings_of("[[rule]]\nname = \"r\"\nwhen = {}\n  rout = [\"archive\"]\nstop = true\n"),
            Lines{"rules.d/10.toml:4:3: unknown key 'rout' in [[rule]], did you mean 'route'?"});
  EXPECT_EQ(findings_of("version = 1\n"), Lines{"rules.d/10.toml:1:1: unknown key 'version'"});
  EXPECT_EQ(findings_of("[rule]\nname = \"r\"\n"),
            Lines{"rules.d/10.toml:1:1: 'rule' must be written as [[rule]]"});
}

TEST(RefusedRule, UnknownDestinationsGetASuggestion) {
  EXPECT_EQ(findings_of("[[rule]]\nname = \"r\"\nwhen = {}\nroute = [\"archive\", \"orthnac\"]\n"),
            Lines{"rules.d/10.toml:4:21: unknown destination 'orthnac', did you mean 'orthanc'?"});
  EXPECT_EQ(findings_of("[[rule]]\nname = \"r\"\nwhen = {}\nroute = [\"archive\", \"archive\"]\n"),
            Lines{"rules.d/10.toml:4:21: 'route' names 'archive' twice"});
  EXPECT_EQ(findings_of("[[rule]]\nname = \"r\"\nwhen = {}\nroute = \"archive\"\n"),
            Lines{"rules.d/10.toml:4:9: 'route' must be a list of destinations: [\"archive\"]"});
  EXPECT_EQ(findings_of("[[rule]]\nname = \"r\"\nwhen = {}\nroute = [5]\n"),
            Lines{"rules.d/10.toml:4:10: 'route' must be a list of destinations: [\"archive\"]"});
}

TEST(RefusedRule, OtherKeysOfTheWrongKind) {
  const std::string head = "[[rule]]\nname = \"r\"\nwhen = {}\nroute = [\"archive\"]\n";
  EXPECT_EQ(findings_of(head + "priority = \"hgih\"\n"),
            Lines{"rules.d/10.toml:5:12: 'priority' must be \"high\", \"normal\" or \"low\", did "
                  "you mean 'high'?"});
  EXPECT_EQ(findings_of(head + "stop = 1\n"),
            Lines{"rules.d/10.toml:5:8: 'stop' must be true or false"});
  EXPECT_EQ(findings_of(head + "extract = \"yes\"\n"),
            Lines{"rules.d/10.toml:5:11: 'extract' must be true or false"});
}

TEST(RefusedRule, RejectIsAFailureStatusInFourDigits) {
  const auto findings = [](std::string_view reject) {
    return findings_of("[[rule]]\nname = \"r\"\nwhen = {}\nreject = " + std::string(reject) + "\n");
  };
  for (const std::string bad : {"\"124H\"", "\"0124\"", "\"012GH\"", "\"-124H\"", "292", "\"\""}) {
    EXPECT_EQ(findings(bad),
              Lines{"rules.d/10.toml:4:10: 'reject' must be a DIMSE status such as \"0124H\""})
        << bad;
  }
  for (const std::string done : {"0000H", "B000H", "0107H", "FF00H", "FE00H"}) {
    EXPECT_EQ(findings("\"" + done + "\""),
              Lines{"rules.d/10.toml:4:10: 'reject' must be a failure: after '" + done +
                    "' the sender takes the object for stored"});
  }
  EXPECT_EQ(findings("\"0124H\"\nroute = [\"archive\"]"),
            Lines{"rules.d/10.toml:4:10: warning: 'reject' wins over everything: this rule routes "
                  "and extracts nothing"});
}

TEST(RefusedRule, ARuleNeedsANameAConditionAndSomethingToDo) {
  EXPECT_EQ(findings_of("\n[[rule]]\n"),
            (Lines{"rules.d/10.toml:2:1: the rule has no 'name'",
                   "rules.d/10.toml:2:1: the rule does nothing: it needs 'route', 'extract', "
                   "'stop' or 'reject'",
                   "rules.d/10.toml:2:1: the rule has no 'when'; for every object write "
                   "when = {}"}));
  EXPECT_EQ(findings_of("[[rule]]\nname = \"a\\nb\"\nwhen = {}\nstop = true\n"),
            Lines{"rules.d/10.toml:2:8: 'name' must be a text of 1 to 128 octets without control "
                  "characters"});
}

TEST(RefusedRule, NamesAreUniqueOverAllFiles) {
  const RuleFolder folder;
  const std::string rule = "[[rule]]\nname = \"CT\"\nwhen = {}\nroute = [\"archive\"]\n";
  folder.write("10.toml", rule);
  folder.write("20.toml", rule);
  const auto findings = folder.findings();
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_TRUE(findings[0].starts_with("rules.d/20.toml:2:8: another rule has the name 'CT': "));
  EXPECT_TRUE(findings[0].ends_with("rules.d/10.toml:2")) << findings[0];
}

TEST(RefusedRule, AllErrorsOfAllFilesAreReported) {
  const RuleFolder folder;
  folder.write("10.toml",
               "[[rule]]\nname = \"a\"\nwhen = { Modalty = \"CT\", StudyDat = \"\" }\n"
               "route = [\"nowhere\"]\n[[rule]]\nname = \"b\"\nwhen = 1\nroute = [\"archive\"]\n");
  folder.write("20.toml", "[[rule]]\nname = \"c\nwhen = {}\n");
  folder.write("30.toml", "[[rules]]\n");
  EXPECT_EQ(folder.findings().size(), 6U);
  EXPECT_EQ(folder.load().rules, nullptr);
  EXPECT_TRUE(folder.findings()[4].starts_with("rules.d/20.toml:2:")) << folder.findings()[4];
  EXPECT_EQ(folder.findings()[5], "rules.d/30.toml:1:3: unknown key 'rules', did you mean 'rule'?");
}

}  // namespace
}  // namespace dr::rules
