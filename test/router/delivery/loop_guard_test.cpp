// What counts as an object that has come back: sent there, the same octets, from there.
#include "router/delivery/loop_guard.h"

#include <fstream>

#include <gtest/gtest.h>

#include "dimse/base/file_system.h"
#include "test/support/temp_dir.h"

namespace dr::delivery {
namespace {

const Uid kObject = uid_literal("1.2.3.4");
constexpr Octets kOctets{1000, 0xdeadbeef};

DestinationSettings peer(const std::string& host = "192.0.2.7") {
  DestinationSettings settings;
  settings.name = "pacs";
  settings.host = host;
  settings.ae_title = *AeTitle::parse("PACS");
  return settings;
}

journal::ObjectRecord from(const char* ae_title, const char* address) {
  journal::ObjectRecord record;
  record.sop_instance_uid = kObject;
  record.calling_ae_title = *AeTitle::parse(ae_title);
  record.peer_address = address;
  return record;
}

TEST(LoopGuard, KnowsWhatComesBackByAeTitleOrAddress) {
  LoopGuard guard(nullptr);
  guard.sent("pacs", kObject, kOctets);
  EXPECT_TRUE(guard.returned(peer(), from("PACS", "198.51.100.1"), kOctets));
  EXPECT_TRUE(guard.returned(peer(), from("CT1", "192.0.2.7"), kOctets)) << "its sender's title";
  EXPECT_FALSE(guard.returned(peer(), from("CT1", "198.51.100.1"), kOctets)) << "sent once more";
}

TEST(LoopGuard, ASharedMachineIsNoSender) {
  LoopGuard guard(nullptr);
  guard.sent("pacs", kObject, kOctets);
  EXPECT_FALSE(guard.returned(peer("127.0.0.1"), from("CT1", "127.0.0.1"), kOctets));
  EXPECT_TRUE(guard.returned(peer("127.0.0.1"), from("PACS", "127.0.0.1"), kOctets));
}

TEST(LoopGuard, WhatWasNotSentThereOrHasChangedGoesOn) {
  LoopGuard guard(nullptr);
  EXPECT_FALSE(guard.returned(peer(), from("PACS", "192.0.2.7"), kOctets));
  guard.sent("archive", kObject, kOctets);
  EXPECT_FALSE(guard.returned(peer(), from("PACS", "192.0.2.7"), kOctets)) << "sent elsewhere";
  guard.sent("pacs", kObject, kOctets);
  EXPECT_FALSE(guard.returned(peer(), from("PACS", "192.0.2.7"), {1000, 0xdeadbeee}));
  EXPECT_FALSE(guard.returned(peer(), from("PACS", "192.0.2.7"), {1001, 0xdeadbeef}));
  auto other = from("PACS", "192.0.2.7");
  other.sop_instance_uid = uid_literal("1.2.3.5");
  EXPECT_FALSE(guard.returned(peer(), other, kOctets));
}

TEST(LoopGuard, AFolderSendsNothingBack) {
  LoopGuard guard(nullptr);
  guard.sent("pacs", kObject, kOctets);
  DestinationSettings folder = peer();
  folder.kind = Kind::kFolder;
  EXPECT_FALSE(guard.returned(folder, from("PACS", "192.0.2.7"), kOctets));
}

TEST(LoopGuard, RemembersTheLatestOfMany) {
  LoopGuard guard(nullptr);
  for (int i = 0; i < 100'000; ++i) {
    guard.sent("pacs", *Uid::parse("1.2.9." + std::to_string(i)), kOctets);
    guard.sent("pacs", kObject, kOctets);
  }
  auto record = from("PACS", "192.0.2.7");
  EXPECT_TRUE(guard.returned(peer(), record, kOctets));
  std::size_t known = 0;
  for (int i = 0; i < 100'000; ++i) {
    record.sop_instance_uid = *Uid::parse("1.2.9." + std::to_string(i));
    known += guard.returned(peer(), record, kOctets) ? 1U : 0U;
  }
  EXPECT_GT(known, 99'000U);
}

TEST(LoopGuard, RemembersAcrossLives) {
  const test::TempDir spool;
  const auto files = open_posix_file_system(spool.path().string());
  ASSERT_TRUE(files);
  const auto knows = [&](const LoopGuard& guard, const Uid& uid) {
    auto record = from("PACS", "192.0.2.7");
    record.sop_instance_uid = uid;
    return guard.returned(peer(), record, kOctets);
  };
  const auto uid = [](int i) { return *Uid::parse("1.2.9." + std::to_string(i)); };
  constexpr int kKept = 100;
  {
    LoopGuard guard(files->get(), kKept);
    for (int i = 0; i < 250; ++i) guard.sent("pacs", uid(i), kOctets);
  }
  {
    LoopGuard guard(files->get(), kKept);
    EXPECT_FALSE(knows(guard, uid(149)));
    EXPECT_TRUE(knows(guard, uid(150)));
    EXPECT_TRUE(knows(guard, uid(249)));
    guard.sent("pacs", uid(1000), kOctets);
  }
  const LoopGuard guard(files->get(), kKept);
  EXPECT_FALSE(knows(guard, uid(150))) << "the oldest makes room";
  EXPECT_TRUE(knows(guard, uid(151)));
  EXPECT_TRUE(knows(guard, uid(1000)));
}

TEST(LoopGuard, AFileThatCanNotBeReadIsNoReasonNotToStart) {
  const test::TempDir spool;
  std::ofstream(spool / "sent") << "no slots, and of no whole length";
  const auto files = open_posix_file_system(spool.path().string());
  ASSERT_TRUE(files);
  LoopGuard guard(files->get());
  guard.sent("pacs", kObject, kOctets);
  EXPECT_TRUE(guard.returned(peer(), from("PACS", "192.0.2.7"), kOctets));
}

}  // namespace
}  // namespace dr::delivery
