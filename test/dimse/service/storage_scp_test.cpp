#include "dimse/service/storage_scp.h"

#include <set>
#include <string>

#include <gtest/gtest.h>

#include "dimse/message/status.h"
#include "test/support/manual_timers.h"
#include "test/support/memory_node.h"
#include "test/support/messages.h"
#include "test/support/scripted_peer.h"

namespace dr::service {
namespace {

namespace status = message::status;
using namespace std::chrono_literals;
using message::Command;
using test::an_abort;
using test::hex;
using test::MemoryNode;
using test::ScriptedPeer;
using test::operator+;

Bytes a_store(std::uint16_t message_id, std::size_t octets = 100) {
  return test::command_pdu(
             3, test::a_store_request(message_id, "1.2.3." + std::to_string(message_id))) +
         test::p_data(3, false, true, test::some_data(octets));
}

ul::AAssociateRq with_window(std::uint16_t invoked) {
  ul::AAssociateRq rq = test::an_association_request();
  rq.user.async_operations = ul::AsyncOperationsWindow{.invoked = invoked, .performed = 1};
  return rq;
}

std::uint16_t window_granted(std::uint16_t proposed, std::uint16_t ours) {
  ListenerConfig config;
  config.async_ops = ours;
  MemoryNode node(config);
  ScriptedPeer peer(node.port());
  const auto answer = peer.associate(with_window(proposed));
  return answer && answer->user.async_operations ? answer->user.async_operations->invoked : 0;
}

// --- The asynchronous operations window ---------------------------------------------------------

TEST(AsyncWindow, IsTheLowerOfBothAndZeroMeansUnlimited) {
  EXPECT_EQ(window_granted(4, 8), 4);
  EXPECT_EQ(window_granted(20, 8), 8);
  EXPECT_EQ(window_granted(0, 8), 8);
}

TEST(AsyncWindow, RespondsInTheOrderInWhichObjectsBecomeDurable) {
  MemoryNode node;
  node.handler.hold = true;
  ScriptedPeer peer(node.port());
  ASSERT_TRUE(peer.associate(with_window(8)));
  peer.send(a_store(1) + a_store(2) + a_store(3));
  node.handler.wait_for_held(3);
  node.handler.release(2);
  EXPECT_EQ(test::receive_response(peer).message_id_being_responded_to, 3);
  node.handler.release(0);
  EXPECT_EQ(test::receive_response(peer).message_id_being_responded_to, 1);
  node.handler.release(0);
  EXPECT_EQ(test::receive_response(peer).message_id_being_responded_to, 2);
}

TEST(AsyncWindow, StopsReadingWhenItIsFull) {
  ListenerConfig config;
  config.async_ops = 2;
  MemoryNode node(config);
  node.handler.hold = true;
  ScriptedPeer peer(node.port());
  ASSERT_TRUE(peer.associate(with_window(8)));
  peer.send(a_store(1) + a_store(2) + a_store(3));
  node.handler.wait_for_held(2);
  EXPECT_TRUE(peer.silent_for(50ms));
  EXPECT_EQ(node.handler.begun(), 2U);
  node.handler.release();
  EXPECT_EQ(test::receive_response(peer).message_id_being_responded_to, 1);
  node.handler.wait_for_held(2);
  EXPECT_EQ(node.handler.begun(), 3U);
}

TEST(AsyncWindow, IsOneWithoutNegotiation) {
  MemoryNode node;
  node.handler.hold = true;
  ScriptedPeer peer(node.port());
  ASSERT_TRUE(peer.associate(test::an_association_request()));
  peer.send(a_store(1) + a_store(2));
  node.handler.wait_for_held(1);
  EXPECT_TRUE(peer.silent_for(50ms));
  EXPECT_EQ(node.handler.begun(), 1U);
}

TEST(AsyncWindow, AnEchoOvertakesStoresThatAreNotDurableYet) {
  MemoryNode node;
  node.handler.hold = true;
  ScriptedPeer peer(node.port());
  ASSERT_TRUE(peer.associate(with_window(8)));
  peer.send(a_store(1) + test::command_pdu(1, test::an_echo_request(2)));
  EXPECT_EQ(test::receive_response(peer).message_id_being_responded_to, 2);
  node.handler.release();
  EXPECT_EQ(test::receive_response(peer).message_id_being_responded_to, 1);
}

TEST(AsyncWindow, AMessageIdStillOutstandingIsADuplicateInvocation) {
  MemoryNode node;
  node.handler.hold = true;
  ScriptedPeer peer(node.port());
  ASSERT_TRUE(peer.associate(with_window(8)));
  peer.send(a_store(1) + a_store(1, 50'000));
  const auto refused = test::receive_response(peer);
  EXPECT_EQ(refused.status, status::kDuplicateInvocation);
  EXPECT_EQ(refused.command_field, Command::kCStoreRsp);
  node.handler.wait_for_held(1);
  node.handler.release();
  EXPECT_EQ(test::receive_response(peer).status, 0);
}

TEST(AsyncWindow, ResponsesGoOutBeforeTheReleaseIsConfirmed) {
  MemoryNode node;
  node.handler.hold = true;
  ScriptedPeer peer(node.port());
  ASSERT_TRUE(peer.associate(with_window(8)));
  peer.send(a_store(1) + a_store(2) + test::kReleaseRq);
  node.handler.wait_for_held(2);
  node.handler.release();
  EXPECT_EQ(test::receive_response(peer).message_id_being_responded_to, 1);
  EXPECT_TRUE(peer.silent_for(20ms));
  node.handler.release();
  EXPECT_EQ(test::receive_response(peer).message_id_being_responded_to, 2);
  peer.expect(test::kReleaseRp);
  peer.close();
  EXPECT_EQ(node.handler.wait_for_ended(1)[0].summary.outcome, "released");
}

TEST(AsyncWindow, AnObjectIsFinishedThoughItsSenderHasGone) {
  MemoryNode node;
  node.handler.hold = true;
  {
    ScriptedPeer peer(node.port());
    ASSERT_TRUE(peer.associate(with_window(8)));
    peer.send(a_store(1));
    node.handler.wait_for_held(1);
    peer.send(an_abort(0, 0));
    peer.expect_close();
  }
  node.handler.wait_for_ended(1);
  node.handler.release();
  EXPECT_EQ(node.handler.wait_for_objects(1).size(), 1U);
}

// --- Status -------------------------------------------------------------------------------------

struct Refusal {
  std::string name;
  Bytes message;
  std::uint16_t status;
  Command response = Command::kCStoreRsp;
};
void PrintTo(const Refusal& r, std::ostream* out) { *out << r.name; }

class Refused : public testing::TestWithParam<Refusal> {};

TEST_P(Refused, AndTheAssociationGoesOn) {
  MemoryNode node;
  ScriptedPeer peer(node.port());
  ASSERT_TRUE(peer.associate(test::an_association_request()));
  peer.send(GetParam().message);
  const auto refused = test::receive_response(peer);
  EXPECT_EQ(refused.status, GetParam().status);
  EXPECT_EQ(refused.command_field, GetParam().response);
  EXPECT_EQ(refused.message_id_being_responded_to, 9);
  peer.send(a_store(10));
  EXPECT_EQ(test::receive_response(peer).status, 0);
  EXPECT_EQ(node.handler.wait_for_objects(1).size(), 1U);
}

Bytes changed(void (*change)(message::CommandSet&), std::uint8_t context = 3,
              std::size_t data = 70'000) {
  message::CommandSet command = test::a_store_request(9);
  change(command);
  Bytes octets = test::command_pdu(context, command);
  if (data > 0) octets = octets + test::p_data(context, false, true, Bytes(data));
  return octets;
}

constexpr Command kFindRsp = message::response_to(Command::kCFindRq);

INSTANTIATE_TEST_SUITE_P(
    StorageScp, Refused,
    testing::Values(
        Refusal{"IllegalSopInstanceUid",
                test::p_data(3, true, true,
                             hex("0000 0200 1a000000") +
                                 test::hex("312e322e3834302e31303030382e352e312e342e312e312e3200") +
                                 hex("0000 0001 02000000 0100 0000 1001 02000000 0900"
                                     "0000 0008 02000000 0100 0000 0010 04000000 2e2e2f61")) +
                    test::p_data(3, false, true, Bytes(10)),
                status::kInvalidSopInstance},
        Refusal{"NoSopInstanceUid",
                changed([](message::CommandSet& c) { c.affected_sop_instance_uid.reset(); }),
                status::kMistypedArgument},
        Refusal{"NoSopClassUid",
                changed([](message::CommandSet& c) { c.affected_sop_class_uid.reset(); }),
                status::kMistypedArgument},
        Refusal{
            "NoDataSet",
            changed([](message::CommandSet& c) { c.command_data_set_type = message::kNoDataSet; },
                    3, 0),
            status::kMistypedArgument},
        Refusal{"OtherSopClassThanTheContexts", changed([](message::CommandSet& c) {
                  c.affected_sop_class_uid = uid_literal("1.2.840.10008.5.1.4.1.1.4");
                }),
                status::kSopClassNotSupported},
        Refusal{"StoreInTheContextOfVerification",
                changed(
                    [](message::CommandSet& c) {
                      c.affected_sop_class_uid = uid_literal(test::kVerificationClass);
                    },
                    1),
                status::kSopClassNotSupported},
        Refusal{"FindWithItsIdentifier",
                changed([](message::CommandSet& c) { c.command_field = Command::kCFindRq; }),
                status::kSopClassNotSupported, kFindRsp},
        Refusal{"MoveWithItsIdentifier",
                changed([](message::CommandSet& c) { c.command_field = Command::kCMoveRq; }),
                status::kSopClassNotSupported, message::response_to(Command::kCMoveRq)},
        Refusal{"GetWithItsIdentifier",
                changed([](message::CommandSet& c) { c.command_field = Command::kCGetRq; }),
                status::kSopClassNotSupported, message::response_to(Command::kCGetRq)},
        Refusal{"OperationNobodyKnows",
                changed([](message::CommandSet& c) { c.command_field = Command{0x0042}; }),
                status::kUnrecognizedOperation, Command{0x8042}},
        Refusal{"EchoInTheContextOfStorage",
                changed(
                    [](message::CommandSet& c) {
                      c.command_field = Command::kCEchoRq;
                      c.affected_sop_class_uid = uid_literal(test::kVerificationClass);
                      c.command_data_set_type = message::kNoDataSet;
                    },
                    3, 0),
                status::kSopClassNotSupported, Command::kCEchoRsp}),
    [](const auto& each) { return each.param.name; });

TEST(StorageScp, PassesTheSinksStatusAndCommentOn) {
  MemoryNode node;
  node.handler.on_finish = [](const test::MemoryHandler::Object&) {
    return StoreResponse{.status = 0xa900, .error_comment = "SOP class differs"};
  };
  ScriptedPeer peer(node.port());
  ASSERT_TRUE(peer.associate(test::an_association_request()));
  peer.send(a_store(1));
  const auto response = test::receive_response(peer);
  EXPECT_EQ(response.status, 0xa900);
  EXPECT_EQ(response.error_comment, "SOP class differs");
}

TEST(StorageScp, PutsTogetherManyTinyFragmentsInWhateverPackets) {
  MemoryNode node;
  node.handler.buffer_size = 7;
  ScriptedPeer peer(node.port());
  ASSERT_TRUE(peer.associate(test::an_association_request()));
  const Bytes data = test::some_data(5'000);
  const Bytes command = message::encode_command(test::a_store_request(1));
  Bytes octets = test::p_data(3, true, false, ByteSpan(command).first(1)) +
                 test::p_data(3, true, true, ByteSpan(command).subspan(1));
  for (std::size_t at = 0; at < data.size(); at += 3) {
    const std::size_t n = std::min<std::size_t>(3, data.size() - at);
    octets = octets + test::p_data(3, false, at + n == data.size(), ByteSpan(data).subspan(at, n));
  }
  for (std::size_t at = 0; at < octets.size(); at += 41) {
    peer.send(ByteSpan(octets).subspan(at, std::min<std::size_t>(41, octets.size() - at)));
  }
  EXPECT_EQ(test::receive_response(peer).status, 0);
  EXPECT_TRUE(node.handler.wait_for_objects(1)[0].data == data);
}

TEST(StorageScp, TakesSeveralPdvsFromOnePdu) {
  MemoryNode node;
  ScriptedPeer peer(node.port());
  ASSERT_TRUE(peer.associate(test::an_association_request()));
  const auto pdv = [](const Bytes& pdu) { return Bytes(pdu.begin() + 6, pdu.end()); };
  const Bytes pdvs = pdv(test::command_pdu(3, test::a_store_request(1))) +
                     pdv(test::p_data(3, false, false, hex("0102"))) +
                     pdv(test::p_data(3, false, true, hex("0304")));
  Bytes pdu = hex("04 00 00000000");
  store_be(pdu.data() + 2, static_cast<std::uint32_t>(pdvs.size()));
  peer.send(pdu + pdvs);
  EXPECT_EQ(test::receive_response(peer).status, 0);
  EXPECT_TRUE(node.handler.wait_for_objects(1)[0].data == hex("01020304"));
}

// --- Time ---------------------------------------------------------------------------------------

class Deadlines : public testing::Test {
 protected:
  // Steps until the peer hears something: what the listener does at a deadline is what counts, not
  // how far it had come when the first step was made.
  std::chrono::milliseconds step_until_heard(MemoryNode& node, ScriptedPeer& peer,
                                             std::chrono::milliseconds step) {
    std::chrono::milliseconds stepped{0};
    for (node.settle(); stepped < 100 * step && peer.silent_for(5ms); stepped += step) {
      timers_.advance(step);
    }
    return stepped;
  }
  test::ManualTimers timers_;
};

TEST_F(Deadlines, ArtimClosesAConnectionThatDoesNotAssociate) {
  MemoryNode node({}, 1, timers_);
  ScriptedPeer peer(node.port());
  peer.send(hex("01 00 000000"));
  ASSERT_TRUE(timers_.wait_until_armed_within(30s));
  timers_.advance(29s);
  EXPECT_TRUE(peer.silent_for(20ms));
  timers_.advance(1s);
  peer.expect_close();
}

TEST_F(Deadlines, ArtimClosesARejectedConnectionThatThePeerKeepsOpen) {
  MemoryNode node({}, 1, timers_);
  node.handler.on_admit = [](const AssociationInfo&) {
    return ul::AAssociateRj{.result = 2, .source = 3, .reason = 2};
  };
  ScriptedPeer peer(node.port());
  peer.send(ul::encode(test::an_association_request()));
  peer.expect(hex("03 00 00000004 00 02 03 02"));
  step_until_heard(node, peer, 30s);
  peer.expect_close();
  EXPECT_EQ(node.handler.wait_for_ended(1)[0].summary.outcome, "rejected");
}

TEST_F(Deadlines, APduThatDoesNotComeToItsEndIsAborted) {
  MemoryNode node({}, 1, timers_);
  ScriptedPeer peer(node.port());
  ASSERT_TRUE(peer.associate(test::an_association_request()));
  Bytes octets = a_store(1);
  octets.pop_back();
  peer.send(octets);
  node.handler.wait_for_begun(1);
  step_until_heard(node, peer, 30s);
  peer.expect(an_abort(0, 0));
  EXPECT_EQ(node.handler.wait_for_discarded(1), 1U);
  step_until_heard(node, peer, 30s);  // ARTIM in Sta13
  peer.expect_close();
  const auto ended = node.handler.wait_for_ended(1);
  EXPECT_EQ(ended[0].summary.outcome, "timeout");
  EXPECT_EQ(ended[0].summary.reason, "no progress within a PDU");
}

TEST_F(Deadlines, AnIdleAssociationIsAborted) {
  MemoryNode node({}, 1, timers_);
  ScriptedPeer peer(node.port());
  ASSERT_TRUE(peer.associate(test::an_association_request()));
  peer.send(test::command_pdu(1, test::an_echo_request(1)));
  EXPECT_EQ(test::receive_response(peer).status, 0);
  EXPECT_GE(step_until_heard(node, peer, 1min), 5min);
  peer.expect(an_abort(0, 0));
  peer.close();
  EXPECT_EQ(node.handler.wait_for_ended(1)[0].summary.reason, "nothing received in time");
}

TEST_F(Deadlines, AnObjectNotDurableInTimeIsAnsweredOutOfResourcesAndKeptAllTheSame) {
  MemoryNode node({}, 1, timers_);
  node.handler.hold = true;
  ScriptedPeer peer(node.port());
  ASSERT_TRUE(peer.associate(test::an_association_request()));
  peer.send(a_store(1));
  node.handler.wait_for_held(1);
  step_until_heard(node, peer, 8s);
  EXPECT_EQ(test::receive_response(peer).status, status::kOutOfResources);
  node.handler.release();
  EXPECT_EQ(node.handler.wait_for_objects(1).size(), 1U);
  // No second response: what comes next answers the echo.
  peer.send(test::command_pdu(1, test::an_echo_request(2)));
  EXPECT_EQ(test::receive_response(peer).message_id_being_responded_to, 2);
  EXPECT_EQ(node.handler.statuses(), std::vector<std::uint16_t>{status::kOutOfResources});
}

}  // namespace
}  // namespace dr::service
