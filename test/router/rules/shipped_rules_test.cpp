// The rule files that an admin starts from.
#include <sstream>

#include "test/router/rules/fixture.h"

namespace dr::rules {
namespace {

std::string text_of(const std::string& name) {
  std::ifstream in(std::string(DR_SOURCE_DIR) + "/conf/rules.d/" + name);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

/// Prose has a space behind its '#'; the lines of examples have none, or are indented to a '{'.
std::string uncommented(const std::string& text) {
  std::stringstream in(text);
  std::string out;
  for (std::string line; std::getline(in, line);) {
    const bool prose = line.starts_with("# ") && !line.starts_with("#  {");
    out += (line.starts_with('#') && !prose ? line.substr(1) : line) + "\n";
  }
  return out;
}

TEST(ShippedRules, AsTheyStandSendEverythingToTheArchive) {
  const auto loaded = RuleSet::load(std::string(DR_SOURCE_DIR) + "/conf/rules.d", {"archive"});
  for (const Diagnostic& d : loaded.diagnostics) ADD_FAILURE() << d.to_string();
  ASSERT_TRUE(loaded.rules);
  const auto decision = decide(*loaded.rules, with({0x0008, 0x0060}, "CS", "XX"));
  ASSERT_EQ(decision.routes.size(), 1U);
  EXPECT_EQ(decision.routes[0].destination, "archive");
}

TEST(ShippedRules, EveryExampleIsValidWhenUncommented) {
  const RuleFolder folder;
  folder.write("10-examples.toml", uncommented(text_of("10-examples.toml")));
  folder.write("90-archive.toml", text_of("90-archive.toml"));
  const auto loaded = folder.load();
  for (const Diagnostic& d : loaded.diagnostics) ADD_FAILURE() << d.to_string();
  ASSERT_TRUE(loaded.rules);
  EXPECT_EQ(loaded.rules->rules().size(), 7U);
}

TEST(ShippedRules, ExamplesDoWhatTheySay) {
  const auto rules = rules_of(uncommented(text_of("10-examples.toml")));
  auto emergency = with({0x0008, 0x0060}, "CS", "CT");
  emergency.calling = "ED_CT2";
  const auto decision = decide(*rules, emergency);
  ASSERT_EQ(decision.matched.size(), 2U);
  EXPECT_EQ(rules->rules()[decision.matched[0]].name, "CT of the emergency department first");
  EXPECT_EQ(rules->rules()[decision.matched[1]].name, "no patient, no storage");
  EXPECT_EQ(decision.refuse, 0x0124);
}

}  // namespace
}  // namespace dr::rules
