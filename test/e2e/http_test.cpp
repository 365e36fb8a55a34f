// Destinations that speak HTTP, before a real Orthanc: its REST interface, and STOW-RS through its
// DICOMweb plugin.
#include <algorithm>
#include <fstream>
#include <set>

#include <gtest/gtest.h>

#include "test/e2e/asking.h"
#include "test/e2e/objects.h"
#include "test/support/orthanc.h"
#include "test/support/router.h"
#include "test/support/tcp_gate.h"

namespace dr::test {
namespace {

constexpr const char* kDicomWeb =
    R"("Plugins": ["/usr/share/orthanc/plugins/libOrthancDicomWeb.so"], "DicomWeb": {"Enable": true, "Root": "/dicom-web/"})";

std::string http_destination(const std::string& kind, const std::string& url,
                             const std::string& more = {}) {
  return "[[destination]]\nname = \"" + kind + "\"\nkind = \"" + kind + "\"\nurl = \"" + url +
         "\"\n" + more;
}
std::string local(std::uint16_t port, const std::string& path = {}) {
  return "http://127.0.0.1:" + std::to_string(port) + path;
}

Bytes stored_data_set(const Orthanc& orthanc, const std::string& id, const TempDir& folder) {
  const auto path = folder / "instance.dcm";
  const Bytes file = orthanc.instance_file(id);
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(file.data()), static_cast<std::streamsize>(file.size()));
  return data_set(path);
}

/// State of the latest object of this UID at its one destination, as `trace` tells it.
std::string state_of(const Router& router, const std::string& uid) {
  const auto objects = router.ask({"trace", uid}).at("objects");
  if (objects.empty() || objects.back().at("states").empty()) return "";
  return objects.back().at("states").front();
}

class HttpDestinations : public testing::TestWithParam<const char*> {
 protected:
  bool stow() const { return std::string(GetParam()) == "stow"; }
  std::string url(std::uint16_t port) const { return local(port, stow() ? "/dicom-web" : ""); }
  std::string arrived() const { return stow() ? "delivered" : "verified"; }
};

TEST_P(HttpDestinations, GetEveryObjectThatOrthancTakes) {
  TempDir own;
  std::vector<std::filesystem::path> unreadable;
  const Rounds rounds = sample_objects(own.path(), unreadable);
  Orthanc direct;
  Orthanc routed(kDicomWeb);
  Router router({.destinations = http_destination(GetParam(), url(routed.http_port())),
                 .rules = route_all({GetParam()})});
  const Modality to_router(router.port());
  const Modality to_orthanc(direct.dicom_port());
  std::size_t compared = 0;
  for (const auto& round : rounds) {
    const auto answers = to_orthanc.send(paths_of(round)).at("files");
    const auto taken = to_router.send(paths_of(round)).at("files");
    for (std::size_t i = 0; i < round.size(); ++i) {
      if (!answers[i].at("ok") || !taken[i].at("ok")) continue;
      SCOPED_TRACE(round[i].path.string());
      ASSERT_TRUE(soon([&] { return state_of(router, round[i].uid) == arrived(); }))
          << router.ask({"trace", round[i].uid}).dump() << router.log();
      const auto seen = routed.find(round[i].uid);
      ASSERT_TRUE(seen);
      EXPECT_TRUE(stored_data_set(routed, *seen, own) == sent_data_set(round[i].path));
      ++compared;
    }
  }
  std::cout << compared << " objects compared\n";
  EXPECT_GT(compared, 5U);
}

TEST_P(HttpDestinations, GetWhatWaitedWhileTheyWereDown) {
  TempDir own;
  std::vector<std::filesystem::path> paths;
  std::set<std::string> uids;
  for (int i = 0; i < 12; ++i) {
    const ObjectSpec spec;
    uids.insert(spec.sop_instance_uid);
    paths.push_back(own / (std::to_string(i) + ".dcm"));
    write_part10(spec, paths.back());
  }
  Orthanc orthanc(kDicomWeb);
  orthanc.stop();
  Router router({.destinations = http_destination(GetParam(), url(orthanc.http_port()),
                                                  "retry = { first = \"100ms\", most = \"1s\" }\n"),
                 .rules = route_all({GetParam()})});
  EXPECT_EQ(Modality(router.port()).send(paths).at("sent"), 12);
  EXPECT_TRUE(soon([&] {
    const auto destination = router.ask({"queue", "list"});
    return destination.size() == 12;
  }));
  orthanc.start();
  router.wait_until_idle();
  EXPECT_EQ(orthanc.instances().size(), uids.size());
  for (const std::string& uid : uids) EXPECT_TRUE(orthanc.find(uid)) << uid;
}

TEST_P(HttpDestinations, LoseNothingWhereTheConnectionIsCutAnywhere) {
  TempDir own;
  Orthanc orthanc(kDicomWeb);
  TcpGate gate(orthanc.http_port());
  Router router(
      {.destinations = http_destination(GetParam(), url(gate.port()),
                                        "retry = { first = \"50ms\", most = \"200ms\" }\n"),
       .rules = route_all({GetParam()})});
  const Modality modality(router.port());
  std::set<std::string> uids;
  for (const std::size_t cut : {1U, 200U, 700U, 5'000U, 41'000U}) {
    ObjectSpec spec;
    spec.pixel_octets = 40'000;
    uids.insert(spec.sop_instance_uid);
    write_part10(spec, own / "one.dcm");
    const std::size_t before = gate.connections();
    gate.cut_after(cut);
    ASSERT_EQ(modality.send({own / "one.dcm"}).at("sent"), 1);
    // The connection that rests may be the one that is cut; then the next one is, too.
    ASSERT_TRUE(soon([&] { return gate.connections() > before + 1; }));
    gate.open();
    router.wait_until_idle();
  }
  for (const std::string& uid : uids) {
    EXPECT_TRUE(orthanc.find(uid)) << uid << router.log();
    EXPECT_TRUE(soon([&] { return state_of(router, uid) == arrived(); }));
  }
  EXPECT_EQ(orthanc.instances().size(), uids.size());
}

INSTANTIATE_TEST_SUITE_P(Both, HttpDestinations, testing::Values("orthanc", "stow"),
                         [](const auto& each) { return std::string(each.param); });

TEST(OrthancRest, HoldsWhatIsThereWithOtherOctets) {
  TempDir own;
  Orthanc orthanc(R"("OverwriteInstances": false)");
  ObjectSpec spec;
  write_part10(spec, own / "first.dcm");
  ASSERT_EQ(Modality(orthanc.dicom_port()).send({own / "first.dcm"}).at("sent"), 1);
  Router router({.destinations = http_destination("orthanc", local(orthanc.http_port())),
                 .rules = route_all({"orthanc"})});
  const Modality modality(router.port());
  ASSERT_EQ(modality.send({own / "first.dcm"}).at("sent"), 1);
  EXPECT_TRUE(soon([&] { return state_of(router, spec.sop_instance_uid) == "verified"; }))
      << "the same octets, under another head: " << router.log();
  spec.patient_name = "Other^Person";
  write_part10(spec, own / "second.dcm");
  ASSERT_EQ(modality.send({own / "second.dcm"}).at("sent"), 1);
  EXPECT_TRUE(soon([&] { return state_of(router, spec.sop_instance_uid) == "held"; }));
  const auto queue = router.ask({"queue", "list"});
  ASSERT_EQ(queue.size(), 1U);
  EXPECT_EQ(queue.at(0).at("reason"), "conflict");
}

TEST(OrthancRest, IsNotTakenForDownWhenAnObjectLacksItsIdentifiers) {
  TempDir own;
  Orthanc orthanc;
  ObjectSpec without;
  without.study_instance_uid = "";
  without.series_instance_uid = "";
  const ObjectSpec whole;
  write_part10(without, own / "without.dcm");
  write_part10(whole, own / "whole.dcm");
  Router router({.destinations = http_destination("orthanc", local(orthanc.http_port())),
                 .rules = route_all({"orthanc"})});
  const Modality modality(router.port());
  ASSERT_EQ(modality.send({own / "without.dcm"}).at("sent"), 1);
  EXPECT_TRUE(soon([&] { return state_of(router, without.sop_instance_uid) == "held"; }))
      << router.log();
  EXPECT_EQ(metric(router, R"(dicom_router_destination_up{destination="orthanc"})"), "1");
  ASSERT_EQ(modality.send({own / "whole.dcm"}).at("sent"), 1);
  EXPECT_TRUE(soon([&] { return state_of(router, whole.sop_instance_uid) == "verified"; }));
}

TEST(OrthancRest, IsBelievedByItsDigestWithoutReadingTheFileBack) {
  TempDir own;
  Orthanc orthanc;
  TcpGate gate(orthanc.http_port());
  ObjectSpec spec;
  spec.pixel_octets = 1'000'000;
  write_part10(spec, own / "one.dcm");
  Router router({.destinations = http_destination("orthanc", local(gate.port())),
                 .rules = route_all({"orthanc"})});
  ASSERT_EQ(Modality(router.port()).send({own / "one.dcm"}).at("sent"), 1);
  ASSERT_TRUE(soon([&] { return state_of(router, spec.sop_instance_uid) == "verified"; }))
      << router.log();
  EXPECT_GT(gate.octets_to_server(), 1'000'000U);
  EXPECT_LT(gate.octets_to_client(), 100'000U);
}

TEST(OrthancRest, WaitsWithoutTheRightPasswordAndGoesWithIt) {
  TempDir own;
  Orthanc orthanc(R"("AuthenticationEnabled": true, "RegisteredUsers": {"router": "s3cret-word"})");
  write_part10(ObjectSpec{}, own / "one.dcm");
  Router router({.destinations = http_destination("orthanc", local(orthanc.http_port()),
                                                  "username = \"router\"\npassword = \"wrong\"\n"),
                 .rules = route_all({"orthanc"})});
  ASSERT_EQ(Modality(router.port()).send({own / "one.dcm"}).at("sent"), 1);
  EXPECT_TRUE(soon([&] {
    return metric(router, R"(dicom_router_destination_up{destination="orthanc"})") == "0";
  }));
  const auto queue = router.ask({"queue", "list"});
  ASSERT_EQ(queue.size(), 1U);
  EXPECT_EQ(queue.at(0).at("attempts"), 0) << "the object is not to blame";
  router.stop();
  std::ifstream in(router.config());
  std::string text{std::istreambuf_iterator<char>(in), {}};
  text.replace(text.find("\"wrong\""), 7, "\"s3cret-word\"");
  std::ofstream(router.config()) << text;
  router.start();
  router.wait_until_idle();
}

}  // namespace
}  // namespace dr::test
