// Rule files and folders that are too long, too deep, or no files at all.
#include <sys/stat.h>

#include "router/rules/toml_shape.h"
#include "test/router/rules/fixture.h"

namespace dr::rules {
namespace {

using Lines = std::vector<std::string>;

std::string repeated(std::string_view text, std::size_t n) {
  std::string out;
  while (n-- > 0) out += text;
  return out;
}

TEST(HostileFile, LongerThanAMebibyteIsNotParsed) {
  EXPECT_EQ(findings_of(std::string((1U << 20) + 1, '#')),
            Lines{"rules.d/10.toml: is longer than 1048576 octets"});
  EXPECT_EQ(findings_of(std::string(1U << 20, '#')), Lines{});
}

TEST(HostileFile, ManyFilesAreLimitedAltogether) {
  const RuleFolder folder;
  const std::string text((1U << 20) - 64, '#');
  for (int i = 0; i < 17; ++i) folder.write(std::to_string(10 + i) + ".toml", text);
  const auto findings = folder.findings();
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_EQ(findings[0],
            "rules.d/26.toml: all rule files together are longer than 16777216 octets");
}

TEST(HostileFile, DottedKeysOfManyPartsAreRefusedBeforeTheyAreParsed) {
  EXPECT_EQ(findings_of("x = 1\n" + repeated("a.", 100'000) + "a = 1\n"),
            Lines{"rules.d/10.toml:2:64: nests too deep"});
  EXPECT_EQ(findings_of("[" + repeated("a .", 100'000) + "a]\n"),
            Lines{"rules.d/10.toml:1:97: nests too deep"});
}

TEST(HostileFile, BracketsNestOnlySoDeep) {
  EXPECT_EQ(findings_of("a = " + repeated("[", 10'000)),
            Lines{"rules.d/10.toml:1:69: nests too deep"});
  const std::string inside = "{ Modality = \"CT\" }";
  const auto nested = [&](std::size_t n) {
    return "[[rule]]\nname = \"r\"\nroute = [\"archive\"]\nwhen = " + repeated("{ not = ", n) +
           inside + repeated(" }", n) + "\n";
  };
  EXPECT_EQ(findings_of(nested(15)), Lines{});
  EXPECT_EQ(findings_of(nested(16)),
            Lines{"rules.d/10.toml:4:136: conditions nest at most 16 deep"});
}

TEST(HostileFile, WhatStandsInStringsAndCommentsDoesNotNest) {
  const std::string dots(100, '.');
  const std::string brackets(100, '[');
  EXPECT_FALSE(too_deep("# " + dots + brackets + "\na = '" + dots + brackets + "'\n"));
  EXPECT_FALSE(too_deep("a = \"\\\"" + dots + "\"\nb = '''\n" + brackets + "'\n'''\n"));
  EXPECT_FALSE(too_deep("a = \"\"\"\n" + brackets + "\\\"\"\" " + brackets + "\"\"\"\n"));
  EXPECT_TRUE(too_deep("a = \"\"\n" + brackets));
  EXPECT_TRUE(too_deep("a = ''\n" + brackets));
  EXPECT_FALSE(too_deep("\"never closed" + brackets));
}

TEST(HostileFile, ValuesAndNamesAreLimited) {
  const std::string head = "[[rule]]\nname = \"r\"\nroute = [\"archive\"]\nwhen = { Modality = \"";
  EXPECT_EQ(findings_of(head + std::string(1025, 'A') + "\" }\n"),
            Lines{"rules.d/10.toml:4:21: a value may have at most 1024 octets"});
  EXPECT_EQ(findings_of("[[rule]]\nname = \"r\"\nroute = [\"archive\"]\nwhen = { \"" +
                        std::string(5000, 'A') + "\" = \"\" }\n"),
            Lines{"rules.d/10.toml:4:10: unknown keyword '" + std::string(80, 'A') + "...'"});
}

TEST(HostileFile, ARegularExpressionOfTooMuchMemoryIsRefused) {
  const auto findings = findings_of(
      "[[rule]]\nname = \"r\"\nroute = [\"archive\"]\n"
      "when = { StationName = '/((a{100}){100}){100}/' }\n");
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_TRUE(
      findings[0].starts_with("rules.d/10.toml:4:24: '/((a{100}){100}){100}/' is no "
                              "regular expression: "))
      << findings[0];
}

TEST(HostileFile, ControlCharactersDoNotReachTheTerminal) {
  EXPECT_EQ(findings_of("[[rule]]\nname = \"r\"\nroute = [\"archive\"]\n"
                        "when = { \"\\u001b[31mX\" = \"\" }\n"),
            Lines{"rules.d/10.toml:4:10: unknown keyword '?[31mX'"});
}

TEST(HostileFile, SyntaxErrorsAndDuplicateKeysHaveAPlace) {
  for (const std::string_view text :
       {"[[rule]]\nname = \n", "[[rule]]\nname = \"a\"\nname = \"b\"\n", "\xff\xfe\n", "= 1\n",
        "[[rule]]\nwhen = { Modality = \"CT\", Modality = \"MR\" }\n"}) {
    const auto findings = findings_of(text);
    ASSERT_EQ(findings.size(), 1U) << text;
    EXPECT_TRUE(findings[0].starts_with("rules.d/10.toml:")) << findings[0];
    EXPECT_NE(findings[0][16], '0') << findings[0];
  }
}

TEST(RuleFolder, OtherFilesAreLeftAlone) {
  const RuleFolder folder;
  folder.write("10.toml", "[[rule]]\nname = \"r\"\nwhen = {}\nroute = [\"archive\"]\n");
  folder.write("10.toml.bak", "not a rule");
  folder.write(".#10.toml", "not a rule");
  folder.write("README", "not a rule");
  EXPECT_EQ(folder.findings(), Lines{});
}

TEST(RuleFolder, APipeIsNotWaitedFor) {
  const RuleFolder folder;
  ASSERT_EQ(mkfifo((folder.folder() / "10.toml").c_str(), 0600), 0);
  EXPECT_EQ(folder.findings(), Lines{"rules.d/10.toml: is not a file"});
}

TEST(RuleFolder, AMissingOneIsAnError) {
  const auto loaded = RuleSet::load("/nonexistent/rules.d", std::set<std::string>{});
  EXPECT_EQ(loaded.rules, nullptr);
  ASSERT_EQ(loaded.diagnostics.size(), 1U);
  EXPECT_EQ(loaded.diagnostics[0].to_string(),
            "/nonexistent/rules.d: the rule folder can not be read: No such file or directory");
}

TEST(RuleFolder, TheDigestFollowsNamesAndContents) {
  const std::string rule = "[[rule]]\nname = \"r\"\nwhen = {}\nroute = [\"archive\"]\n";
  const auto digest = [](std::initializer_list<std::pair<std::string, std::string>> files) {
    const RuleFolder folder;
    for (const auto& [name, text] : files) folder.write(name, text);
    return folder.load().rules->sha256();
  };
  const std::string one = digest({{"10.toml", rule}});
  EXPECT_EQ(one.size(), 64U);
  EXPECT_EQ(digest({{"10.toml", rule}}), one);
  EXPECT_NE(digest({{"11.toml", rule}}), one);
  EXPECT_NE(digest({{"10.toml", rule + "\n"}}), one);
  EXPECT_NE(digest({{"10.toml", rule}, {"20.toml", ""}}), one);
  EXPECT_NE(digest({}), one);
}

}  // namespace
}  // namespace dr::rules
