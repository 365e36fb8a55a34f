// `dicom-router replay` against the recorded traffic of a node that runs, and of one that does not.
#include <fstream>

#include <gtest/gtest.h>

#include "test/e2e/asking.h"
#include "test/e2e/objects.h"

namespace dr::test {
namespace {

class ReplayCommand : public testing::Test {
 protected:
  ReplayCommand()
      : router_({.destinations = folder_destination("first", "../first") +
                                 folder_destination("second", "../second"),
                 .rules = rules("CT", "first"),
                 .more = "[keys]\naudit = \"a key of the tests\"\n"}) {
    std::vector<std::filesystem::path> files;
    for (int i = 0; i < 6; ++i) {
      ObjectSpec spec;
      spec.modality = i < 4 ? "CT" : "MR";
      spec.patient_id = "ID-" + std::to_string(i);
      files.push_back(write_part10(spec, folder_ / (std::to_string(i) + ".dcm")));
    }
    EXPECT_EQ(Modality(router_.port()).send(files).at("sent"), 6);
    EXPECT_TRUE(soon([&] {
      const Finished replayed = router_.run({"replay", "--json"});
      return replayed.status == 0 &&
             nlohmann::json::parse(replayed.output).at("objects").get<int>() == 6;
    })) << router_.log();
  }

  static std::string rules(const std::string& modality, const std::string& destination) {
    return "[[rule]]\nname = \"by modality\"\nwhen = { Modality = \"" + modality +
           "\" }\nroute = [\"" + destination + "\"]\n" + route_all({"second"});
  }
  std::string candidate(const std::string& text) const {
    const auto folder = folder_ / "candidate";
    std::filesystem::create_directories(folder);
    std::ofstream(folder / "10.toml") << text;
    return folder.string();
  }

  TempDir folder_;
  Router router_;
};

TEST_F(ReplayCommand, TellsWhatWouldHaveGoneElsewhereWhileTheNodeRunsAndAfterwards) {
  EXPECT_EQ(router_.run({"replay", "--expect-same"}).status, 0);
  const std::string other = candidate(rules("MR", "first"));
  for (const bool running : {true, false}) {
    const auto differs = router_.run({"replay", "--rules", other, "--expect-same"});
    EXPECT_EQ(differs.status, 1) << differs.output;
    EXPECT_NE(differs.output.find("by modality"), std::string::npos) << differs.output;
    EXPECT_NE(differs.output.find("6 objects: 0 as they went, 6 otherwise"), std::string::npos)
        << differs.output;
    EXPECT_EQ(router_.run({"replay", "--rules", other}).status, 0);
    const auto document = router_.ask({"replay", "--rules", other});
    EXPECT_EQ(document.at("different"), 6);
    EXPECT_EQ(document.at("changes").size(), 4U);
    if (running) {
      EXPECT_EQ(router_.stop(), 0);
    }
  }
  EXPECT_EQ(router_.ask({"replay", "--since", "1d"}).at("objects"), 6);
  EXPECT_EQ(router_.ask({"replay", "--since", "2100-01-01T00:00:00Z"}).at("objects"), 0);
  EXPECT_EQ(router_.run({"replay", "--since", "yesterday"}).status, 2);
  EXPECT_EQ(router_.run({"replay", "--rules", candidate("[[rule]]\nnmae = \"x\"\n")}).status, 1);
}

TEST_F(ReplayCommand, PatientDataAreHashedAndLiteralsStillFound) {
  const auto document = router_.ask(
      {"replay", "--rules",
       candidate("[[rule]]\nname = \"one patient\"\nwhen = { PatientID = \"ID-2\" }\nroute = "
                 "[\"second\"]\n" +
                 rules("CT", "first"))});
  EXPECT_EQ(document.at("different"), 1) << document.dump(2);
  EXPECT_TRUE(document.at("unanswered").empty()) << document.dump(2);
  EXPECT_EQ(router_.stop(), 0);
  std::ifstream in(router_.folder() / "spool/snapshots.sqlite", std::ios::binary);
  const std::string file(std::istreambuf_iterator<char>(in), {});
  EXPECT_GT(file.size(), 4096U);
  EXPECT_EQ(file.find("Test^Object"), std::string::npos);
}

}  // namespace
}  // namespace dr::test
