// `after` and `hold_until`: what a rule file says, what is refused, and what a decision carries.
#include "test/router/rules/fixture.h"
#include "test/support/paths.h"

namespace dr::rules {
namespace {

using namespace std::chrono_literals;
using Lines = std::vector<std::string>;

std::string rule(const std::string& name, const std::string& more) {
  return "[[rule]]\nname = \"" + name + "\"\nwhen = {}\n" + more + "\n";
}

Wait wait_of(const std::string& text) {
  const auto decision = decide(*rules_of(text), {});
  return decision.routes.at(0).wait;
}

Lines wrong(const std::string& more) {
  Lines lines;
  for (std::string& line : findings_of(rule("r", more))) {
    lines.push_back(line.substr(line.find(".toml:") + 6));
  }
  return lines;
}

TEST(Wait, AfterASeriesOrAStudyWithItsDefaults) {
  const Wait series =
      wait_of(rule("r", "route = [\"archive\"]\nafter = \"series\"\nat_most=\"90m\""));
  EXPECT_EQ(series.until, Wait::Until::kSeries);
  EXPECT_EQ(series.quiet, 60s);
  EXPECT_EQ(series.at_most, 90min);
  EXPECT_EQ(series.late, Wait::Late::kSend);
  const Wait study = wait_of(rule("r",
                                  "route = [\"archive\"]\nafter = \"study\"\nquiet = \"5s\"\n"
                                  "at_most = \"1h\"\nlate = \"again\""));
  EXPECT_EQ(study, (Wait{Wait::Until::kStudy, 5s, 1h, Wait::Late::kAgain}));
}

TEST(Wait, HoldsUntilReferences) {
  const Wait wait =
      wait_of(rule("r", "route = [\"archive\"]\nhold_until = \"references\"\nat_most = \"10m\""));
  EXPECT_EQ(wait.until, Wait::Until::kReferences);
  EXPECT_EQ(wait.at_most, 10min);
}

TEST(Wait, TheCanonicalFormLeavesDefaultsOutAndReadsTheSame) {
  const auto canonical = [](const std::string& more) {
    const std::string text = rules_of(rule("r", "route = [\"archive\"]\n" + more))->canonical();
    EXPECT_EQ(wait_of(text), wait_of(rule("r", "route = [\"archive\"]\n" + more)));
    return text.substr(text.find("]\n", text.find("route")) + 2);
  };
  EXPECT_EQ(canonical("after = \"series\"\nquiet = \"1m\"\nat_most = \"120m\"\nlate = \"send\""),
            "after = \"series\"\nat_most = \"2h\"\n");
  EXPECT_EQ(canonical("after = \"study\"\nquiet = \"1500ms\"\nat_most = \"90s\"\nlate = \"again\""),
            "after = \"study\"\nquiet = \"1500ms\"\nat_most = \"90s\"\nlate = \"again\"\n");
  EXPECT_EQ(canonical("hold_until = \"references\"\nat_most = \"24h\""),
            "hold_until = \"references\"\nat_most = \"1d\"\n");
}

TEST(Wait, ARuleWithoutOneWinsInWhateverOrder) {
  const std::string waits =
      rule("w", "route = [\"archive\"]\nafter = \"series\"\nat_most = \"1h\"");
  const std::string at_once = rule("n", "route = [\"archive\"]");
  EXPECT_EQ(wait_of(waits + at_once), Wait{});
  EXPECT_EQ(wait_of(at_once + waits), Wait{});
  const std::string third = rule("t", "route = [\"archive\"]\nafter = \"study\"\nat_most = \"1h\"");
  EXPECT_EQ(wait_of(waits + at_once + third), Wait{}) << "a later wait came back";
}

TEST(Wait, OfTwoTheFirstRulesCounts) {
  const std::string series =
      rule("s", "route = [\"archive\"]\nafter = \"series\"\nat_most = \"1h\"");
  const std::string study = rule("t", "route = [\"archive\"]\nafter = \"study\"\nat_most = \"2h\"");
  EXPECT_EQ(wait_of(series + study).until, Wait::Until::kSeries);
  EXPECT_EQ(wait_of(study + series).until, Wait::Until::kStudy);
}

TEST(Wait, OneDestinationWaitsAndAnotherDoesNot) {
  const auto rules =
      rules_of(rule("a", "route = [\"archive\"]") +
               rule("b", "route = [\"archive\", \"xnat\"]\nafter = \"series\"\nat_most = \"1h\""));
  const Decision decision = decide(*rules, {});
  ASSERT_EQ(decision.routes.size(), 2U);
  EXPECT_EQ(decision.routes[0].wait.until, Wait::Until::kNothing);
  EXPECT_EQ(decision.routes[1].wait.until, Wait::Until::kSeries);
}

TEST(Wait, TheShippedExamplesAreValidWhenUncommented) {
  std::ifstream in((test::source_dir() / "conf/rules.d/15-waits.toml").string());
  std::string text;
  for (std::string line; std::getline(in, line);) {
    const bool prose = line.starts_with("# ") || line == "#";
    text += (line.starts_with('#') && !prose ? line.substr(1) : line) + "\n";
  }
  EXPECT_EQ(findings_of(text), Lines{});
  EXPECT_EQ(rules_of(text)->rules().size(), 2U);
}

TEST(Wait, WarnsOfOneWithoutACeiling) {
  EXPECT_EQ(wrong("route = [\"archive\"]\nafter = \"series\""),
            Lines{"5:9: warning: without 'at_most' the wait is unbounded: objects that keep coming "
                  "hold back all of them"});
}

TEST(Wait, RefusesWhatMeansNothing) {
  const std::string route = "route = [\"archive\"]\n";
  EXPECT_EQ(wrong(route + "after = \"serie\"\nat_most = \"1h\""),
            Lines{"5:9: 'after' must be one of \"series\", \"study\", did you mean 'series'?"});
  EXPECT_EQ(wrong(route + "after = true\nat_most = \"1h\""),
            Lines{"5:9: 'after' must be one of \"series\", \"study\""});
  EXPECT_EQ(wrong(route + "hold_until = \"reference\"\nat_most = \"1h\""),
            Lines{"5:14: 'hold_until' must be \"references\", did you mean 'references'?"});
  EXPECT_EQ(wrong(route + "hold_until = \"references\""),
            Lines{"5:14: 'hold_until' needs 'at_most': what is referred to may never come"});
  EXPECT_EQ(wrong(route + "quiet = \"60s\""),
            Lines{"5:9: 'quiet' says nothing without 'after' or 'hold_until'"});
  EXPECT_EQ(wrong(route + "hold_until = \"references\"\nat_most = \"1h\"\nlate = \"send\""),
            Lines{"7:8: 'late' belongs to 'after', not to 'hold_until'"});
  EXPECT_EQ(wrong(route + "after = \"series\"\nhold_until = \"references\"\nat_most = \"1h\""),
            Lines{"6:14: a rule has 'after' or 'hold_until', not both"});
  EXPECT_EQ(wrong(route + "after = \"series\"\nquiet = \"2h\"\nat_most = \"1h\""),
            Lines{"7:11: 'at_most' is less than 'quiet'"});
  EXPECT_EQ(wrong(route + "after = \"series\"\nquiet = 60\nat_most = \"1h\""),
            Lines{"6:9: 'quiet': expected a duration such as \"60s\""});
  EXPECT_EQ(wrong(route + "after = \"series\"\nat_most = \"31d\""),
            Lines{"6:11: 'at_most' must be more than nothing and at most \"30d\""});
  EXPECT_EQ(wrong("stop = true\nafter = \"series\"\nat_most = \"1h\""),
            Lines{"5:9: nothing can wait: the rule has no 'route'"});
  EXPECT_EQ(wrong(route + "after = \"series\"\nlate = \"again\""),
            Lines{"5:9: 'late = \"again\"' needs 'at_most': so long is kept what may be sent "
                  "again"});
}

}  // namespace
}  // namespace dr::rules
