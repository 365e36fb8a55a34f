// Two nodes whose rules send everything to each other: each object goes there and back once, then
// both are still.
#include <algorithm>
#include <fstream>

#include <gtest/gtest.h>

#include "test/e2e/asking.h"
#include "test/e2e/objects.h"

namespace dr::test {
namespace {

std::string node(const std::string& name, std::uint16_t port, const std::string& self) {
  return dimse_destination(name, port, "calling_ae_title = \"" + self + "\"\n");
}

class Loop : public testing::Test {
 protected:
  Loop()
      : here_(
            {.destinations = folder_destination("kept", "../kept"), .rules = route_all({"kept"})}),
        there_({.destinations =
                    folder_destination("kept", "../kept") + node("HERE", here_.port(), "THERE"),
                .rules = route_all({"kept", "HERE"})}) {
    EXPECT_EQ(here_.stop(), 0);
    std::ofstream(here_.config(), std::ios::app) << node("THERE", there_.port(), "HERE");
    std::ofstream(here_.folder() / "conf/rules.d/10-test.toml") << route_all({"kept", "THERE"});
    here_.start();
  }

  std::vector<std::filesystem::path> files(int count) {
    std::vector<std::filesystem::path> paths;
    for (int i = 0; i < count; ++i) {
      specs_.emplace_back();
      paths.push_back(folder_ / (std::to_string(specs_.size()) + ".dcm"));
      write_part10(specs_.back(), paths.back());
    }
    return paths;
  }
  void settle() {
    // What one has sent is on the other's journal; two rounds see all that goes back.
    for (int round = 0; round < 3; ++round) {
      here_.wait_until_idle();
      there_.wait_until_idle();
    }
  }
  static double loops(const Router& router, const std::string& destination) {
    const std::string value =
        metric(router, "dicom_router_loop_guard_total{destination=\"" + destination + "\"}");
    return value.empty() ? 0 : std::stod(value);
  }
  static std::string received(const Router& router) {
    return metric(router,
                  "dicom_router_objects_received_total{listener=\"in\",sop_class_group=\"ct\"}");
  }

  TempDir folder_;
  std::vector<ObjectSpec> specs_;
  Router here_;
  Router there_;
};

TEST_F(Loop, TwoNodesPointedAtEachOtherSettle) {
  const auto paths = files(20);
  EXPECT_EQ(Modality(here_.port()).send(paths).at("sent"), 20);
  EXPECT_TRUE(soon([&] { return loops(here_, "THERE") == 20; })) << here_.log() << there_.log();
  settle();
  EXPECT_EQ(received(here_), "40");  // from the modality, and back from the other node
  EXPECT_EQ(received(there_), "20");

  const auto traced = here_.ask({"trace", specs_.front().sop_instance_uid});
  ASSERT_EQ(traced.at("objects").size(), 2U);
  const auto& first = traced.at("objects").at(0);
  const auto& back = traced.at("objects").at(1);
  EXPECT_EQ(first.at("states").at("THERE"), "delivered");
  EXPECT_EQ(back.at("source").at("ae_title"), "THERE");
  EXPECT_EQ(back.at("states").at("THERE"), "skipped");
  EXPECT_EQ(back.at("reasons").at("THERE"), "loop");
  EXPECT_EQ(back.at("states").at("kept"), "delivered") << "stored, and sent everywhere else";

  // Sent once more by the modality, it is forwarded once more, and ends at the other node.
  EXPECT_EQ(Modality(here_.port()).send(paths).at("sent"), 20);
  EXPECT_TRUE(soon([&] { return loops(there_, "HERE") == 20; })) << there_.log();
  settle();
  EXPECT_EQ(received(here_), "60");
  EXPECT_EQ(received(there_), "40");
  EXPECT_EQ(here_.stop(), 0);
  EXPECT_EQ(there_.stop(), 0);
}

TEST_F(Loop, ACopyIsKnownByWhatWasSent) {
  EXPECT_EQ(here_.stop(), 0);
  std::ofstream(here_.folder() / "conf/rules.d/10-test.toml")
      << route_all({"kept"}) << "[[rule]]\nname = \"changed\"\nwhen = {}\nroute = [\"THERE\"]\n"
      << "transform = [{ prefix = \"PatientID\", with = \"A-\" }]\n";
  here_.start();
  const auto paths = files(5);
  EXPECT_EQ(Modality(here_.port()).send(paths).at("sent"), 5);
  EXPECT_TRUE(soon([&] { return loops(here_, "THERE") == 5; })) << here_.log() << there_.log();
  settle();
  EXPECT_EQ(received(here_), "10");
  EXPECT_EQ(received(there_), "5");
  EXPECT_EQ(here_.stop(), 0);
  EXPECT_EQ(there_.stop(), 0);
}

TEST_F(Loop, ANodeThatWasKilledStillKnowsWhatItSent) {
  const auto paths = files(5);
  EXPECT_EQ(Modality(here_.port()).send(paths).at("sent"), 5);
  EXPECT_TRUE(soon([&] { return loops(here_, "THERE") == 5; })) << here_.log();
  settle();
  here_.kill();
  here_.start();
  // The same objects come from the other node once more, which has nobody to tell it from the
  // first.
  EXPECT_EQ(Modality(there_.port()).send(paths).at("sent"), 5);
  EXPECT_TRUE(soon([&] { return loops(here_, "THERE") == 5; })) << here_.log();
  settle();
  EXPECT_EQ(received(here_), "5");
  EXPECT_EQ(received(there_), "10") << "nothing went round again";
  EXPECT_EQ(here_.stop(), 0);
  EXPECT_EQ(there_.stop(), 0);
}

TEST_F(Loop, WhatCameBackBeforeTheKillIsNotSentAfterIt) {
  const auto paths = files(20);
  EXPECT_EQ(Modality(here_.port()).send(paths).at("sent"), 20);
  // Killed again and again while the objects go round.
  for (int i = 0; i < 5; ++i) {
    here_.kill();
    here_.start();
  }
  EXPECT_TRUE(soon(
      [&] {
        const auto traced = [&](const ObjectSpec& spec) {
          const auto objects = here_.ask({"trace", spec.sop_instance_uid}).at("objects");
          return std::ranges::any_of(objects, [](const auto& each) {
            return each.value("reasons", nlohmann::json::object()).value("THERE", "") == "loop";
          });
        };
        return std::ranges::all_of(specs_, traced);
      },
      std::chrono::seconds(120)))
      << here_.log();
  settle();
  // Each copy that reached the other node came back, and stayed here: no object was there more
  // often than it was sent.
  for (const ObjectSpec& spec : specs_) {
    for (const auto& object : here_.ask({"trace", spec.sop_instance_uid}).at("objects")) {
      const bool back = object.at("source").at("ae_title") == "THERE";
      EXPECT_EQ(object.at("states").at("THERE"), back ? "skipped" : "delivered") << object.dump(2);
    }
  }
  EXPECT_EQ(here_.stop(), 0);
  EXPECT_EQ(there_.stop(), 0);
}

}  // namespace
}  // namespace dr::test
