#include "test/router/rules/fixture.h"

namespace dr::rules {
namespace {

constexpr encoding::Tag kModality{0x0008, 0x0060};

Object ct() { return with(kModality, "CS", "CT"); }

std::string rule(const std::string& name, const std::string& rest) {
  return "[[rule]]\nname = \"" + name + "\"\n" + rest + "\n";
}

std::string text_of(const Decision& decision) {
  std::string text;
  for (const auto index : decision.matched) text += std::to_string(index) + " ";
  text += "|";
  for (const Route& route : decision.routes) {
    text += " " + route.destination + ":" + std::to_string(static_cast<int>(route.priority));
  }
  if (decision.extract) text += " extract";
  if (decision.refuse) text += " refuse " + std::to_string(*decision.refuse);
  return text;
}

TEST(Semantics, AllRulesThatMatchApplyInTheOrderOfFilesAndRules) {
  const RuleFolder folder;
  folder.write("20.toml", rule("d", "when = {}\nroute = [\"xnat\"]"));
  folder.write("10.toml", rule("a", "when = { Modality = \"CT\" }\nroute = [\"orthanc\"]") +
                              rule("b", "when = { Modality = \"MR\" }\nroute = [\"xnat\"]") +
                              rule("c", "when = { Modality = \"C?\" }\nroute = [\"archive\"]"));
  const auto rules = folder.load().rules;
  ASSERT_TRUE(rules);
  EXPECT_EQ(text_of(decide(*rules, ct())), "0 2 3 | orthanc:1 archive:1 xnat:1");
  EXPECT_EQ(rules->rules()[0].name, "a");
  EXPECT_EQ(rules->rules()[2].file, "10.toml");
  EXPECT_EQ(rules->rules()[2].line, 9U);
  EXPECT_EQ(rules->rules()[3].file, "20.toml");
  EXPECT_EQ(rules->rules()[3].route, std::vector<std::string>{"xnat"});
}

TEST(Semantics, ADestinationGetsOneCopyWithTheHighestPriority) {
  const auto rules =
      rules_of(rule("a", "when = {}\nroute = [\"archive\", \"xnat\"]\npriority = \"low\"") +
               rule("b", "when = {}\nroute = [\"archive\"]\npriority = \"high\"") +
               rule("c", "when = {}\nroute = [\"archive\"]"));
  EXPECT_EQ(text_of(decide(*rules, ct())), "0 1 2 | archive:0 xnat:2");
}

TEST(Semantics, StopEndsTheListOnlyWhereItsRuleMatches) {
  const auto rules =
      rules_of(rule("a", "when = { Modality = \"MR\" }\nstop = true") +
               rule("b", "when = { Modality = \"CT\" }\nroute = [\"archive\"]\nstop = true") +
               rule("c", "when = {}\nreject = \"0124H\""));
  EXPECT_EQ(text_of(decide(*rules, ct())), "1 | archive:1");
  EXPECT_EQ(text_of(decide(*rules, with(kModality, "CS", "MR"))), "0 |");
  EXPECT_EQ(text_of(decide(*rules, with(kModality, "CS", "US"))), "2 | refuse 292");
}

TEST(Semantics, UnmatchedMeansThatNoEarlierRuleRoutedOrRejected) {
  const auto rules = rules_of(rule("a", "when = {}\nextract = true") +
                              rule("b", "when = \"unmatched\"\nroute = [\"xnat\"]") +
                              rule("c", "when = \"unmatched\"\nroute = [\"archive\"]"));
  EXPECT_EQ(text_of(decide(*rules, ct())), "0 1 | xnat:1 extract");
  const auto rejecting = rules_of(rule("a", "when = { Modality = \"CT\" }\nreject = \"A700H\"") +
                                  rule("b", "when = \"unmatched\"\nroute = [\"archive\"]"));
  EXPECT_EQ(text_of(decide(*rejecting, ct())), "0 | refuse 42752");
  EXPECT_EQ(text_of(decide(*rejecting, with(kModality, "CS", "MR"))), "1 | archive:1");
}

TEST(Semantics, RejectWinsOverEverythingAndTheFirstOneIsAnswered) {
  const auto rules = rules_of(rule("a", "when = {}\nroute = [\"archive\"]\nextract = true") +
                              rule("b", "when = {}\nreject = \"0124H\"") +
                              rule("c", "when = {}\nreject = \"A700H\""));
  EXPECT_EQ(text_of(decide(*rules, ct())), "0 1 2 | refuse 292");
}

TEST(Semantics, NothingMatchesAnObjectThatNoRuleKnows) {
  const auto rules = rules_of(rule("a", "when = { Modality = \"CT\" }\nroute = [\"archive\"]"));
  EXPECT_EQ(text_of(decide(*rules, with(kModality, "CS", "MR"))), "|");
}

}  // namespace
}  // namespace dr::rules
