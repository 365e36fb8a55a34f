// Octets change on the disk while objects wait: the damaged one goes nowhere and is shown, its
// neighbours go where they should.
#include <fstream>

#include <gtest/gtest.h>

#include "test/e2e/asking.h"
#include "test/e2e/objects.h"
#include "test/support/storescp.h"

namespace dr::test {
namespace {

using nlohmann::json;

struct Sent {
  std::string uid;
  Bytes octets;
};

class BitRot : public testing::Test {
 protected:
  Router router(const std::string& limits) {
    return Router({.destinations = dimse_destination("peer", peer_.port()),
                   .rules = route_all({"peer"}),
                   .limits = limits});
  }
  std::vector<Sent> send(const Router& router, int count) {
    std::vector<std::filesystem::path> files;
    std::vector<Sent> sent;
    for (int i = 0; i < count; ++i) {
      const std::string name = std::to_string(sent_++) + ".dcm";
      files.push_back(write_part10({.pixel_octets = 300'000}, folder_ / name));
      sent.push_back(
          {file::Part10Reader::open(files.back().string())->header().sop_instance_uid.str(),
           sent_data_set(files.back())});
    }
    EXPECT_EQ(Modality(router.port()).send(files).at("sent"), count);
    return sent;
  }
  /// One bit in the middle of the object, wherever the journal keeps it.
  static void flip(const Router& router, const Sent& object) {
    for (const auto& file : files_below(router.folder() / "spool/journal")) {
      const Bytes octets = read_octets(file);
      const auto at = as_text(octets).find(as_text(object.octets));
      if (at == std::string_view::npos) continue;
      const auto place = static_cast<std::streamoff>(at + object.octets.size() / 2);
      const auto bad =
          std::to_integer<char>(octets[static_cast<std::size_t>(place)] ^ std::byte{4});
      std::fstream(file, std::ios::in | std::ios::out | std::ios::binary).seekp(place).put(bad);
      return;
    }
    ADD_FAILURE() << "the object is not in the journal";
  }
  static json damaged(const Router& router) {
    return router.ask({"queue", "list", "--state", "damaged"});
  }

  TempDir folder_;
  Storescp peer_{{"--verbose"}};
  int sent_ = 0;
};

TEST_F(BitRot, TheScrubberFindsItBeforeAnybodyNeedsTheObject) {
  peer_.stop();
  const Router router = this->router("scrub_every = \"1s\"\n");
  const auto objects = send(router, 3);
  flip(router, objects[1]);
  ASSERT_TRUE(soon([&] { return !damaged(router).empty(); }));
  const json shown = damaged(router);
  ASSERT_EQ(shown.size(), 1U) << shown;
  EXPECT_EQ(shown[0].at("sop_instance_uid"), objects[1].uid) << shown;
  EXPECT_EQ(shown[0].at("reason"), "checksum");
  EXPECT_EQ(metric(router, "dicom_router_journal_damaged_records_total"), "1");
  EXPECT_EQ(metric(router, "dicom_router_queue_objects{destination=\"peer\",state=\"damaged\"}"),
            "1");
  EXPECT_TRUE(soon([&] {
    return router.run({"trace", objects[1].uid}).output.find("peer: damaged") != std::string::npos;
  })) << router.run({"trace", objects[1].uid}).output;
  peer_.start();
  router.wait_until_idle();
  const auto there = stored(peer_.folder());
  EXPECT_EQ(there.size(), 2U);
  EXPECT_TRUE(holds(there, objects[0].uid, objects[0].octets));
  EXPECT_TRUE(holds(there, objects[2].uid, objects[2].octets));
}

TEST_F(BitRot, ADeliveryChecksFirstAndTheRestartRemembers) {
  peer_.stop();
  Router router = this->router("scrub_rate = \"0KiB\"\n");
  const auto objects = send(router, 3);
  ASSERT_EQ(router.stop(), 0);
  flip(router, objects[0]);
  peer_.start();
  router.start();
  router.wait_until_idle();
  auto there = stored(peer_.folder());
  EXPECT_EQ(there.size(), 2U);
  EXPECT_FALSE(there.contains(objects[0].uid));
  ASSERT_EQ(damaged(router).size(), 1U);
  // Not one octet of it was sent: nobody's association had to be aborted.
  const std::string seen = peer_.process().output();
  EXPECT_NE(seen.find("Association Acknowledged"), std::string::npos) << seen;
  EXPECT_EQ(seen.find("Abort"), std::string::npos) << seen;
  ASSERT_EQ(router.stop(), 0);
  router.start();
  const json shown = damaged(router);
  ASSERT_EQ(shown.size(), 1U);
  EXPECT_EQ(shown[0].at("sop_instance_uid"), objects[0].uid) << shown;
}

}  // namespace
}  // namespace dr::test
