// The rule files that an admin starts from.
#include <sstream>

#include "router/rules/transform.h"
#include "test/router/rules/fixture.h"
#include "test/support/paths.h"

namespace dr::rules {
namespace {

std::string text_of(const std::string& name) {
  std::ifstream in((test::source_dir() / "conf/rules.d/").string() + name);
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
  const auto loaded = RuleSet::load((test::source_dir() / "conf/rules.d").string(), {"archive"});
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
  const auto loaded =
      RuleSet::load(folder.folder().string(), {"archive", "orthanc", "dcm4chee", "xnat"});
  for (const Diagnostic& d : loaded.diagnostics) ADD_FAILURE() << d.to_string();
  ASSERT_TRUE(loaded.rules);
  EXPECT_EQ(loaded.rules->rules().size(), 10U);
}

TEST(ShippedRules, ResearchCopiesAreDeidentifiedAndTheArchiveGetsTheObject) {
  const RuleFolder folder;
  folder.write("20-research.toml", uncommented(text_of("20-research.toml")));
  folder.write("80-all.toml", "[[rule]]\nname = \"all\"\nwhen = {}\nroute = [\"archive\"]\n");
  const auto loaded = RuleSet::load(folder.folder().string(), {"archive", "dcm4chee", "xnat"});
  for (const Diagnostic& d : loaded.diagnostics) ADD_FAILURE() << d.to_string();
  ASSERT_TRUE(loaded.rules);
  encoding::DataSetBuilder set;
  set.element({0x0008, 0x0060}, encoding::vr('C', 'S'), "CT")
      .element({0x0008, 0x1030}, encoding::vr('L', 'O'), "Thorax TRIAL-7");
  Object object{.data_set = set.bytes()};
  object.calling = "SITE2";
  const auto routes = decide(*loaded.rules, object).routes;
  ASSERT_EQ(routes.size(), 3U);
  EXPECT_EQ(routes[0].destination, "xnat");
  EXPECT_TRUE(is_deidentified(routes[0].transform));
  EXPECT_EQ(routes[1].destination, "dcm4chee");
  EXPECT_FALSE(is_deidentified(routes[1].transform));
  EXPECT_EQ(routes[2].destination, "archive");
  EXPECT_EQ(routes[2].transform, "");
}

class Examples : public testing::Test {
 protected:
  Examples() {
    folder_.write("10-examples.toml", uncommented(text_of("10-examples.toml")));
    rules_ =
        RuleSet::load(folder_.folder().string(), {"archive", "orthanc", "dcm4chee", "xnat"}).rules;
  }
  std::string routes(const Object& object) const {
    const Decision decision = decide(*rules_, object);
    if (decision.refuse) return "refused";
    std::string text;
    for (const Route& route : decision.routes) {
      text += route.destination + std::to_string(static_cast<int>(route.priority)) + " ";
    }
    return text + (decision.extract ? "extract" : "");
  }
  static Object object(std::string_view modality, std::string_view patient) {
    encoding::DataSetBuilder set;
    set.element({0x0008, 0x0060}, encoding::vr('C', 'S'), modality)
        .element({0x0010, 0x0020}, encoding::vr('L', 'O'), patient);
    return {.data_set = set.bytes()};
  }

  RuleFolder folder_;
  std::shared_ptr<const RuleSet> rules_;
};

TEST_F(Examples, DoWhatTheySay) {
  ASSERT_TRUE(rules_);
  EXPECT_EQ(routes(object("CT", "")), "refused");
  EXPECT_EQ(routes(object("CT", "QA-1 ")), "archive1 ");
  EXPECT_EQ(routes(object("CT", "4711")), "orthanc1 dcm4chee1 ");
  auto plan = object("RTPLAN", "4711");
  plan.sop_class = "1.2.840.10008.5.1.4.1.1.481.5";
  EXPECT_EQ(routes(plan), "orthanc1 xnat1 extract");
  auto emergency = object("CT", "4711");
  emergency.calling = "ED_CT2";
  EXPECT_EQ(routes(emergency), "orthanc1 dcm4chee0 archive0 ");
  auto bulk = object("US", "4711");
  bulk.calling = "MIGRATION";
  bulk.received = UtcMicros(std::chrono::hours(20));  // a Thursday
  EXPECT_EQ(routes(bulk), "orthanc1 dcm4chee2 ");
  bulk.received = UtcMicros(std::chrono::hours(12));
  EXPECT_EQ(routes(bulk), "orthanc1 ");
}

}  // namespace
}  // namespace dr::rules
