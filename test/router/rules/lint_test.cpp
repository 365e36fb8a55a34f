// What is allowed in rules, but hardly meant.
#include "test/router/rules/fixture.h"

namespace dr::rules {
namespace {

using Lines = std::vector<std::string>;

std::string rule(const std::string& name, const std::string& when, const std::string& rest) {
  return "[[rule]]\nname = \"" + name + "\"\nwhen = " + when + "\n" + rest + "\n";
}

constexpr const char* kCt = "{ Modality = \"CT\" }";
constexpr const char* kArchive = "route = [\"archive\"]";

TEST(Lint, AnEarlierStopThatTakesAllMakesARuleUnreachable) {
  const std::string finding =
      "rules.d/10.toml:6:1: warning: no object reaches this rule: 'a' (10.toml:1) has 'stop' and "
      "matches everything that this one does";
  const std::string stops = std::string(kArchive) + "\nstop = true";
  EXPECT_EQ(findings_of(rule("a", "{}", stops) + rule("b", kCt, kArchive)), Lines{finding});
  EXPECT_EQ(findings_of(rule("a", "{ Modality = [\"MR\", \"CT\"] }", stops) +
                        rule("b", "{ PatientID = \"x\", Modality = \"CT\" }", kArchive)),
            Lines{finding});
  EXPECT_EQ(findings_of(rule("a", "{ Modality = \"C*\" }", stops) + rule("b", kCt, kArchive)),
            Lines{finding});
  EXPECT_EQ(
      findings_of(rule("a", "{ any = [ { PatientID = \"1\" }, { Modality = \"CT\" } ] }", stops) +
                  rule("b", kCt, kArchive)),
      Lines{finding});
  EXPECT_EQ(findings_of(rule("a", "{ Modality = \"CT\", PatientID = \"x\" }", stops) +
                        rule("b", kCt, kArchive)),
            Lines{});
  EXPECT_EQ(
      findings_of(rule("a", "{ not = { Modality = \"CT\" } }", stops) + rule("b", kCt, kArchive)),
      Lines{});
  EXPECT_EQ(findings_of(rule("a", kCt, stops) + rule("b", "{ Modality = \"C*\" }", kArchive)),
            Lines{});
}

TEST(Lint, NothingIsUnmatchedBehindARuleThatTakesAll) {
  EXPECT_EQ(
      findings_of(rule("a", "{}", kArchive) + rule("b", "\"unmatched\"", "route = [\"xnat\"]")),
      Lines{"rules.d/10.toml:5:1: warning: no object is 'unmatched' here: 'a' (10.toml:1) has "
            "taken all"});
  EXPECT_EQ(findings_of(rule("a", "{}", "extract = true") + rule("b", "\"unmatched\"", kArchive)),
            Lines{});
}

TEST(Lint, ARuleThatAddsNothingIsShadowed) {
  const Lines shadowed{
      "rules.d/10.toml:5:1: warning: this rule adds nothing to 'a' (10.toml:1), which matches "
      "everything that this one does"};
  EXPECT_EQ(findings_of(rule("a", "{ Modality = \"C*\" }", kArchive) + rule("b", kCt, kArchive)),
            shadowed);
  EXPECT_EQ(findings_of(rule("a", kCt, kArchive) + rule("b", kCt, "route = [\"xnat\"]")), Lines{});
  EXPECT_EQ(findings_of(rule("a", kCt, kArchive) +
                        rule("b", kCt, std::string(kArchive) + "\npriority = \"high\"")),
            Lines{})
      << "a higher priority is something";
  EXPECT_EQ(findings_of(rule("a", kCt, kArchive) +
                        rule("b", kCt, std::string(kArchive) + "\nextract = true")),
            Lines{});
  EXPECT_EQ(findings_of(rule("a", "{}", "reject = \"0124H\"") + rule("b", kCt, kArchive)),
            Lines{"rules.d/10.toml:5:1: warning: this rule never does anything: 'a' (10.toml:1) "
                  "refuses everything that this one matches"});
}

Lines at_site(const Site& site, const std::string& text) {
  const RuleFolder folder;
  folder.write("10.toml", text);
  Lines lines;
  for (const Diagnostic& d : RuleSet::load(folder.folder().string(), site).diagnostics) {
    const std::string line = d.to_string();
    lines.push_back(line.substr(line.find("rules.d")));
  }
  return lines;
}

Site site() {
  Site site;
  site.targets = {"archive", "pacs", "both"};
  site.groups = {{"both", {"archive", "pacs"}}};
  site.peers = {{"pacs", "PACS", false}};
  site.sources = {"PACS", "CT1"};
  return site;
}

TEST(Lint, ARouteBackToASourceIsNamedUnlessTheConditionExcludesIt) {
  const std::string back =
      "rules.d/10.toml:1:1: warning: may send objects back to where they came from: 'pacs' is the "
      "source 'PACS'; to be sure add not = { source.ae_title = \"PACS\" }";
  EXPECT_EQ(at_site(site(), rule("a", kCt, "route = [\"pacs\"]")), Lines{back});
  EXPECT_EQ(at_site(site(), rule("a", kCt, "route = [\"both\"]")), Lines{back});
  EXPECT_EQ(at_site(site(), rule("a", kCt, kArchive)), Lines{});
  for (const char* excluded :
       {"{ source.ae_title = \"CT1\" }", "{ not = { source.ae_title = \"PACS\" } }",
        "{ any = [ { source.ae_title = \"CT*\", Modality = \"CT\" } ] }",
        "{ not = { any = [ { source.ae_title = \"P*\" }, { Modality = \"MR\" } ] } }"}) {
    EXPECT_EQ(at_site(site(), rule("a", excluded, "route = [\"pacs\"]")), Lines{}) << excluded;
  }
  EXPECT_EQ(at_site(site(), rule("a", "{ not = { source.ae_title = \"PACS\", Modality = \"CT\" } }",
                                 "route = [\"pacs\"]")),
            Lines{back});
}

TEST(Lint, ARouteToThisNodeItselfIsNamed) {
  auto loop = site();
  loop.peers = {{"pacs", "ROUTER", true}};
  EXPECT_EQ(at_site(loop, rule("a", kCt, "route = [\"pacs\"]")),
            Lines{"rules.d/10.toml:1:1: warning: 'pacs' is this node itself: what it is sent comes "
                  "back"});
}

TEST(Lint, ADestinationThatNoRuleNamesIsUnused) {
  auto known = site();
  known.sources = {};
  known.destinations = {"archive", "pacs"};
  EXPECT_EQ(at_site(known, rule("a", kCt, kArchive)),
            Lines{"rules.d: warning: no rule routes to the destination 'pacs'"});
  EXPECT_EQ(at_site(known, rule("a", kCt, "route = [\"both\"]")), Lines{});
}

TEST(Lint, AListenerThatDoesNotExistIsNamed) {
  auto known = site();
  known.listeners = {"modalities", "partners"};
  EXPECT_EQ(at_site(known, rule("a", "{ source.listener = \"modalites\" }", kArchive)),
            Lines{"rules.d/10.toml:3:28: warning: there is no listener 'modalites', did you mean "
                  "'modalities'?"});
  EXPECT_EQ(at_site(known, rule("a", "{ source.listener = \"mod*\" }", kArchive)), Lines{});
}

}  // namespace
}  // namespace dr::rules
