#include "router/delivery/operations.h"

#include <atomic>
#include <fstream>

#include "router/delivery/reroute.h"
#include "router/delivery/transformer.h"
#include "test/router/delivery/delivery_fixture.h"

namespace dr::delivery {
namespace {

using Op = OperationRequest::Kind;
using test::MemoryNode;
using test::TempDir;

class OperationsTest : public DeliveryTest {
 protected:
  OperationsTest() {
    node_.handler.on_finish([this](const auto&) {
      return service::StoreResponse{status_.load(), ""};
    });
  }

  /// One attempt, then held.
  DestinationSettings peer(const std::string& name = "peer") {
    auto settings = dimse(name, node_.port());
    settings.retry.attempts = 1;
    return settings;
  }
  Sequence held_at_peer(test::ObjectSpec spec = {}) {
    status_ = 0xa700;
    const Sequence sequence = append(an_object({"peer"}, std::move(spec)));
    observer_->wait_for_state("peer", DeliveryState::kHeld, ++held_);
    status_ = 0;
    return sequence;
  }
  static OperationRequest request(Op kind, const std::string& destination = {}) {
    OperationRequest request;
    request.kind = kind;
    request.selection.destination = destination;
    request.who = "alice";
    return request;
  }
  OperationReport done(const OperationRequest& request) {
    const auto report = engine_->operate(request);
    EXPECT_TRUE(report) << report.error().to_string();
    if (!report) return {};
    EXPECT_FALSE(report->stopped) << report->stopped->to_string();
    return *report;
  }
  /// The operators' actions in the journal, as "who action target detail".
  std::vector<std::string> actions() {
    std::vector<std::string> found;
    for (Sequence after{};;) {
      const auto record = journal().read_after(after);
      EXPECT_TRUE(record);
      if (!record || !*record) return found;
      after = (*record)->sequence;
      if ((*record)->type != journal::RecordType::kOperator) continue;
      const auto action = journal::decode_operator((*record)->head);
      EXPECT_TRUE(action);
      found.push_back(action->who + " " + action->action + " " + action->target + " " +
                      action->detail);
    }
  }
  std::vector<journal::OutcomeRecord> outcomes_of(Sequence instance) {
    auto all = observer_->outcomes();
    std::erase_if(all, [&](const auto& o) { return o.instance != instance; });
    return all;
  }
  std::shared_ptr<const rules::RuleSet> rules(const std::string& toml,
                                              const std::set<std::string>& targets) {
    std::ofstream(rules_.path() / "a.toml") << toml;
    auto loaded = rules::RuleSet::load(rules_.path().string(), targets);
    for (const auto& each : loaded.diagnostics) ADD_FAILURE() << each.to_string();
    return loaded.rules;
  }

  TempDir rules_;
  TempDir archive_;
  MemoryNode node_;
  std::unique_ptr<Transformer> transformer_;
  std::atomic<std::uint16_t> status_{0};
  std::size_t held_ = 0;
};

TEST_F(OperationsTest, RetrySendsWhatIsHeldAtOnceWithFreshAttempts) {
  start({peer()});
  const Sequence instance = held_at_peer();
  EXPECT_EQ(done(request(Op::kRetry, "peer")).affected, 1U);
  const auto outcome = observer_->wait_for_state("peer", DeliveryState::kDelivered, 1).front();
  EXPECT_EQ(outcome.instance, instance);
  EXPECT_EQ(outcome.attempt, 1U);
  EXPECT_TRUE(engine_->queue_list({}, 10).empty());
  EXPECT_EQ(actions(), std::vector<std::string>{"alice retry destination=peer affected=1"});
}

TEST_F(OperationsTest, RetrySelectsByUidAndADryRunOnlyCounts) {
  start({peer()});
  test::ObjectSpec spec;
  held_at_peer();
  const Sequence wanted = held_at_peer(spec);
  auto by_study = request(Op::kRetry);
  by_study.selection.study = *Uid::parse(spec.study_instance_uid);
  by_study.dry_run = true;
  EXPECT_EQ(done(by_study).affected, 1U);
  EXPECT_EQ(engine_->queue_list({"peer", DeliveryState::kHeld}, 10).size(), 2U);
  EXPECT_TRUE(actions().empty());
  by_study.dry_run = false;
  EXPECT_EQ(done(by_study).affected, 1U);
  EXPECT_EQ(observer_->wait_for_state("peer", DeliveryState::kDelivered, 1).front().instance,
            wanted);
  const auto rest = engine_->queue_list({"peer", DeliveryState::kHeld}, 10);
  ASSERT_EQ(rest.size(), 1U);
  auto unknown = request(Op::kRetry);
  unknown.selection.object = *Uid::parse("1.2.3.4");
  const auto refused = engine_->operate(unknown);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::kNotFound);
}

TEST_F(OperationsTest, ARetryOutlivesACrash) {
  start({peer(), folder("archive", archive_.path())});
  held_at_peer();
  EXPECT_EQ(done(request(Op::kPause, "peer")).affected, 1U);
  EXPECT_EQ(done(request(Op::kRetry, "peer")).affected, 1U);
  die();
  start({peer(), folder("archive", archive_.path())});
  observer_->wait_for_queued("peer", 1);
  const auto waiting = engine_->queue_list({}, 10);
  ASSERT_EQ(waiting.size(), 1U);
  EXPECT_EQ(waiting[0].state, DeliveryState::kWaiting);
  EXPECT_EQ(waiting[0].attempts, 0U);
}

TEST_F(OperationsTest, DropIsFinalNamesWhoAndFreesTheObject) {
  start({peer()});
  const Sequence instance = held_at_peer();
  const auto refused = engine_->operate(request(Op::kDrop));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::kInvalid);
  EXPECT_EQ(done(request(Op::kDrop, "peer")).affected, 1U);
  const auto last = outcomes_of(instance).back();
  EXPECT_EQ(last.state, DeliveryState::kDropped);
  EXPECT_EQ(last.reason, "by alice");
  EXPECT_TRUE(engine_->queue_list({}, 10).empty());
  EXPECT_EQ(journal().stats().live_objects, 0U);
  EXPECT_EQ(actions(), std::vector<std::string>{"alice drop destination=peer affected=1"});
}

TEST_F(OperationsTest, DropReachesWhatStandsInNoQueue) {
  start({peer()});
  append(an_object({}));                   // unrouted
  append(an_object({"no-longer-there"}));  // not configured any more
  auto unrouted = request(Op::kDrop);
  unrouted.selection.unrouted = true;
  EXPECT_EQ(done(unrouted).affected, 1U);
  EXPECT_EQ(journal().unrouted_objects(), 0U);
  auto waiting = request(Op::kDrop);
  waiting.selection.state = DeliveryState::kWaiting;
  EXPECT_EQ(done(waiting).affected, 1U);
  EXPECT_EQ(journal().stats().live_objects, 0U);
}

TEST_F(OperationsTest, ManyAreChangedInSlicesAndWhatIsNotSelectedStays) {
  constexpr std::size_t kMany = 9'000;  // more than two slices
  start({peer()});
  EXPECT_EQ(done(request(Op::kPause, "peer")).affected, 1U);
  const Object kept = an_object({"peer"});
  append(kept);
  Object many = an_object({"peer"});
  many.data.resize(16);
  std::atomic<std::size_t> durable{0};
  std::promise<void> all;
  for (std::size_t i = 0; i < kMany; ++i) {
    BlockChain chain(blocks_);
    const MutableByteSpan space = chain.writable();
    ASSERT_GE(space.size(), many.data.size());
    std::ranges::copy(many.data, space.begin());
    chain.commit(many.data.size());
    journal().append_object(many.record, std::move(chain), [&](const Result<Sequence>& result) {
      EXPECT_TRUE(result);
      if (++durable == kMany) all.set_value();
    });
    if (i % 100 == 99) {
      ASSERT_TRUE(journal().flush(RecordingObserver::kPatience));
    }
  }
  all.get_future().get();
  observer_->wait_for_queued("peer", kMany + 1);
  auto drop = request(Op::kDrop);
  drop.selection.series = many.record.series_instance_uid;
  EXPECT_EQ(done(drop).affected, kMany);
  const auto left = engine_->queue_list({}, 10);
  ASSERT_EQ(left.size(), 1U);
  EXPECT_EQ(left[0].sop_instance_uid, kept.record.sop_instance_uid.str());
  EXPECT_EQ(journal().stats().live_objects, 1U);
}

TEST_F(OperationsTest, APausedDestinationSendsNothingAlsoAfterARestartUntilItIsResumed) {
  for (const bool to_folder : {false, true}) {
    SCOPED_TRACE(to_folder);
    const std::string name = to_folder ? "archive" : "peer";
    const auto destinations = [&] {
      return std::vector{peer(), folder("archive", archive_.path())};
    };
    start(destinations());
    EXPECT_EQ(done(request(Op::kPause, name)).affected, 1U);
    EXPECT_EQ(done(request(Op::kPause, name)).affected, 0U);  // it is already
    append(an_object({name}));
    settle_and_die();
    start(destinations());
    EXPECT_TRUE(engine_->status()[to_folder ? 1 : 0].paused);
    EXPECT_FALSE(engine_->status()[to_folder ? 0 : 1].paused);
    observer_->wait_for_queued(name, 1);
    EXPECT_EQ(engine_->queue_list({name}, 10).size(), 1U);
    EXPECT_TRUE(observer_->outcomes().empty());
    EXPECT_EQ(done(request(Op::kResume, name)).affected, 1U);
    observer_->wait_for_state(name, DeliveryState::kDelivered, 1);
    settle_and_die();
  }
}

TEST_F(OperationsTest, WhereItCanNotBeReadWhoIsPausedNothingIsSent) {
  const Bytes nonsense = Bytes(3, std::byte{'x'});
  const ByteSpan part(nonsense);
  auto file = disk_->open("paused", FileSystem::Mode::kCreateNew);
  ASSERT_TRUE(file);
  ASSERT_TRUE((*file)->write_at(0, {&part, 1}));
  start({peer(), folder("archive", archive_.path())});
  EXPECT_TRUE(engine_->status()[0].paused);
  EXPECT_EQ(done(request(Op::kResume, "peer")).affected, 1U);
  append(an_object({"peer"}));
  observer_->wait_for_state("peer", DeliveryState::kDelivered, 1);
  settle_and_die();
  start({peer(), folder("archive", archive_.path())});
  EXPECT_FALSE(engine_->status()[0].paused);
  EXPECT_TRUE(engine_->status()[1].paused);
}

constexpr const char* kToArchive =
    "[[rule]]\nname = \"CT\"\nwhen = { Modality = \"CT\" }\nroute = [\"archive\", \"done\"]\n";

TEST_F(OperationsTest, RerouteSendsWhereTodaysRulesSayAndNowhereTwice) {
  TempDir done_folder;
  start({peer(), folder("archive", archive_.path()), folder("done", done_folder.path())});
  status_ = 0xa700;
  Object object = an_object({"peer", "done"});
  const Sequence old = append(object);
  observer_->wait_for_state("peer", DeliveryState::kHeld, 1);
  observer_->wait_for_state("done", DeliveryState::kDelivered, 1);
  auto wish = request(Op::kReroute, "peer");
  wish.rules = rules(kToArchive, {"peer", "archive", "done"});
  wish.dry_run = true;
  EXPECT_EQ(done(wish).affected, 1U);
  wish.dry_run = false;
  EXPECT_EQ(done(wish).affected, 1U);
  const auto delivered = observer_->wait_for_state("archive", DeliveryState::kDelivered, 1)[0];
  EXPECT_NE(delivered.instance, old);
  EXPECT_EQ(outcomes_of(old).back().state, DeliveryState::kSkipped);
  EXPECT_EQ(outcomes_of(old).back().reason, "not_chosen");
  const auto skipped = observer_->wait_for_state("done", DeliveryState::kSkipped, 1)[0];
  EXPECT_EQ(skipped.instance, delivered.instance);
  EXPECT_EQ(skipped.reason, kSettledBefore);
  EXPECT_TRUE(engine_->queue_list({}, 10).empty());
  ASSERT_TRUE(journal().flush(RecordingObserver::kPatience));
  const auto record = journal().read(delivered.instance);
  ASSERT_TRUE(record);
  const auto decided = journal::decode_object(record->head);
  ASSERT_TRUE(decided);
  ASSERT_EQ(decided->decisions.size(), 1U);
  EXPECT_EQ(decided->decisions[0].rule, "CT");
  EXPECT_EQ(decided->rules_sha256, wish.rules->sha256());
  EXPECT_EQ(decided->received, object.record.received);
  const auto file = archive_.path() / object.record.study_instance_uid.str() /
                    object.record.series_instance_uid.str() /
                    (object.record.sop_instance_uid.str() + ".dcm");
  EXPECT_EQ(test::data_set_of(file), object.data);
}

TEST_F(OperationsTest, RerouteLeavesWhatTheRulesSendNowhereOrAsBefore) {
  start({peer(), folder("archive", archive_.path()), folder("done", archive_.path() / "done")});
  test::ObjectSpec mr;
  mr.modality = "MR";
  held_at_peer(mr);
  auto wish = request(Op::kReroute);
  wish.selection.state = DeliveryState::kHeld;
  wish.rules = rules(kToArchive, {"peer", "archive", "done"});
  auto report = done(wish);
  EXPECT_EQ(report.unmatched, 1U);
  EXPECT_EQ(report.affected, 0U);
  wish.rules = rules("[[rule]]\nname = \"all\"\nwhen = \"unmatched\"\nroute = [\"peer\"]\n",
                     {"peer", "archive", "done"});
  report = done(wish);
  EXPECT_EQ(report.unchanged, 1U);
  EXPECT_EQ(report.affected, 0U);
  EXPECT_EQ(engine_->queue_list({"peer", DeliveryState::kHeld}, 10).size(), 1U);
}

TEST_F(OperationsTest, RerouteFindsARouteForWhatHadNone) {
  start({peer(), folder("archive", archive_.path()), folder("done", archive_.path() / "done")});
  append(an_object({}));
  append_large(an_object({}));
  auto wish = request(Op::kReroute);
  wish.selection.unrouted = true;
  wish.rules = rules(kToArchive, {"peer", "archive", "done"});
  EXPECT_EQ(done(wish).affected, 2U);
  observer_->wait_for_state("archive", DeliveryState::kDelivered, 2);
  observer_->wait_for_state("done", DeliveryState::kDelivered, 2);
  EXPECT_EQ(journal().unrouted_objects(), 0U);
}

TEST_F(OperationsTest, RerouteReadsTextInTheCharacterSetOfItsSender) {
  TransformerSettings settings;
  settings.character_set = [](const journal::ObjectRecord& object) {
    return object.calling_ae_title.view() == "CT1" ? "ISO_IR 100" : "";
  };
  transformer_ = std::make_unique<Transformer>(std::move(settings));
  transformer_in_context_ = transformer_.get();
  start({peer(), folder("archive", archive_.path())});
  test::ObjectSpec spec;
  spec.patient_name = "M\xfcller";
  spec.extra.push_back({0x0008, 0x0005, "CS", ""});  // names no character set
  append(an_object({}, spec));
  Object of_another = an_object({}, spec);
  of_another.record.calling_ae_title = *AeTitle::parse("CT2");
  append(of_another);
  auto wish = request(Op::kReroute);
  wish.selection.unrouted = true;
  wish.rules =
      rules("[[rule]]\nname = \"m\"\nwhen = { PatientName = \"Müller\" }\nroute = [\"archive\"]\n",
            {"peer", "archive"});
  const auto report = done(wish);
  EXPECT_EQ(report.affected, 1U);
  EXPECT_EQ(report.unmatched, 1U);
  observer_->wait_for_state("archive", DeliveryState::kDelivered, 1);
}

}  // namespace
}  // namespace dr::delivery
