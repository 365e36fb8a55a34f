// What goes in comes out, octet for octet, in every transfer syntax and SOP class that there is.
#include <set>

#include <gtest/gtest.h>

#include "test/e2e/objects.h"
#include "test/support/router.h"
#include "test/support/storescp.h"

namespace dr::test {
namespace {

/// Which of a `send` the peer took.
std::set<std::string> taken(const nlohmann::json& sent) {
  std::set<std::string> files;
  for (const auto& file : sent.at("files")) {
    if (file.at("ok")) files.insert(file.at("file").get<std::string>());
  }
  return files;
}

TEST(ByteIdentity, EveryObjectArrivesAtStorescpAndInTheArchiveAsItWasSent) {
  TempDir own;
  std::vector<std::filesystem::path> unreadable;
  const Rounds rounds = sample_objects(own.path(), unreadable);
  ASSERT_FALSE(rounds.empty());
  Storescp direct;
  Storescp routed;
  Router router({.destinations = dimse_destination("storescp", routed.port()) +
                                 folder_destination("archive", "../archive"),
                 .rules = route_all({"storescp", "archive"})});
  const Modality to_router(router.port());
  const Modality to_storescp(direct.port());

  std::size_t compared = 0;
  std::size_t refused_by_storescp = 0;
  std::size_t no_object = 0;
  for (const auto& round : rounds) {
    const auto by_router = taken(to_router.send(paths_of(round)));
    const auto by_storescp = taken(to_storescp.send(paths_of(round)));
    router.wait_until_idle();
    const auto at_storescp = stored(routed.folder());
    const auto at_direct = stored(direct.folder());
    const auto in_archive = stored(router.folder() / "archive");
    for (const Sample& sample : round) {
      SCOPED_TRACE(sample.path.string());
      const Bytes octets = sent_data_set(sample.path);
      ASSERT_EQ(by_router.contains(sample.path.string()), names_its_instance(sample.path));
      if (!by_router.contains(sample.path.string())) {
        ++no_object;
        continue;
      }
      EXPECT_TRUE(holds(in_archive, sample.uid, octets)) << "archive";
      const bool storescp_takes_it = by_storescp.contains(sample.path.string());
      // storescp answers 0000H also for what it then stores changed: what it does with the same
      // octets from the same SCU is the measure.
      if (storescp_takes_it && holds(at_direct, sample.uid, octets)) {
        EXPECT_TRUE(holds(at_storescp, sample.uid, octets)) << "storescp";
        ++compared;
      } else {
        ++refused_by_storescp;
      }
    }
  }
  std::cout << compared << " data sets compared at both, " << refused_by_storescp
            << " that storescp does not take from anyone, " << no_object
            << " that name no instance, " << unreadable.size()
            << " files that are no Part 10 files\n";
  EXPECT_LE(refused_by_storescp, compared / 10);
}

TEST(ByteIdentity, WhatDcmsendSendsArrivesAsIfItHadSentItThere) {
  TempDir own;
  std::vector<std::filesystem::path> files;
  Rounds rounds = sample_objects(own.path(), files);
  // dcmsend takes some that are no Part 10 files; they go with the first round.
  Storescp direct;
  Storescp routed;
  Router router({.destinations = dimse_destination("storescp", routed.port()),
                 .rules = route_all({"storescp"})});
  std::size_t compared = 0;
  for (std::size_t i = 0; i < rounds.size(); ++i) {
    auto paths = paths_of(rounds[i]);
    if (i == 0) paths.insert(paths.end(), files.begin(), files.end());
    for (const std::uint16_t port : {direct.port(), router.port()}) {
      std::vector<std::string> argv{
          "dcmsend", "--decompress-never", "--no-halt",         "--no-illegal-proposal", "-aec",
          "ROUTER",  "127.0.0.1",          std::to_string(port)};
      for (const auto& path : paths) argv.push_back(path.string());
      run(std::move(argv), {"TCP_NODELAY=1"}, std::chrono::minutes(4));
    }
    router.wait_until_idle();
    const auto expected = stored(direct.folder());
    const auto seen = stored(routed.folder());
    EXPECT_EQ(expected.size(), seen.size());
    for (const auto& [uid, octets] : expected) {
      EXPECT_TRUE(holds(seen, uid, octets)) << uid;
      ++compared;
    }
  }
  EXPECT_GT(compared, 0U);
}

}  // namespace
}  // namespace dr::test
