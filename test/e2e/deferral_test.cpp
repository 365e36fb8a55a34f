// Rules that wait for a whole series: visible while it waits, across kill -9, and sent once it is
// complete.
#include <gtest/gtest.h>

#include "test/e2e/asking.h"
#include "test/e2e/objects.h"

namespace dr::test {
namespace {

std::string rule(const std::string& modality, const std::string& destination,
                 const std::string& quiet) {
  return "[[rule]]\nname = \"" + modality + "\"\nwhen = { Modality = \"" + modality +
         "\" }\nroute = [\"" + destination + "\"]\nafter = \"series\"\nquiet = \"" + quiet +
         "\"\nat_most = \"2h\"\nlate = \"hold\"\n";
}

class Deferral : public testing::Test {
 protected:
  Deferral()
      : router_({.destinations = folder_destination("soon", "../soon") +
                                 folder_destination("later", "../later"),
                 .rules = rule("CT", "soon", "1s") + rule("MR", "later", "1h")}) {}

  ObjectSpec send(const std::string& modality, const std::string& series) {
    ObjectSpec spec;
    spec.modality = modality;
    spec.series_instance_uid = series;
    const auto file = write_part10(spec, folder_ / (spec.sop_instance_uid + ".dcm"));
    EXPECT_EQ(Modality(router_.port()).send({file}).at("sent"), 1);
    return spec;
  }
  nlohmann::json traced(const ObjectSpec& spec) {
    return router_.ask({"trace", spec.sop_instance_uid}).at("objects").at(0);
  }

  TempDir folder_;
  Router router_;
};

TEST_F(Deferral, WaitsVisiblyAlsoAfterKillMinusNine) {
  const ObjectSpec spec = send("MR", "1.2.3");
  for (const bool killed : {false, true}) {
    if (killed) {
      router_.kill();
      router_.start();
    }
    EXPECT_TRUE(soon([&] { return router_.ask({"queue", "list"}).size() == 1; }));
    const auto item = router_.ask({"queue", "list"}).at(0);
    EXPECT_EQ(item.at("state"), "waiting");
    EXPECT_EQ(item.at("reason"), "after_series");
    EXPECT_TRUE(item.at("next_attempt").is_string()) << item.dump();
    const auto object = traced(spec);
    EXPECT_EQ(object.at("state"), "deferred");
    EXPECT_EQ(object.at("states").at("later"), "waiting");
    EXPECT_EQ(object.at("reasons").at("later"), "after_series");
    EXPECT_TRUE(object.at("next_attempts").at("later").is_string());
  }
}

TEST_F(Deferral, TheSeriesGoesOnceItIsQuietAndWhatComesLaterIsHeld) {
  std::vector<ObjectSpec> specs;
  for (int i = 0; i < 3; ++i) specs.push_back(send("CT", "1.2.4"));
  router_.wait_until_idle();
  for (const ObjectSpec& spec : specs) {
    const auto object = traced(spec);
    EXPECT_EQ(object.at("state"), "routed");
    EXPECT_EQ(object.at("states").at("soon"), "delivered");
  }
  const auto in_folder = stored(router_.folder() / "soon");
  EXPECT_EQ(in_folder.size(), 3U);
  router_.kill();
  router_.start();
  const ObjectSpec late = send("CT", "1.2.4");
  EXPECT_TRUE(soon([&] { return traced(late).at("states").at("soon") == "held"; }));
  EXPECT_EQ(traced(late).at("reasons").at("soon"), "late");
  EXPECT_EQ(stored(router_.folder() / "soon").size(), 3U);
}

}  // namespace
}  // namespace dr::test
