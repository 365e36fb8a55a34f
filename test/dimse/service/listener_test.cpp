#include "dimse/service/listener.h"

#include <string>

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

}  // namespace
}  // namespace dr::service
