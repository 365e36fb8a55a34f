#include "router/access.h"

#include <gtest/gtest.h>

namespace dr {
namespace {

service::AssociationInfo peer(std::uint64_t number, const std::string& calling,
                              const std::string& address, const std::string& called = "ROUTER") {
  service::AssociationInfo info;
  info.number = number;
  info.listener = "in";
  info.peer_address = address;
  info.calling_ae_title = *AeTitle::parse(calling);
  info.called_ae_title = *AeTitle::parse(called);
  return info;
}

AccessSettings settings(std::vector<SourceSettings> sources = {}) {
  AccessSettings s;
  s.called["in"] = {"ROUTER"};
  s.sources = std::move(sources);
  return s;
}

SourceSettings source(const std::string& ae_title, std::vector<std::string> ranges = {}) {
  SourceSettings s;
  s.ae_title = ae_title;
  for (const std::string& range : ranges) s.addresses.push_back(*AddressRange::parse(range));
  return s;
}

void expect_reject(const std::optional<Access::Refusal>& refusal, int result, int from,
                   int reason) {
  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->reject.result, result);
  EXPECT_EQ(refusal->reject.source, from);
  EXPECT_EQ(refusal->reject.reason, reason);
}

TEST(AddressRange, ContainsWhatItsPrefixSays) {
  const auto ten = *AddressRange::parse("10.1.0.0/16");
  EXPECT_TRUE(ten.contains("10.1.255.3"));
  EXPECT_FALSE(ten.contains("10.2.0.1"));
  EXPECT_TRUE(ten.contains("::ffff:10.1.2.3")) << "an IPv4 address that came over IPv6";
  EXPECT_FALSE(ten.contains("::1"));
  EXPECT_FALSE(ten.contains("rubbish"));
  const auto odd = *AddressRange::parse("192.168.4.0/22");
  EXPECT_TRUE(odd.contains("192.168.7.255"));
  EXPECT_FALSE(odd.contains("192.168.8.0"));
  const auto v6 = *AddressRange::parse("fd00:1::/32");
  EXPECT_TRUE(v6.contains("fd00:1:ffff::1"));
  EXPECT_FALSE(v6.contains("fd00:2::1"));
  EXPECT_TRUE(AddressRange::parse("0.0.0.0/0")->everyone());
  EXPECT_TRUE(AddressRange::parse("10.0.0.1")->contains("10.0.0.1"));
}

TEST(AddressRange, RefusesWhatIsNone) {
  for (const char* text :
       {"", "10.1", "10.1.0.0/33", "10.1.0.0/", "10.1.0.0/-1", "::1/129", "ct1"}) {
    EXPECT_FALSE(AddressRange::parse(text)) << text;
  }
}

TEST(Access, WithoutSourcesOnlyThisMachineMayAssociate) {
  Access access(settings());
  EXPECT_FALSE(access.enter(peer(1, "ANY", "127.0.0.1")));
  EXPECT_FALSE(access.enter(peer(2, "ANY", "::1")));
  expect_reject(access.enter(peer(3, "ANY", "10.0.0.1")), 1, 1, 3);
}

TEST(Access, AnUnknownCalledAeTitleIsRejectedAsSuch) {
  Access access(settings());
  expect_reject(access.enter(peer(1, "ANY", "127.0.0.1", "OTHER")), 1, 1, 7);
}

TEST(Access, ASourceIsItsTitleAndItsAddresses) {
  Access access(settings({source("CT1", {"10.1.0.0/16"}), source("*", {"10.9.0.0/16"})}));
  EXPECT_FALSE(access.enter(peer(1, "CT1", "10.1.2.3")));
  expect_reject(access.enter(peer(2, "CT1", "10.2.0.1")), 1, 1, 3);
  expect_reject(access.enter(peer(3, "CT2", "10.1.2.3")), 1, 1, 3);
  EXPECT_FALSE(access.enter(peer(4, "CT2", "10.9.0.1")));
  expect_reject(access.enter(peer(5, "CT2", "127.0.0.1")), 1, 1, 3);
}

TEST(Access, ASourceMayBeBoundToAListener) {
  auto bound = source("CT1");
  bound.listeners = {"other"};
  Access access(settings({bound}));
  expect_reject(access.enter(peer(1, "CT1", "127.0.0.1")), 1, 1, 3);
}

TEST(Access, CountsPerSourceAndLetsInAgainWhoLeft) {
  auto s = settings();
  s.associations_per_source = 2;
  Access access(s);
  EXPECT_FALSE(access.enter(peer(1, "CT1", "127.0.0.1")));
  EXPECT_FALSE(access.enter(peer(2, "CT1", "127.0.0.1")));
  expect_reject(access.enter(peer(3, "CT1", "127.0.0.1")), 2, 3, 2);
  EXPECT_FALSE(access.enter(peer(4, "CT2", "127.0.0.1")));
  access.leave(1);
  EXPECT_FALSE(access.enter(peer(5, "CT1", "127.0.0.1")));
  EXPECT_EQ(access.open(), 3U);
}

TEST(Access, CountsPerAddressAndInAll) {
  auto s = settings({source("*", {"0.0.0.0/0"})});
  s.associations_per_address = 1;
  s.associations = 2;
  Access access(s);
  EXPECT_FALSE(access.enter(peer(1, "A", "10.0.0.1")));
  expect_reject(access.enter(peer(2, "B", "10.0.0.1")), 2, 3, 2);
  EXPECT_FALSE(access.enter(peer(3, "B", "10.0.0.2")));
  expect_reject(access.enter(peer(4, "C", "10.0.0.3")), 2, 3, 2);
  access.leave(99);  // was never let in
  access.leave(3);
  EXPECT_FALSE(access.enter(peer(5, "C", "10.0.0.3")));
}

}  // namespace
}  // namespace dr
