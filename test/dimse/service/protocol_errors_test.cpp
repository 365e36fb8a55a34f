// What the listener answers to octets that have no place in the state it is in (PS3.8 table 9-10),
// and that it serves the next peer after each.
#include <random>
#include <string>

#include <gtest/gtest.h>

#include "test/support/memory_node.h"
#include "test/support/messages.h"
#include "test/support/scripted_peer.h"

namespace dr::service {
namespace {

using test::an_abort;
using test::hex;
using test::MemoryNode;
using test::ScriptedPeer;
using test::operator+;

const Bytes kUnknownPdu = hex("08 00 00000002 0000");
const Bytes kUnexpectedReleaseRp = test::kReleaseRp;

void expect_still_serving(MemoryNode& node) {
  ScriptedPeer peer(node.port());
  ASSERT_TRUE(peer.associate(test::an_association_request()));
  peer.send(test::command_pdu(1, test::an_echo_request(1)));
  EXPECT_EQ(test::receive_response(peer).status, 0);
  peer.send(test::kReleaseRq);
  peer.expect(test::kReleaseRp);
}

struct Case {
  std::string name;
  Bytes octets;
  Bytes answer;  // empty: the connection is closed without one
};

void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }
std::string name_of(const testing::TestParamInfo<Case>& info) { return info.param.name; }

Bytes rejection(std::uint8_t result, std::uint8_t source, std::uint8_t reason) {
  return ul::encode(ul::AAssociateRj{.result = result, .source = source, .reason = reason});
}

Bytes request_with(void (*change)(ul::AAssociateRq&)) {
  ul::AAssociateRq rq = test::an_association_request();
  change(rq);
  return ul::encode(rq);
}

Bytes with_protocol_version(std::uint8_t version) {
  Bytes rq = ul::encode(test::an_association_request());
  rq[7] = std::byte{version};
  return rq;
}

// --- Sta2 ---------------------------------------------------------------------------------------

class Sta2 : public testing::TestWithParam<Case> {};

TEST_P(Sta2, GetsItsAnswer) {
  MemoryNode node;
  ScriptedPeer peer(node.port());
  peer.send(GetParam().octets);
  if (GetParam().answer.empty()) {
    peer.expect_close();
  } else {
    peer.expect(GetParam().answer);
  }
  peer.close();
  expect_still_serving(node);
}

INSTANTIATE_TEST_SUITE_P(
    ProtocolErrors, Sta2,
    testing::Values(
        Case{"UnknownPduIsAborted", kUnknownPdu, an_abort(0, 0)},
        Case{"HttpIsAborted", hex("474554202f20485454502f312e310d0a0d0a"), an_abort(0, 0)},
        Case{"PDataIsAborted", test::p_data(1, true, true, hex("00")), an_abort(0, 0)},
        Case{"ReleaseRqIsAborted", test::kReleaseRq, an_abort(0, 0)},
        Case{"ReleaseRpIsAborted", test::kReleaseRp, an_abort(0, 0)},
        Case{"AssociateRjIsAborted", rejection(1, 1, 1), an_abort(0, 0)},
        Case{"AbortIsClosed", an_abort(0, 0), {}},
        Case{"RequestAboveItsCeilingIsAborted", hex("01 00 00040001 0001"), an_abort(0, 0)},
        Case{"RequestThatIsTooShortIsAborted", hex("01 00 00000004 00010000"), an_abort(0, 0)},
        Case{"ProtocolVersionWithoutBit0IsRejected", with_protocol_version(2), rejection(1, 2, 2)},
        Case{"OtherApplicationContextIsRejected",
             request_with([](ul::AAssociateRq& rq) { rq.application_context = "1.2.3"; }),
             rejection(1, 1, 2)},
        Case{"EmptyCalledAeTitleIsRejected",
             request_with([](ul::AAssociateRq& rq) { rq.called_ae_title = ""; }),
             rejection(1, 1, 7)},
        Case{"IllegalCallingAeTitleIsRejected",
             request_with([](ul::AAssociateRq& rq) { rq.calling_ae_title = "A\\B"; }),
             rejection(1, 1, 3)}),
    name_of);

// --- Sta6 ---------------------------------------------------------------------------------------

Bytes store_command() { return test::command_pdu(3, test::a_store_request(1)); }
Bytes half_an_object() { return store_command() + test::p_data(3, false, false, hex("01020304")); }

Bytes endless_command_set() {
  Bytes octets;
  for (int i = 0; i < 9; ++i) octets = octets + test::p_data(3, true, false, Bytes(8'000));
  return octets;
}

class Sta6 : public testing::TestWithParam<Case> {};

TEST_P(Sta6, AbortsAndStoresNothing) {
  MemoryNode node;
  ScriptedPeer peer(node.port());
  ASSERT_TRUE(peer.associate(test::an_association_request()));
  peer.send(GetParam().octets);
  peer.expect(GetParam().answer);
  peer.close();
  const auto ended = node.handler.wait_for_ended(1);
  EXPECT_EQ(ended[0].summary.outcome, "aborted");
  EXPECT_TRUE(ended[0].summary.hostile);
  EXPECT_EQ(ended[0].summary.objects, 0U);
  EXPECT_TRUE(node.handler.wait_for_objects(0).empty());
  expect_still_serving(node);
}

INSTANTIATE_TEST_SUITE_P(
    ProtocolErrors, Sta6,
    testing::Values(
        Case{"UnknownPdu", kUnknownPdu, an_abort(2, 1)},
        Case{"SecondRequest", ul::encode(test::an_association_request()), an_abort(2, 2)},
        Case{"AssociateAc", hex("02 00 00000004 00010000"), an_abort(2, 2)},
        Case{"AssociateRj", rejection(1, 1, 1), an_abort(2, 2)},
        Case{"ReleaseRp", kUnexpectedReleaseRp, an_abort(2, 2)},
        Case{"ReleaseRqOfWrongLength", hex("05 00 00000005 0000000000"), an_abort(2, 6)},
        Case{"AbortOfWrongLength", hex("07 00 00000000"), an_abort(2, 6)},
        Case{"PDataAboveOurMaximum", hex("04 00 00020001 00000010"), an_abort(2, 6)},
        Case{"PDataOfFourGigabytes", hex("04 00 ffffffff"), an_abort(2, 6)},
        Case{"PDataWithoutPdv", hex("04 00 00000000"), an_abort(2, 6)},
        Case{"PdvBeyondItsPdu", hex("04 00 00000008 00000006 0103 0000"), an_abort(2, 6)},
        Case{"PdvOfFourGigabytes", hex("04 00 00000008 ffffffff 0103 0000"), an_abort(2, 6)},
        Case{"PdvWithoutControlHeader", hex("04 00 00000006 00000001 0103"), an_abort(2, 6)},
        Case{"OctetsBehindTheLastPdv", hex("04 00 00000008 00000002 0101 0000"), an_abort(2, 6)},
        Case{"ContextNeverProposed", test::p_data(5, true, true, hex("00")), an_abort(2, 6)},
        Case{"EvenContext", test::p_data(2, true, true, hex("00")), an_abort(2, 6)},
        Case{"DataSetWithoutCommand", test::p_data(3, false, true, hex("00")), an_abort(0, 0)},
        Case{"CommandSetThatEndsInAnElement", test::p_data(3, true, true, hex("0000 0001 02")),
             an_abort(0, 0)},
        Case{"EmptyCommandSet", test::p_data(3, true, true, {}), an_abort(0, 0)},
        Case{"CommandSetThatNeverEnds", endless_command_set(), an_abort(0, 0)},
        Case{"CommandSetInTwoContexts",
             test::p_data(3, true, false, hex("0000 0001 0200")) +
                 test::p_data(1, true, true, hex("0000 3000")),
             an_abort(0, 0)},
        Case{"AResponse",
             [] {
               message::CommandSet response = test::an_echo_request(1);
               response.command_field = message::Command::kCEchoRsp;
               return test::command_pdu(1, response);
             }(),
             an_abort(0, 0)},
        Case{"CommandInsteadOfDataSet", store_command() + store_command(), an_abort(0, 0)},
        Case{"CommandWithinDataSet", half_an_object() + store_command(), an_abort(0, 0)},
        Case{"DataSetInTwoContexts", half_an_object() + test::p_data(1, false, true, hex("00")),
             an_abort(0, 0)},
        Case{"ReleaseWithinDataSet", half_an_object() + test::kReleaseRq, an_abort(0, 0)},
        Case{"ReleaseWithinCommandSet", test::p_data(3, true, false, hex("00")) + test::kReleaseRq,
             an_abort(0, 0)},
        Case{"UnknownPduWithinDataSet", half_an_object() + kUnknownPdu, an_abort(2, 1)}),
    name_of);

TEST(ProtocolErrors, PdusWithoutAnythingInThemEndTheAssociation) {
  MemoryNode node;
  ScriptedPeer peer(node.port());
  ASSERT_TRUE(peer.associate(test::an_association_request()));
  peer.send(store_command());
  for (int i = 0; i < 40; ++i) peer.send(test::p_data(3, false, false, {}));
  peer.expect(an_abort(2, 6));
}

TEST(ProtocolErrors, AFewEmptyFragmentsAreTolerated) {
  MemoryNode node;
  ScriptedPeer peer(node.port());
  ASSERT_TRUE(peer.associate(test::an_association_request()));
  peer.send(half_an_object() + test::p_data(3, false, false, {}) +
            test::p_data(3, false, true, {}));
  EXPECT_EQ(test::receive_response(peer).status, 0);
  EXPECT_TRUE(node.handler.wait_for_objects(1)[0].data == hex("01020304"));
}

// --- Sta13 --------------------------------------------------------------------------------------

TEST(ProtocolErrors, AfterItsAbortTheListenerIgnoresWhatWasUnderWay) {
  MemoryNode node;
  ScriptedPeer peer(node.port());
  ASSERT_TRUE(peer.associate(test::an_association_request()));
  peer.send(kUnknownPdu);
  peer.expect(an_abort(2, 1));
  peer.send(test::p_data(3, false, false, Bytes(200'000)) + test::kReleaseRq + test::kReleaseRp +
            hex("02 00 00000002 0001"));
  peer.send(ul::encode(test::an_association_request()));  // AA-7
  peer.expect(an_abort(2, 2));
  peer.send(kUnknownPdu);  // AA-7
  peer.expect(an_abort(2, 1));
  peer.send(an_abort(0, 0));  // AA-2
  peer.expect_close();
  expect_still_serving(node);
}

// --- Peers that vanish --------------------------------------------------------------------------

TEST(ProtocolErrors, AnAbortWithinADataSetLeavesNoTraceOfTheObject) {
  MemoryNode node;
  ScriptedPeer peer(node.port());
  ASSERT_TRUE(peer.associate(test::an_association_request()));
  peer.send(half_an_object() + an_abort(0, 0));
  peer.expect_close();
  EXPECT_EQ(node.handler.wait_for_discarded(1), 1U);
  const auto ended = node.handler.wait_for_ended(1);
  EXPECT_EQ(ended[0].summary.outcome, "peer-aborted");
  EXPECT_FALSE(ended[0].summary.hostile);
  EXPECT_TRUE(node.handler.wait_for_objects(0).empty());
}

TEST(ProtocolErrors, AConnectionThatBreaksWithinAFragmentLeavesNoTraceOfTheObject) {
  MemoryNode node;
  {
    ScriptedPeer peer(node.port());
    ASSERT_TRUE(peer.associate(test::an_association_request()));
    Bytes octets = store_command() + test::p_data(3, false, true, Bytes(1000));
    octets.pop_back();
    peer.send(octets);
    node.handler.wait_for_begun(1);
  }
  EXPECT_EQ(node.handler.wait_for_discarded(1), 1U);
  EXPECT_EQ(node.handler.wait_for_ended(1)[0].summary.outcome, "closed");
}

TEST(ProtocolErrors, MutilatedConversationsNeverHarmTheListener) {
  MemoryNode node;
  const Bytes good = ul::encode(test::an_association_request()) +
                     test::command_pdu(1, test::an_echo_request(1)) + store_command() +
                     test::p_data(3, false, true, test::some_data(500)) + test::kReleaseRq;
  constexpr unsigned kSeed = 20240611;
  std::mt19937 random(kSeed);
  for (int round = 0; round < 400; ++round) {
    Bytes bad = good;
    for (unsigned flips = random() % 4 + 1; flips > 0; --flips) {
      bad[random() % bad.size()] = static_cast<std::byte>(random());
    }
    if (random() % 2 == 0) bad.resize(random() % bad.size() + 1);
    ScriptedPeer peer(node.port());
    peer.send(bad);
  }
  expect_still_serving(node);
}

}  // namespace
}  // namespace dr::service
