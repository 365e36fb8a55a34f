// Before a real Orthanc: it answers and stores what it would if the sender had sent there directly.
#include "test/support/orthanc.h"

#include <algorithm>
#include <fstream>
#include <set>
#include <thread>

#include <gtest/gtest.h>

#include "test/e2e/objects.h"
#include "test/support/router.h"

namespace dr::test {
namespace {

Bytes stored_data_set(const Orthanc& orthanc, const std::string& id, const TempDir& folder) {
  const auto path = folder / "instance.dcm";
  const Bytes file = orthanc.instance_file(id);
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(file.data()), static_cast<std::streamsize>(file.size()));
  return data_set(path);
}

/// The status of the last attempt at `destination`, as `send` prints it; "" when there is none. The
/// audit is written a moment after the delivery.
std::string last_status(const Router& router, const std::string& uid,
                        const std::string& destination) {
  for (int i = 0; i < 100; ++i) {
    const auto trace = router.ask({"trace", uid});
    std::string status;
    for (const auto& delivery : trace.at("objects").back().at("deliveries")) {
      if (delivery.at("destination") != destination || delivery.at("status").is_null()) continue;
      char text[16];
      std::snprintf(text, sizeof text, "%04XH", delivery.at("status").get<unsigned>());
      status = text;
    }
    if (!status.empty()) return status;
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  return {};
}

/// What Orthanc takes has left the queue. The rest may stay: the router does not give up on A700H.
void wait_until_delivered(const Router& router, const nlohmann::json& answers,
                          const std::vector<Sample>& round) {
  std::set<std::string> takes;
  for (std::size_t i = 0; i < round.size(); ++i) {
    if (answers[i].at("ok")) takes.insert(round[i].uid);
  }
  for (int i = 0; i < 1200; ++i) {
    const auto queue = router.ask({"queue", "list"});
    if (std::ranges::none_of(queue, [&](const auto& item) {
          return takes.contains(item.at("sop_instance_uid").template get<std::string>());
        })) {
      return;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  FAIL() << router.ask({"queue", "list"}).dump().substr(0, 2000) << router.log();
}

TEST(OrthancDestination, HoldsAndAnswersWhatItDoesWithoutTheRouter) {
  TempDir own;
  std::vector<std::filesystem::path> unreadable;
  const Rounds rounds = sample_objects(own.path(), unreadable);
  Orthanc direct;
  Orthanc routed;
  Router router(
      {.destinations = dimse_destination("orthanc", routed.dicom_port(), "profile = \"orthanc\"\n"),
       .rules = route_all({"orthanc"})});
  const Modality to_router(router.port());
  const Modality to_orthanc(direct.dicom_port());
  std::size_t compared = 0;
  std::size_t refused = 0;
  for (const auto& round : rounds) {
    const auto answers = to_orthanc.send(paths_of(round)).at("files");
    const auto taken = to_router.send(paths_of(round)).at("files");
    ASSERT_EQ(answers.size(), round.size());
    ASSERT_EQ(taken.size(), round.size());
    wait_until_delivered(router, answers, round);
    for (std::size_t i = 0; i < round.size(); ++i) {
      SCOPED_TRACE(round[i].path.string());
      const auto expected = direct.find(round[i].uid);
      const auto seen = routed.find(round[i].uid);
      ASSERT_EQ(expected.has_value(), seen.has_value()) << answers[i].dump();
      const std::string answer = answers[i].at("answer");
      if (answers[i].at("ok")) {
        EXPECT_TRUE(taken[i].at("ok")) << taken[i].dump();
        EXPECT_EQ(last_status(router, round[i].uid, "orthanc"), answer);
      } else {
        ++refused;
      }
      if (!expected) continue;
      EXPECT_EQ(stored_data_set(direct, *expected, own), stored_data_set(routed, *seen, own));
      ++compared;
    }
  }
  std::cout << compared << " objects compared, " << refused << " that Orthanc refuses\n";
  EXPECT_GT(compared, 5 * refused);
}

}  // namespace
}  // namespace dr::test
