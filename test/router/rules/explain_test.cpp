#include "test/router/rules/fixture.h"

namespace dr::rules {
namespace {

using encoding::DataSetBuilder;
using encoding::vr;

Object ct() {
  DataSetBuilder set;
  set.element({0x0008, 0x0005}, vr('C', 'S'), "ISO_IR 100")
      .element({0x0008, 0x0008}, vr('C', 'S'), "ORIGINAL\\PRIMARY ")
      .element({0x0008, 0x0060}, vr('C', 'S'), "CT")
      .element({0x0008, 0x1032}, vr('S', 'Q'), "")
      .element({0x0010, 0x0010}, vr('P', 'N'), "M\xfcller");
  return {.data_set = set.bytes()};
}

/// "inside: key = expected, seen: yes" for each condition of the first rule.
std::vector<std::string> conditions(std::string_view when, const Object& object) {
  const auto rules =
      rules_of("[[rule]]\nname = \"r\"\nroute = [\"archive\"]\nwhen = " + std::string(when) + "\n");
  std::vector<std::string> lines;
  const Explanation explained = explain(*rules, object);
  for (const ConditionOutcome& each : explained.rules[0].conditions) {
    lines.push_back((each.inside.empty() ? "" : each.inside + ": ") + each.key + " = " +
                    each.expected + ", " + (each.seen ? "'" + *each.seen + "'" : "nothing") +
                    (each.matched ? ": yes" : ": no"));
  }
  return lines;
}

using Lines = std::vector<std::string>;

TEST(Explain, TellsEachConditionWithWhatItSaw) {
  EXPECT_EQ(
      conditions("{ Modality = [\"MR\", \"CT\"], ImageType = \"AX*\", PatientName = \"Müller\", "
                 "PatientID = \"\", source.ae_title = \"CT?\" }",
                 ct()),
      (Lines{"Modality = [\"CT\", \"MR\"], 'CT': yes",
             "ImageType = \"AX*\", 'ORIGINAL\\PRIMARY': no",
             "PatientName = \"Müller\", 'Müller': yes", "PatientID = \"\", nothing: yes",
             "source.ae_title = \"CT?\", 'CT1': yes"}));
}

TEST(Explain, SaysWhereAConditionNests) {
  EXPECT_EQ(
      conditions("{ any = [ { Modality = \"MR\" }, { not = { Modality = \"CT\" } } ], "
                 "all = [ { Modality = \"C*\" } ] }",
                 ct()),
      (Lines{"any[1]: Modality = \"MR\", 'CT': no", "any[2].not: Modality = \"CT\", 'CT': yes",
             "all[1]: Modality = \"C*\", 'CT': yes"}));
}

TEST(Explain, GoesOnWhereADecisionWouldStop) {
  EXPECT_EQ(conditions("{ Modality = \"MR\", PatientID = \"x\" }", ct()).size(), 2U);
  const auto rules = rules_of(
      "[[rule]]\nname = \"a\"\nwhen = { Modality = \"CT\" }\nroute = [\"archive\"]\nstop = true\n"
      "[[rule]]\nname = \"b\"\nwhen = { Modality = \"CT\", PatientID = \"\" }\nroute = [\"xnat\"]\n"
      "[[rule]]\nname = \"c\"\nwhen = \"unmatched\"\nroute = [\"xnat\"]\n");
  const Explanation explained = explain(*rules, ct());
  EXPECT_TRUE(explained.rules[0].matched);
  EXPECT_TRUE(explained.rules[0].reached);
  EXPECT_FALSE(explained.rules[1].matched);
  EXPECT_FALSE(explained.rules[1].reached);
  EXPECT_TRUE(explained.rules[1].conditions[0].matched);
  EXPECT_EQ(explained.rules[2].conditions[0].key, "unmatched");
  EXPECT_EQ(explained.rules[2].conditions[0].seen, "a") << "who has taken it";
  EXPECT_FALSE(explained.rules[2].conditions[0].matched);
}

TEST(Explain, ShowsNoMoreOfAValueThanALine) {
  const auto seen = [](Object object) {
    const auto rules = rules_of(
        "[[rule]]\nname = \"r\"\nroute = [\"xnat\"]\nwhen = { StudyDescription = \"x\" }\n");
    return *explain(*rules, object).rules[0].conditions[0].seen;
  };
  EXPECT_EQ(seen(with({0x0008, 0x1030}, "UT", std::string(300, 'a'))),
            std::string(256, 'a') + "...");
  DataSetBuilder set;
  set.element({0x0008, 0x0005}, vr('C', 'S'), "ISO_IR 192");
  std::string wide;
  while (wide.size() < 300) wide += "\xe6\xbc\xa2";
  set.element({0x0008, 0x1030}, vr('U', 'T'), wide);
  EXPECT_EQ(seen({.data_set = set.bytes()}).size(), 255U + 3) << "cut between characters";
}

TEST(Explain, TellsOfBulkDataOnlyItsLength) {
  DataSetBuilder set;
  set.element({0x0028, 0x1201}, vr('O', 'W'), std::string_view("\0\1\2\3", 4));
  EXPECT_EQ(conditions("{ RedPaletteColorLookupTableData = \"\" }", {.data_set = set.bytes()}),
            Lines{"RedPaletteColorLookupTableData = \"\", '(4 octets)': no"});
}

}  // namespace
}  // namespace dr::rules
