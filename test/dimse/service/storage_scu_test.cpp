#include "dimse/service/storage_scu.h"

#include <string>

#include <gtest/gtest.h>

#include "test/support/memory_node.h"
#include "test/support/messages.h"
#include "test/support/scripted_peer.h"
#include "test/support/scu_client.h"

namespace dr::service {
namespace {

using namespace std::chrono_literals;
using test::hex;
using test::MemoryNode;
using test::PiecewiseSource;
using test::ScriptedPeer;
using test::ScriptedServer;
using test::wait_for;
using test::operator+;
using Scu = std::unique_ptr<StorageScu>;

const ProposedContext kCt{uid_literal(test::kCtImageStorage),
                          uid_literal(test::kExplicitLittleEndian)};
const ProposedContext kEcho{uid_literal(test::kVerificationClass),
                            uid_literal(test::kImplicitLittleEndian)};

Peer peer_at(std::uint16_t port) {
  Peer peer;
  peer.host = "127.0.0.1";
  peer.port = port;
  peer.called_ae_title = *AeTitle::parse("ARCHIVE");
  peer.calling_ae_title = *AeTitle::parse("ROUTER");
  peer.response_timeout = 20s;
  return peer;
}

class StorageScuTest : public testing::Test {
 protected:
  asio::io_context& context() { return *io_.contexts().front(); }
  Result<Scu> associate(Peer peer, std::vector<ProposedContext> contexts = {kCt, kEcho}) {
    return wait_for(context(), StorageScu::associate(context().get_executor(), std::move(peer),
                                                     std::move(contexts)));
  }
  StoreOutcome store(StorageScu& scu, DataSetSource& source) {
    return wait_for(context(), scu.store(kCt, uid_literal("1.2.3.4"), source));
  }
  // On their own thread, as all its calls.
  bool open(StorageScu& scu) {
    return wait_for(context(),
                    [](StorageScu* s) -> asio::awaitable<bool> { co_return s->open(); }(&scu));
  }
  void destroy(Scu scu) { wait_for(context(), drop(std::move(scu))); }
  static asio::awaitable<bool> drop(Scu scu) {
    scu.reset();
    co_return true;
  }

  test::IoThreads io_{1};
};

// --- Against the listener -----------------------------------------------------------------------

TEST_F(StorageScuTest, DeliversEveryOctetWhateverThePiecesAndThePeersMaximum) {
  for (const std::uint32_t max_pdu : {1024U, 16384U, 131072U}) {
    ListenerConfig config;
    config.max_pdu = max_pdu;
    MemoryNode node(config);
    auto scu = associate(peer_at(node.port()));
    ASSERT_TRUE(scu) << scu.error().to_string();
    std::size_t objects = 0;
    for (const std::size_t size : {2U, 511U, 512U, 513U, 1018U, 1530U, 131066U, 1'000'001U}) {
      const Bytes data = test::some_data(size);
      const auto cut = static_cast<std::ptrdiff_t>(size / 3);
      PiecewiseSource source({Bytes(data.begin(), data.begin() + cut), Bytes(1, data[size / 3]),
                              Bytes(data.begin() + cut + 1, data.end())});
      // An empty piece would be the end.
      PiecewiseSource whole({data});
      const StoreOutcome outcome = cut > 0 && size > 3 ? store(**scu, source) : store(**scu, whole);
      EXPECT_FALSE(outcome.error) << outcome.error->to_string();
      EXPECT_EQ(outcome.status, 0);
      EXPECT_EQ(outcome.octets, size);
      EXPECT_TRUE(node.handler.wait_for_objects(++objects).back().data == data)
          << size << " octets, PDUs of " << max_pdu;
    }
    destroy(std::move(*scu));
  }
}

TEST_F(StorageScuTest, OnlyADeflatedDataSetIsPaddedToEvenLength) {
  MemoryNode node;
  const ProposedContext deflated{kCt.abstract_syntax, uid_literal("1.2.840.10008.1.2.1.99")};
  auto scu = associate(peer_at(node.port()), {kCt, deflated});
  ASSERT_TRUE(scu);
  std::size_t objects = 0;
  for (const std::size_t size : {1U, 2U, 511U, 16383U, 16384U, 100'001U}) {
    Bytes data = test::some_data(size);
    PiecewiseSource as_is({data});
    const StoreOutcome plain = store(**scu, as_is);
    EXPECT_EQ(plain.octets, size);
    EXPECT_TRUE(node.handler.wait_for_objects(++objects).back().data == data) << size;
    PiecewiseSource source({data});
    const StoreOutcome padded =
        wait_for(context(), (*scu)->store(deflated, uid_literal("1.2.3.4"), source));
    EXPECT_FALSE(padded.error) << padded.error->to_string();
    if (size % 2 != 0) data.push_back(std::byte{0});
    EXPECT_TRUE(node.handler.wait_for_objects(++objects).back().data == data) << size;
  }
  destroy(std::move(*scu));
}

TEST_F(StorageScuTest, EchoesAndReleases) {
  MemoryNode node;
  auto scu = associate(peer_at(node.port()));
  ASSERT_TRUE(scu);
  EXPECT_TRUE((*scu)->accepted(kCt));
  const auto echo = wait_for(context(), (*scu)->echo());
  ASSERT_TRUE(echo);
  EXPECT_EQ(*echo, 0);
  EXPECT_TRUE(open(**scu));
  wait_for(context(), [](StorageScu* s) -> asio::awaitable<bool> {
    co_await s->release();
    co_return true;
  }(scu->get()));
  EXPECT_FALSE(open(**scu));
  EXPECT_EQ(node.handler.wait_for_ended(1)[0].summary.outcome, "released");
  destroy(std::move(*scu));
}

TEST_F(StorageScuTest, KnowsWhichContextsWereTaken) {
  MemoryNode node;
  const ProposedContext find{uid_literal("1.2.840.10008.5.1.4.1.2.1.1"),
                             uid_literal(test::kImplicitLittleEndian)};
  auto scu = associate(peer_at(node.port()), {kCt, find});
  ASSERT_TRUE(scu);
  EXPECT_TRUE((*scu)->accepted(kCt));
  EXPECT_TRUE((*scu)->proposed(find));
  EXPECT_FALSE((*scu)->accepted(find));
  EXPECT_FALSE((*scu)->proposed(kEcho));
  const auto echo = wait_for(context(), (*scu)->echo());
  ASSERT_FALSE(echo);
  EXPECT_EQ(echo.error().code, Errc::kUnsupported);
  destroy(std::move(*scu));
}

TEST_F(StorageScuTest, ASourceThatFailsAbortsBeforeTheLastFragment) {
  MemoryNode node;
  auto scu = associate(peer_at(node.port()));
  ASSERT_TRUE(scu);
  PiecewiseSource source({test::some_data(100'000)});
  source.fail_at_end();
  const StoreOutcome outcome = store(**scu, source);
  ASSERT_TRUE(outcome.error);
  EXPECT_FALSE(outcome.sent_all);
  EXPECT_FALSE(open(**scu));
  EXPECT_EQ(node.handler.wait_for_discarded(1), 1U);
  EXPECT_EQ(node.handler.wait_for_ended(1)[0].summary.outcome, "peer-aborted");
  destroy(std::move(*scu));
}

TEST_F(StorageScuTest, BeingDestroyedAborts) {
  MemoryNode node;
  auto scu = associate(peer_at(node.port()));
  ASSERT_TRUE(scu);
  destroy(std::move(*scu));
  EXPECT_EQ(node.handler.wait_for_ended(1)[0].summary.outcome, "peer-aborted");
}

TEST_F(StorageScuTest, RefusesMoreThan128Contexts) {
  const auto scu = associate(peer_at(1), std::vector<ProposedContext>(129, kCt));
  ASSERT_FALSE(scu);
  EXPECT_EQ(scu.error().code, Errc::kInvalid);
}

TEST_F(StorageScuTest, NobodyListeningIsAnError) {
  std::uint16_t port = 0;
  {
    const ScriptedServer server;
    port = server.port();
  }
  const auto scu = associate(peer_at(port));
  ASSERT_FALSE(scu);
  EXPECT_EQ(scu.error().code, Errc::kIo);
}

// --- Against a scripted acceptor ----------------------------------------------------------------

// Takes the request apart as the acceptor would, with the context of CT accepted.
void accept(ScriptedPeer& peer, std::uint32_t max_pdu = 16384) {
  const Bytes pdu = peer.receive_pdu();
  ASSERT_FALSE(pdu.empty());
  const auto rq = ul::decode_associate_rq(ByteSpan(pdu).subspan(6));
  ASSERT_TRUE(rq);
  ul::AAssociateAc ac;
  ac.called_ae_title = rq->called_ae_title;
  ac.calling_ae_title = rq->calling_ae_title;
  ac.application_context = rq->application_context;
  ac.user.max_pdu_length = max_pdu;
  ac.user.implementation_class_uid = "1.2.3";
  for (const auto& context : rq->contexts) {
    ac.contexts.push_back({.id = context.id,
                           .result = ul::ContextResult::kAcceptance,
                           .transfer_syntax = context.transfer_syntaxes.front()});
  }
  peer.send(ul::encode(ac));
}

// The message ID of the C-STORE-RQ that arrives next, its data set read to the end.
std::uint16_t receive_store(ScriptedPeer& peer) {
  const message::CommandSet command = test::receive_response(peer);
  while (true) {
    const Bytes pdu = peer.receive_pdu();
    if (pdu.size() < 12 || (std::to_integer<int>(pdu[11]) & 2) != 0) break;
  }
  return command.message_id.value_or(0);
}

Bytes store_response(std::uint16_t message_id, std::uint16_t status) {
  message::CommandSet response = test::a_store_request(1);
  response.command_field = message::Command::kCStoreRsp;
  response.message_id.reset();
  response.priority.reset();
  response.message_id_being_responded_to = message_id;
  response.command_data_set_type = message::kNoDataSet;
  response.status = status;
  if (status != 0) response.error_comment = "no\nspace";
  return test::command_pdu(1, response);
}

class ScriptedAcceptor : public StorageScuTest {
 protected:
  // Associates while `script` plays the other side.
  template <class Script>
  Result<Scu> associate_with(Peer peer, Script script) {
    auto scu = std::async(std::launch::async, [&] { return associate(peer); });
    peer_ = std::make_unique<ScriptedPeer>(server_.accept());
    script(*peer_);
    return scu.get();
  }
  template <class Script>
  StoreOutcome store_with(StorageScu& scu, std::size_t octets, Script script) {
    PiecewiseSource source({test::some_data(octets)});
    auto outcome = std::async(std::launch::async, [&] { return store(scu, source); });
    script(*peer_);
    return outcome.get();
  }
  Scu established(std::uint32_t max_pdu = 16384, std::chrono::milliseconds response = 20s) {
    Peer peer = peer_at(server_.port());
    peer.response_timeout = response;
    auto scu = associate_with(peer, [&](ScriptedPeer& p) { accept(p, max_pdu); });
    EXPECT_TRUE(scu);
    return scu ? std::move(*scu) : nullptr;
  }

  ScriptedServer server_;
  std::unique_ptr<ScriptedPeer> peer_;
};

TEST_F(ScriptedAcceptor, ARejectionCarriesItsNumbers) {
  const auto scu = associate_with(peer_at(server_.port()), [](ScriptedPeer& peer) {
    peer.receive_pdu();
    peer.send(hex("03 00 00000004 00 02 03 02"));
    peer.expect_close();
  });
  ASSERT_FALSE(scu);
  EXPECT_EQ(scu.error().code, Errc::kRejected);
  EXPECT_TRUE(scu.error().detail.starts_with("2/3/2")) << scu.error().detail;
}

TEST_F(ScriptedAcceptor, AnAcceptorThatSaysNothingTimesOut) {
  Peer peer = peer_at(server_.port());
  peer.response_timeout = 50ms;
  const auto scu = associate_with(peer, [](ScriptedPeer& p) {
    p.receive_pdu();
    p.expect(test::an_abort(0, 0));
  });
  ASSERT_FALSE(scu);
  EXPECT_EQ(scu.error().code, Errc::kTimeout);
}

TEST_F(ScriptedAcceptor, GarbageInsteadOfAnAnswerIsAborted) {
  const auto scu = associate_with(peer_at(server_.port()), [](ScriptedPeer& peer) {
    peer.receive_pdu();
    peer.send(hex("99 00 00000000"));
    peer.expect(test::an_abort(2, 1));
  });
  ASSERT_FALSE(scu);
  EXPECT_EQ(scu.error().code, Errc::kMalformed);
}

TEST_F(ScriptedAcceptor, NoFragmentIsLongerThanThePeerTakes) {
  Scu scu = established(2048);
  ASSERT_TRUE(scu);
  const StoreOutcome outcome = store_with(*scu, 10'000, [](ScriptedPeer& peer) {
    const auto command = test::receive_response(peer);
    std::size_t octets = 0;
    for (bool last = false; !last;) {
      const Bytes pdu = peer.receive_pdu();
      ASSERT_GE(pdu.size(), 12U);
      EXPECT_LE(pdu.size() - 6, 2048U);
      octets += pdu.size() - 12;
      last = (std::to_integer<int>(pdu[11]) & 2) != 0;
    }
    EXPECT_EQ(octets, 10'000U);
    peer.send(store_response(*command.message_id, 0));
  });
  EXPECT_FALSE(outcome.error);
  destroy(std::move(scu));
}

TEST_F(ScriptedAcceptor, AFailureStatusIsAnOutcomeNotAnError) {
  Scu scu = established();
  ASSERT_TRUE(scu);
  const StoreOutcome outcome = store_with(*scu, 50'000, [](ScriptedPeer& peer) {
    peer.send(store_response(receive_store(peer), 0xa700));
  });
  EXPECT_FALSE(outcome.error);
  EXPECT_EQ(outcome.status, 0xa700);
  EXPECT_EQ(outcome.error_comment.find('\n'), std::string::npos);
  EXPECT_TRUE(outcome.sent_all);
  EXPECT_TRUE(open(*scu));
  destroy(std::move(scu));
}

TEST_F(ScriptedAcceptor, AnAbortWithinTheDataSetIsKnownNotToHaveArrived) {
  Scu scu = established();
  ASSERT_TRUE(scu);
  // More than the network holds, so that the end can not have left.
  const StoreOutcome outcome = store_with(*scu, 64'000'000, [](ScriptedPeer& peer) {
    peer.receive_pdu();
    peer.send(test::an_abort(2, 0));
    peer.close();
  });
  ASSERT_TRUE(outcome.error);
  EXPECT_FALSE(outcome.sent_all);
  EXPECT_FALSE(open(*scu));
  destroy(std::move(scu));
}

TEST_F(ScriptedAcceptor, AConnectionThatEndsInsteadOfAResponseLeavesTheOutcomeUnknown) {
  Scu scu = established();
  ASSERT_TRUE(scu);
  const StoreOutcome outcome = store_with(*scu, 1000, [](ScriptedPeer& peer) {
    receive_store(peer);
    peer.close();
  });
  ASSERT_TRUE(outcome.error);
  EXPECT_EQ(outcome.error->code, Errc::kClosed);
  EXPECT_TRUE(outcome.sent_all);
  destroy(std::move(scu));
}

TEST_F(ScriptedAcceptor, AnAbortInsteadOfAResponseSaysSo) {
  Scu scu = established();
  ASSERT_TRUE(scu);
  const StoreOutcome outcome = store_with(*scu, 1000, [](ScriptedPeer& peer) {
    receive_store(peer);
    peer.send(test::an_abort(2, 6));
    peer.expect_close();
  });
  ASSERT_TRUE(outcome.error);
  EXPECT_EQ(outcome.error->code, Errc::kAborted);
  EXPECT_EQ(outcome.error->detail, "A-ABORT source=2 reason=6");
  EXPECT_TRUE(outcome.sent_all);
  destroy(std::move(scu));
}

TEST_F(ScriptedAcceptor, NoResponseInTimeAborts) {
  Scu scu = established(16384, 100ms);
  ASSERT_TRUE(scu);
  const StoreOutcome outcome = store_with(*scu, 1000, [](ScriptedPeer& peer) {
    receive_store(peer);
    peer.expect(test::an_abort(0, 0));
  });
  ASSERT_TRUE(outcome.error);
  EXPECT_EQ(outcome.error->code, Errc::kTimeout);
  EXPECT_TRUE(outcome.sent_all);
  EXPECT_FALSE(open(*scu));
  destroy(std::move(scu));
}

TEST_F(ScriptedAcceptor, AResponseToAnotherMessageAborts) {
  Scu scu = established();
  ASSERT_TRUE(scu);
  const StoreOutcome outcome = store_with(*scu, 1000, [](ScriptedPeer& peer) {
    peer.send(store_response(static_cast<std::uint16_t>(receive_store(peer) + 1), 0));
    peer.expect(test::an_abort(0, 0));
  });
  ASSERT_TRUE(outcome.error);
  EXPECT_EQ(outcome.error->code, Errc::kMalformed);
  destroy(std::move(scu));
}

TEST_F(ScriptedAcceptor, APeerThatReleasesAtRestIsConfirmed) {
  Scu scu = established();
  ASSERT_TRUE(scu);
  peer_->send(test::kReleaseRq);
  peer_->expect(test::kReleaseRp);
  EXPECT_FALSE(open(*scu));
  destroy(std::move(scu));
}

TEST_F(ScriptedAcceptor, ReleasesThatCollideAreBothConfirmed) {
  Scu scu = established();
  ASSERT_TRUE(scu);
  auto released = std::async(std::launch::async, [&] {
    return wait_for(context(), [](StorageScu* s) -> asio::awaitable<bool> {
      co_await s->release();
      co_return true;
    }(scu.get()));
  });
  peer_->expect(test::kReleaseRq);
  peer_->send(test::kReleaseRq);  // AR-8: Sta9, AR-9: Sta11
  peer_->expect(test::kReleaseRp);
  peer_->send(test::kReleaseRp);  // AR-3
  peer_->expect_close();
  EXPECT_TRUE(released.get());
  destroy(std::move(scu));
}

}  // namespace
}  // namespace dr::service
