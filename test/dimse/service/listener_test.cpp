#include "dimse/service/listener.h"

#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "test/support/memory_node.h"
#include "test/support/messages.h"
#include "test/support/scripted_peer.h"

namespace dr::service {
namespace {

using namespace std::chrono_literals;
using test::hex;
using test::MemoryNode;
using test::ScriptedPeer;

TEST(Listener, AcceptsVerificationAndStorageAndReleases) {
  MemoryNode node;
  ScriptedPeer peer(node.port());
  const auto answer = peer.associate(test::an_association_request());
  ASSERT_TRUE(answer);
  ASSERT_EQ(answer->contexts.size(), 2U);
  EXPECT_EQ(answer->contexts[0].result, ul::ContextResult::kAcceptance);
  EXPECT_EQ(answer->contexts[1].result, ul::ContextResult::kAcceptance);
  EXPECT_EQ(answer->user.max_pdu_length, 131072U);
  EXPECT_EQ(answer->user.implementation_version_name, "DICOM-ROUTER");
  EXPECT_FALSE(answer->user.async_operations);

  peer.send(test::command_pdu(1, test::an_echo_request(7)));
  const auto echo = test::receive_response(peer);
  EXPECT_EQ(echo.command_field, message::Command::kCEchoRsp);
  EXPECT_EQ(echo.message_id_being_responded_to, 7);
  EXPECT_EQ(echo.status, 0);

  const Bytes data = test::some_data(300'000);
  peer.send(test::command_pdu(3, test::a_store_request(8)));
  peer.send(test::p_data(3, false, false, ByteSpan(data).first(100'000)));
  peer.send(test::p_data(3, false, false, ByteSpan(data).subspan(100'000, 100'001)));
  peer.send(test::p_data(3, false, true, ByteSpan(data).subspan(200'001)));
  const auto stored = test::receive_response(peer);
  EXPECT_EQ(stored.command_field, message::Command::kCStoreRsp);
  EXPECT_EQ(stored.message_id_being_responded_to, 8);
  EXPECT_EQ(stored.status, 0);
  ASSERT_TRUE(stored.affected_sop_instance_uid);
  EXPECT_EQ(*stored.affected_sop_instance_uid, "1.2.3.4");

  peer.send(test::kReleaseRq);
  peer.expect(test::kReleaseRp);
  peer.close();
  const auto objects = node.handler.wait_for_objects(1);
  EXPECT_TRUE(objects[0].data == data);
  EXPECT_EQ(objects[0].request.transfer_syntax_uid, test::kImplicitLittleEndian);
  const auto ended = node.handler.wait_for_ended(1);
  EXPECT_EQ(ended[0].summary.outcome, "released");
  EXPECT_EQ(ended[0].summary.objects, 1U);
  EXPECT_EQ(ended[0].summary.octets, 300'000U);
  EXPECT_EQ(ended[0].peer.calling_ae_title.view(), "MODALITY");
  EXPECT_EQ(ended[0].peer.peer_address, "127.0.0.1");
}

ul::ContextResult result_for(MemoryNode& node, std::string_view abstract_syntax,
                             std::string_view transfer_syntax) {
  ul::AAssociateRq rq = test::an_association_request();
  rq.contexts = {{ul::PresentationContextId{1},
                  uid_literal(abstract_syntax),
                  {uid_literal(transfer_syntax), uid_literal(test::kImplicitLittleEndian)}}};
  ScriptedPeer peer(node.port());
  const auto answer = peer.associate(rq);
  if (!answer || answer->contexts.size() != 1) return ul::ContextResult::kNoReason;
  if (answer->contexts[0].result == ul::ContextResult::kAcceptance) {
    EXPECT_EQ(answer->contexts[0].transfer_syntax, transfer_syntax);
  }
  return answer->contexts[0].result;
}

TEST(Listener, TakesAnyStorageClassInTheProposersFirstTransferSyntax) {
  MemoryNode node;
  constexpr auto kAccepted = ul::ContextResult::kAcceptance;
  EXPECT_EQ(result_for(node, test::kCtImageStorage, "1.2.840.10008.1.2.4.90"), kAccepted);
  EXPECT_EQ(result_for(node, "1.3.46.670589.2.3.1.1", "1.2.840.113619.5.2"), kAccepted);
  EXPECT_EQ(result_for(node, "1.2.840.10008.5.1.4.1.1.99999", "1.2.840.10008.1.2.9999"), kAccepted);
  EXPECT_EQ(result_for(node, "1.2.840.10008.5.1.1.27", test::kExplicitLittleEndian), kAccepted);
}

TEST(Listener, RefusesTheClassesOfOtherServices) {
  MemoryNode node;
  for (const auto* uid :
       {"1.2.840.10008.5.1.4.1.2.1.1", "1.2.840.10008.5.1.4.31", "1.2.840.10008.3.1.2.3.3",
        "1.2.840.10008.1.20.1", "1.2.840.10008.5.1.1.9", "1.2.840.10008.5.1.4.43.2"}) {
    EXPECT_EQ(result_for(node, uid, test::kExplicitLittleEndian),
              ul::ContextResult::kAbstractSyntaxNotSupported)
        << uid;
  }
}

TEST(Listener, AnswersEveryOneOf128ContextsOnce) {
  MemoryNode node;
  ul::AAssociateRq rq = test::an_association_request();
  rq.contexts.clear();
  for (int id = 1; id < 256; id += 2) {
    rq.contexts.push_back({ul::PresentationContextId{static_cast<std::uint8_t>(id)},
                           uid_literal(test::kCtImageStorage),
                           {uid_literal(test::kExplicitLittleEndian)}});
  }
  ScriptedPeer peer(node.port());
  const auto answer = peer.associate(rq);
  ASSERT_TRUE(answer);
  ASSERT_EQ(answer->contexts.size(), 128U);
  for (std::size_t i = 0; i < 128; ++i) {
    EXPECT_EQ(static_cast<std::size_t>(answer->contexts[i].id), 2 * i + 1);
  }
}

TEST(Listener, SendsTheHandlersRejectionAndTellsItOfTheEnd) {
  MemoryNode node;
  node.handler.on_admit = [](const AssociationInfo& peer) -> std::optional<ul::AAssociateRj> {
    if (peer.called_ae_title.view() == "ROUTER") return std::nullopt;
    return ul::AAssociateRj{.result = 1, .source = 1, .reason = 7};
  };
  ul::AAssociateRq rq = test::an_association_request();
  rq.called_ae_title = "SOMEBODY";
  ScriptedPeer peer(node.port());
  peer.send(ul::encode(rq));
  peer.expect(hex("03 00 00000004 00 01 01 07"));
  peer.close();
  const auto ended = node.handler.wait_for_ended(1);
  EXPECT_EQ(ended[0].summary.outcome, "rejected");
  EXPECT_EQ(ended[0].summary.reason, "1/1/7");
  EXPECT_EQ(ended[0].peer.called_ae_title.view(), "SOMEBODY");
}

TEST(Listener, NamesAPeerOnADualStackPortByItsIpv4Address) {
  ListenerConfig config;
  config.address = "::";
  MemoryNode node(config);
  {
    ScriptedPeer peer(node.port());
    ASSERT_TRUE(peer.associate(test::an_association_request()));
  }
  EXPECT_EQ(node.handler.wait_for_ended(1)[0].peer.peer_address, "127.0.0.1");
}

TEST(Listener, GivesEachConnectionToTheLeastLoadedContext) {
  MemoryNode node({}, 2);
  std::mutex mutex;
  std::map<std::thread::id, int> threads;
  node.handler.on_admit = [&](const AssociationInfo&) -> std::optional<ul::AAssociateRj> {
    const std::lock_guard lock(mutex);
    ++threads[std::this_thread::get_id()];
    return std::nullopt;
  };
  std::vector<ScriptedPeer> peers;
  for (int i = 0; i < 6; ++i) {
    peers.emplace_back(node.port());
    ASSERT_TRUE(peers.back().associate(test::an_association_request()));
  }
  EXPECT_EQ(node.listener().open_associations(), 6U);
  const std::lock_guard lock(mutex);
  ASSERT_EQ(threads.size(), 2U);
  for (const auto& [thread, associations] : threads) EXPECT_EQ(associations, 3);
}

TEST(Listener, ClosesConnectionsBeyondItsMost) {
  ListenerConfig config;
  config.max_connections = 1;
  MemoryNode node(config);
  ScriptedPeer first(node.port());
  ASSERT_TRUE(first.associate(test::an_association_request()));
  ScriptedPeer second(node.port());
  second.expect_close();
}

TEST(Listener, AddressesThatCanNotBeBoundAreAnError) {
  MemoryNode node;
  asio::io_context context;
  ListenerConfig config;
  config.address = "127.0.0.1";
  config.port = node.port();
  const SystemClock clock;
  EXPECT_FALSE(Listener::open(config, {&context}, node.handler, clock));
  config.address = "not an address";
  EXPECT_FALSE(Listener::open(config, {&context}, node.handler, clock));
}

// --- Stopping -----------------------------------------------------------------------------------

TEST(ListenerStop, AbortsWhatIsIdleAndAcceptsNothingMore) {
  MemoryNode node;
  ScriptedPeer idle(node.port());
  ASSERT_TRUE(idle.associate(test::an_association_request()));
  ScriptedPeer silent(node.port());
  idle.send(test::command_pdu(1, test::an_echo_request(1)));
  EXPECT_EQ(test::receive_response(idle).status, 0);
  node.listener().stop();
  idle.expect(test::an_abort(0, 0));
  silent.expect_close();
  idle.close();
  EXPECT_TRUE(node.listener().wait_until_closed(20s));
  EXPECT_EQ(node.listener().open_associations(), 0U);
}

TEST(ListenerStop, LetsAMessageInFlightFinish) {
  MemoryNode node;
  node.handler.hold = true;
  ScriptedPeer peer(node.port());
  ASSERT_TRUE(peer.associate(test::an_association_request()));
  peer.send(test::command_pdu(3, test::a_store_request(1)));
  node.handler.wait_for_begun(1);
  node.listener().stop();
  EXPECT_FALSE(node.listener().wait_until_closed(20ms));
  peer.send(test::p_data(3, false, true, hex("0102")));
  node.handler.wait_for_held(1);
  node.handler.release();
  EXPECT_EQ(test::receive_response(peer).status, 0);
  peer.expect(test::an_abort(0, 0));
  peer.close();
  EXPECT_TRUE(node.listener().wait_until_closed(20s));
}

TEST(ListenerStop, SecondPhaseAbortsWhatIsLeft) {
  MemoryNode node;
  ScriptedPeer peer(node.port());
  ASSERT_TRUE(peer.associate(test::an_association_request()));
  peer.send(test::command_pdu(3, test::a_store_request(1)));
  node.handler.wait_for_begun(1);
  node.listener().stop();
  node.listener().stop_now();
  EXPECT_TRUE(node.listener().wait_until_closed(20s));
  peer.expect(test::an_abort(0, 0));
  peer.expect_close();
  EXPECT_EQ(node.handler.wait_for_discarded(1), 1U);
}

}  // namespace
}  // namespace dr::service
