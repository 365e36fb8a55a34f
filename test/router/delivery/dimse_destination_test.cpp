#include <set>

#include "router/delivery/health.h"
#include "test/router/delivery/delivery_fixture.h"
#include "test/support/messages.h"
#include "test/support/scripted_peer.h"
#include "test/support/tcp_gate.h"

namespace dr::delivery {
namespace {

using namespace std::chrono_literals;
using test::MemoryNode;
using test::ScriptedPeer;
using test::ScriptedServer;
using test::TcpGate;

DestinationSettings single(DestinationSettings settings) {
  settings.associations = 1;
  return settings;
}

/// Answers the A-ASSOCIATE-RQ; gives what was proposed.
ul::AAssociateRq accept_association(ScriptedPeer& peer, ul::ContextResult result) {
  const Bytes pdu = peer.receive_pdu();
  const auto rq = ul::decode_associate_rq(ByteSpan(pdu).subspan(ul::kPduHeaderLength));
  EXPECT_TRUE(rq) << rq.error().to_string();
  ul::AAssociateAc ac;
  ac.called_ae_title = rq->called_ae_title;
  ac.calling_ae_title = rq->calling_ae_title;
  ac.application_context = rq->application_context;
  for (const auto& context : rq->contexts) {
    ac.contexts.push_back({context.id, result, context.transfer_syntaxes.front()});
  }
  ac.user.max_pdu_length = 16384;
  ac.user.implementation_class_uid = "1.2.3";
  peer.send(ul::encode(ac));
  return *rq;
}

/// Reads P-DATA-TF until the data set's last fragment.
void receive_message(ScriptedPeer& peer) {
  for (;;) {
    const Bytes pdu = peer.receive_pdu();
    ASSERT_GE(pdu.size(), 12U);
    ASSERT_EQ(pdu[0], std::byte{0x04});
    if (pdu[11] == std::byte{0x02}) return;
  }
}

class DimseDestinationTest : public DeliveryTest {
 protected:
  /// Sends one object to a node that answers `status`, until its state is settled.
  std::vector<journal::OutcomeRecord> outcomes_of(std::uint16_t status, std::size_t count) {
    node_.handler.on_finish([status](const auto&) { return service::StoreResponse{status, ""}; });
    append(an_object({"peer"}));
    return observer_->wait_for_outcomes("peer", count);
  }
  MemoryNode node_;
};

// --- What a status means -------------------------------------------------------------------------

TEST_F(DimseDestinationTest, AWarningIsDelivered) {
  start({dimse("peer", node_.port())});
  const auto outcomes = outcomes_of(0xb007, 1);
  EXPECT_EQ(outcomes[0].state, DeliveryState::kDelivered);
  EXPECT_TRUE(outcomes[0].has_status);
  EXPECT_EQ(outcomes[0].status, 0xb007U);
  EXPECT_EQ(outcomes[0].attempt, 1U);
}

TEST_F(DimseDestinationTest, APermanentRefusalIsTriedOnceMoreOnAFreshAssociationThenHeld) {
  start({dimse("peer", node_.port())});
  const auto outcomes = outcomes_of(0xa900, 2);
  EXPECT_EQ(outcomes[0].state, DeliveryState::kWaiting);
  EXPECT_EQ(outcomes[1].state, DeliveryState::kHeld);
  EXPECT_EQ(outcomes[1].reason, "refused");
  const auto received = node_.handler.wait_for_objects(2);
  EXPECT_NE(received[0].request.association->number, received[1].request.association->number);
  const auto held = engine_->queue_list({"peer", DeliveryState::kHeld}, 10);
  ASSERT_EQ(held.size(), 1U);
  EXPECT_EQ(held[0].reason, "refused");
  EXPECT_EQ(held[0].attempts, 2U);
}

TEST_F(DimseDestinationTest, ATransientRefusalIsTriedAgainAfterItsPauseUntilAttemptsAreUsedUp) {
  manual_time_ = true;
  auto settings = dimse("peer", node_.port());
  settings.retry.attempts = 3;
  start({settings});
  ASSERT_EQ(outcomes_of(0xa700, 1)[0].state, DeliveryState::kWaiting);
  ASSERT_TRUE(timers_.wait_until_armed_within(settings.retry.first));
  const auto waiting = engine_->queue_list({}, 10);
  ASSERT_EQ(waiting.size(), 1U);
  EXPECT_EQ(waiting[0].reason, "busy");
  EXPECT_TRUE(waiting[0].next_attempt);
  timers_.advance(settings.retry.first);
  ASSERT_EQ(observer_->wait_for_outcomes("peer", 2)[1].state, DeliveryState::kWaiting);
  ASSERT_TRUE(timers_.wait_until_armed_within(2 * settings.retry.first));
  timers_.advance(2 * settings.retry.first);
  const auto last = observer_->wait_for_outcomes("peer", 3)[2];
  EXPECT_EQ(last.state, DeliveryState::kHeld);
  EXPECT_EQ(last.reason, "attempts_exhausted");
  EXPECT_TRUE(engine_->status()[0].up);
}

TEST_F(DimseDestinationTest, NotAuthorizedSuspendsTheDestinationAndUsesUpNoAttempts) {
  manual_time_ = true;
  start({single(dimse("peer", node_.port()))});
  const auto outcome = outcomes_of(0x0124, 1)[0];
  EXPECT_EQ(outcome.state, DeliveryState::kWaiting);
  EXPECT_EQ(outcome.attempt, 0U);
  observer_->wait_for_change("peer down suspended");
  append(an_object({"peer"}));
  observer_->wait_for_queued("peer", 2);
  node_.handler.on_finish([](const auto&) { return service::StoreResponse{}; });
  observer_->wait_for_associations(1);
  ASSERT_TRUE(timers_.wait_until_armed_within(Health::kSlowProbe));
  EXPECT_EQ(observer_->outcomes().size(), 1U);
  timers_.advance(Health::kSlowProbe);
  EXPECT_EQ(observer_->wait_for_state("peer", DeliveryState::kDelivered, 2).size(), 2U);
  observer_->wait_for_change("peer up");
}

// --- Associations --------------------------------------------------------------------------------

TEST_F(DimseDestinationTest, ProposesExactlyTheContextsOfTheObjectsThatWait) {
  ScriptedServer server;
  for (int i = 0; i < 3; ++i) append(an_object({"peer"}));
  append(an_object({"peer"}, {.transfer_syntax = std::string(test::kImplicitLe)}));
  append(an_object({"peer"}, {.sop_class_uid = std::string(test::kMrImageStorage)}));
  append(an_object({"other"}, {.sop_class_uid = std::string(test::kRtStructureSetStorage)}));
  start({single(dimse("peer", server.port()))});
  ScriptedPeer peer = server.accept();
  const auto rq = accept_association(peer, ul::ContextResult::kAcceptance);
  std::set<std::pair<std::string, std::string>> proposed;
  for (const auto& context : rq.contexts) {
    EXPECT_EQ(context.transfer_syntaxes.size(), 1U);
    proposed.emplace(context.abstract_syntax.str(), context.transfer_syntaxes.front().str());
  }
  const std::string ct(test::kCtImageStorage);
  const std::string mr(test::kMrImageStorage);
  const std::string implicit(test::kImplicitLe);
  const std::string explicit_le(test::kExplicitLe);
  EXPECT_EQ(proposed, (decltype(proposed){{ct, explicit_le}, {ct, implicit}, {mr, explicit_le}}));
  EXPECT_EQ(rq.contexts.size(), 3U);
  EXPECT_EQ(engine_->orphans(), 1U);
}

TEST_F(DimseDestinationTest, AnObjectWhoseContextIsRefusedIsHeldAtOnce) {
  ScriptedServer server;
  append(an_object({"peer"}));
  start({single(dimse("peer", server.port()))});
  ScriptedPeer peer = server.accept();
  accept_association(peer, ul::ContextResult::kTransferSyntaxesNotSupported);
  const auto outcome = observer_->wait_for_outcomes("peer", 1)[0];
  EXPECT_EQ(outcome.state, DeliveryState::kHeld);
  EXPECT_EQ(outcome.reason, "context_refused");
  EXPECT_FALSE(outcome.has_status);
}

TEST_F(DimseDestinationTest, OneAssociationIsKeptAliveForObjectsThatComeOneByOne) {
  manual_time_ = true;
  auto settings = dimse("peer", node_.port());
  settings.associations = 1;  // of several, one may be opened and find nothing left to do
  start({settings});
  for (std::size_t i = 1; i <= 20; ++i) {
    append(an_object({"peer"}));
    ASSERT_EQ(observer_->wait_for_outcomes("peer", i).back().state, DeliveryState::kDelivered);
  }
  std::set<std::uint64_t> used;
  for (const auto& object : node_.handler.wait_for_objects(20)) {
    used.insert(object.request.association->number);
  }
  EXPECT_EQ(used.size(), 1U);
  ASSERT_TRUE(timers_.wait_until_armed_within(settings.idle_close));
  timers_.advance(settings.idle_close);
  const auto record = observer_->wait_for_associations(1)[0];
  EXPECT_EQ(record.outcome, "released");
  EXPECT_FALSE(record.incoming);
  EXPECT_EQ(record.objects, 20U);
}

TEST_F(DimseDestinationTest, OpensNoMoreAssociationsThanConfigured) {
  node_.handler.hold = true;
  auto settings = dimse("peer", node_.port());
  settings.associations = 3;
  for (int i = 0; i < 9; ++i) append(an_object({"peer"}));
  start({settings});
  node_.handler.wait_for_held(3);
  EXPECT_EQ(engine_->status()[0].associations, 3U);
  EXPECT_EQ(engine_->status()[0].counts.sending, 3U);
  EXPECT_EQ(node_.listener().open_associations(), 3U);
  node_.handler.hold = false;
  for (int i = 0; i < 3; ++i) node_.handler.release();
  observer_->wait_for_state("peer", DeliveryState::kDelivered, 9);
  EXPECT_EQ(node_.listener().open_associations(), 3U);
}

TEST_F(DimseDestinationTest, AnObjectOfAnotherClassGetsAnAssociationThoughAllAreTaken) {
  start({single(dimse("peer", node_.port()))});
  append(an_object({"peer"}));
  observer_->wait_for_outcomes("peer", 1);
  append(an_object({"peer"}, {.sop_class_uid = std::string(test::kMrImageStorage)}));
  EXPECT_EQ(observer_->wait_for_outcomes("peer", 2)[1].state, DeliveryState::kDelivered);
  observer_->wait_for_associations(1);
}

TEST_F(DimseDestinationTest, PassesTheSendersTitleOnWhereAsked) {
  auto settings = single(dimse("peer", node_.port()));
  settings.calling_from_source = true;
  start({settings});
  for (const char* title : {"CT1", "CT2", "CT1"}) {
    Object object = an_object({"peer"});
    object.record.calling_ae_title = *AeTitle::parse(title);
    append(object);
  }
  observer_->wait_for_state("peer", DeliveryState::kDelivered, 3);
  std::multiset<std::string> titles;
  for (const auto& object : node_.handler.wait_for_objects(3)) {
    titles.insert(object.request.association->calling_ae_title.str());
  }
  EXPECT_EQ(titles, (std::multiset<std::string>{"CT1", "CT1", "CT2"}));
}

// --- A destination that is down ------------------------------------------------------------------

TEST_F(DimseDestinationTest, ADeadDestinationSlowsNobodyAndGetsEverythingInOrderWhenItIsBack) {
  manual_time_ = true;
  MemoryNode other;
  TcpGate gate(node_.port());
  gate.refuse();
  const auto settings = single(dimse("dead", gate.port()));
  start({settings, dimse("other", other.port())});
  std::vector<std::string> low;
  std::vector<std::string> high;
  for (int i = 0; i < 20; ++i) {
    Object object = an_object({"dead", "other"});
    object.record.routes[0].priority = i % 2 == 0 ? 2 : 0;
    (i % 2 == 0 ? low : high).push_back(object.record.sop_instance_uid.str());
    append(object);
  }
  observer_->wait_for_state("other", DeliveryState::kDelivered, 20);
  observer_->wait_for_change("dead down connect");
  observer_->wait_for_queued("dead", 20);
  EXPECT_FALSE(engine_->status()[0].up);
  EXPECT_EQ(engine_->status()[0].counts.waiting, 20U);
  gate.open();
  ASSERT_TRUE(timers_.wait_until_armed_within(settings.retry.first));
  timers_.advance(settings.retry.first);
  for (const auto& outcome : observer_->wait_for_outcomes("dead", 20)) {
    EXPECT_EQ(outcome.state, DeliveryState::kDelivered);
    EXPECT_EQ(outcome.attempt, 1U);
  }
  std::vector<std::string> got_low;
  std::vector<std::string> got_high;
  for (const auto& object : node_.handler.wait_for_objects(20)) {
    const std::string uid = object.request.affected_sop_instance_uid.str();
    (std::find(low.begin(), low.end(), uid) != low.end() ? got_low : got_high).push_back(uid);
  }
  EXPECT_EQ(got_low, low);
  EXPECT_EQ(got_high, high);
  EXPECT_TRUE(engine_->status()[0].up);
}

TEST_F(DimseDestinationTest, ProbesOfADeadDestinationUseUpNoAttempts) {
  manual_time_ = true;
  TcpGate gate(node_.port());
  gate.refuse();
  auto settings = dimse("dead", gate.port());
  settings.retry.attempts = 1;
  start({settings});
  append(an_object({"dead"}));
  for (std::size_t probe = 1; probe <= 6; ++probe) {
    observer_->wait_for_associations(probe);
    ASSERT_TRUE(timers_.wait_until_armed_within(settings.retry.most));
    timers_.advance(settings.retry.most);
  }
  EXPECT_TRUE(observer_->outcomes().empty());
  gate.open();
  ASSERT_TRUE(timers_.wait_until_armed_within(settings.retry.most));
  timers_.advance(settings.retry.most);
  EXPECT_EQ(observer_->wait_for_outcomes("dead", 1)[0].state, DeliveryState::kDelivered);
}

TEST_F(DimseDestinationTest, ARejectionThatIsPermanentIsProbedSlowly) {
  manual_time_ = true;
  node_.handler.on_admit(
      [](const auto&) { return ul::AAssociateRj{.result = 1, .source = 1, .reason = 7}; });
  start({single(dimse("peer", node_.port()))});
  append(an_object({"peer"}));
  observer_->wait_for_change("peer down rejected");
  const auto record = observer_->wait_for_associations(1)[0];
  EXPECT_EQ(record.outcome, "rejected");
  EXPECT_EQ(record.reason.substr(0, 5), "1/1/7");
  node_.handler.on_admit({});
  ASSERT_TRUE(timers_.wait_until_armed_within(Health::kSlowProbe));
  timers_.advance(Health::kSlowProbe - 1ms);
  ASSERT_TRUE(timers_.wait_until_armed_within(1ms));
  EXPECT_TRUE(observer_->outcomes().empty());
  timers_.advance(1ms);
  EXPECT_EQ(observer_->wait_for_outcomes("peer", 1)[0].state, DeliveryState::kDelivered);
}

TEST_F(DimseDestinationTest, NoAnswerAfterTheLastOctetIsUnknownAndSentAgain) {
  manual_time_ = true;
  ScriptedServer server;
  const auto settings = single(dimse("peer", server.port()));
  const Object object = an_object({"peer"});
  append(object);
  start({settings});
  {
    ScriptedPeer peer = server.accept();
    accept_association(peer, ul::ContextResult::kAcceptance);
    receive_message(peer);
  }
  const auto unknown = observer_->wait_for_outcomes("peer", 1)[0];
  EXPECT_EQ(unknown.state, DeliveryState::kUnknown);
  EXPECT_EQ(unknown.octets, object.data.size());
  EXPECT_EQ(engine_->status()[0].counts.unknown, 1U);
  ASSERT_TRUE(timers_.wait_until_armed_within(settings.retry.first));
  timers_.advance(settings.retry.first);
  ScriptedPeer peer = server.accept();
  accept_association(peer, ul::ContextResult::kAcceptance);
  receive_message(peer);
  message::CommandSet response = test::a_store_request(1, object.record.sop_instance_uid.view());
  response.command_field = message::response_to(message::Command::kCStoreRq);
  response.message_id.reset();
  response.priority.reset();
  response.message_id_being_responded_to = std::uint16_t{1};
  response.command_data_set_type = message::kNoDataSet;
  response.status = std::uint16_t{0};
  peer.send(test::command_pdu(1, response));
  const auto delivered = observer_->wait_for_outcomes("peer", 2)[1];
  EXPECT_EQ(delivered.state, DeliveryState::kDelivered);
  EXPECT_EQ(delivered.attempt, 2U);
}

TEST_F(DimseDestinationTest, AnAbortBeforeTheLastOctetIsNotUnknown) {
  manual_time_ = true;
  ScriptedServer server;
  append(an_object({"peer"}, {.pixel_octets = 8'000'000}));
  start({single(dimse("peer", server.port()))});
  ScriptedPeer peer = server.accept();
  accept_association(peer, ul::ContextResult::kAcceptance);
  peer.receive_pdu();
  peer.send(test::an_abort(2, 0));
  const auto outcome = observer_->wait_for_outcomes("peer", 1)[0];
  EXPECT_EQ(outcome.state, DeliveryState::kWaiting);
  EXPECT_EQ(outcome.outcome, "aborted");
  EXPECT_EQ(outcome.attempt, 1U);
}

// --- Stop and start ------------------------------------------------------------------------------

TEST_F(DimseDestinationTest, AfterAKillEverythingThatWasNotDeliveredIsSent) {
  node_.handler.hold = true;
  std::set<std::string> uids;
  for (int i = 0; i < 12; ++i) {
    const Object object = an_object({"peer"});
    uids.insert(object.record.sop_instance_uid.str());
    append(object);
  }
  start({dimse("peer", node_.port())});
  node_.handler.wait_for_held(4);
  node_.handler.release();
  node_.handler.release();
  observer_->wait_for_outcomes("peer", 2);
  die();
  node_.handler.hold = false;
  node_.handler.forget_held();
  start({dimse("peer", node_.port())});
  append(an_object({"nowhere"}));
  std::set<std::string> arrived;
  for (std::size_t n = 10; arrived != uids && n < 40; ++n) {
    arrived.clear();
    for (const auto& object : node_.handler.wait_for_objects(n)) {
      arrived.insert(object.request.affected_sop_instance_uid.str());
    }
  }
  EXPECT_EQ(arrived, uids);
}

TEST_F(DimseDestinationTest, HeldObjectsAreStillHeldAfterAStart) {
  start({dimse("peer", node_.port())});
  ASSERT_EQ(outcomes_of(0xc000, 2)[1].state, DeliveryState::kHeld);
  append(an_object({"nowhere"}));  // once it is durable, so is what was appended before
  die();
  node_.handler.on_finish([](const auto&) { return service::StoreResponse{}; });
  start({dimse("peer", node_.port())});
  append(an_object({"peer"}));
  observer_->wait_for_outcomes("peer", 1);
  EXPECT_EQ(engine_->queue_list({"peer", DeliveryState::kHeld}, 10).size(), 1U);
  EXPECT_EQ(engine_->status()[0].counts.held, 1U);
}

TEST_F(DimseDestinationTest, StopWaitsForWhatIsBeingSentAndSendsNothingElse) {
  node_.handler.hold = true;
  for (int i = 0; i < 3; ++i) append(an_object({"peer"}));
  start({single(dimse("peer", node_.port()))});
  node_.handler.wait_for_held(1);
  std::thread stopping([this] { stop(60s); });
  // The response lets the association go on; it must find that it is over.
  node_.handler.hold = false;
  node_.handler.release();
  stopping.join();
  const auto outcomes = observer_->outcomes();
  ASSERT_GE(outcomes.size(), 1U);
  for (const auto& outcome : outcomes) EXPECT_EQ(outcome.state, DeliveryState::kDelivered);
  EXPECT_EQ(journal().open_deliveries().size(), 3 - outcomes.size());
}

TEST_F(DimseDestinationTest, StopAbortsWhatIsNotDoneInTimeAndSaysThatItsEndIsUnknown) {
  node_.handler.hold = true;
  append(an_object({"peer"}));
  start({dimse("peer", node_.port())});
  node_.handler.wait_for_held(1);
  stop(0ms);
  const auto outcomes = observer_->outcomes();
  ASSERT_EQ(outcomes.size(), 1U);
  EXPECT_EQ(outcomes[0].state, DeliveryState::kUnknown);
  node_.handler.forget_held();
}

}  // namespace
}  // namespace dr::delivery
