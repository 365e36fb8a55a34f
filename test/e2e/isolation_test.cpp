// One destination that is down, or hangs, costs the others nothing.
#include <gtest/gtest.h>

#include "test/e2e/objects.h"
#include "test/support/router.h"
#include "test/support/storescp.h"
#include "test/support/tcp_gate.h"

namespace dr::test {
namespace {

constexpr int kObjects = 200;

std::vector<std::filesystem::path> make_objects(const TempDir& folder, int count) {
  std::vector<std::filesystem::path> files;
  for (int i = 0; i < count; ++i) {
    files.push_back(write_part10({}, folder / (std::to_string(i) + ".dcm")));
  }
  return files;
}

class Isolation : public testing::TestWithParam<bool> {};

TEST_P(Isolation, ADeadDestinationDelaysNoOtherAndGetsEverythingWhenItReturns) {
  const bool hangs = GetParam();
  TempDir folder;
  const auto files = make_objects(folder, kObjects);
  Storescp alive;
  Storescp dead;
  TcpGate gate(dead.port());
  hangs ? gate.hold() : gate.refuse();
  Router router({.destinations = dimse_destination("alive", alive.port()) +
                                 dimse_destination("dead", gate.port()),
                 .rules = route_all({"dead", "alive"})});
  EXPECT_EQ(Modality(router.port()).send(files).at("sent"), kObjects);
  // While the other one takes nothing at all, everything arrives here.
  router.wait_until_idle(std::chrono::seconds(60), "alive");
  EXPECT_EQ(alive.files().size(), static_cast<std::size_t>(kObjects));
  EXPECT_TRUE(dead.files().empty());
  EXPECT_EQ(router.ask({"queue", "list", "dead"}).size(), static_cast<std::size_t>(kObjects));

  gate.open();
  router.wait_until_idle(std::chrono::seconds(120));
  EXPECT_EQ(dead.files().size(), static_cast<std::size_t>(kObjects));
  for (const auto& file : files) {
    const auto uid = file::Part10Reader::open(file.string())->header().sop_instance_uid.str();
    EXPECT_TRUE(holds(stored(dead.folder()), uid, data_set(file))) << uid;
    if (HasFailure()) break;
  }
}

INSTANTIATE_TEST_SUITE_P(Down, Isolation, testing::Values(false, true),
                         [](const auto& each) { return each.param ? "Hangs" : "Refuses"; });

}  // namespace
}  // namespace dr::test
