#include <fstream>

#include <fcntl.h>

#include "router/delivery/transformer.h"
#include "router/rules/transform_pseudonym.h"
#include "test/router/delivery/delivery_fixture.h"
#include "test/support/paths.h"
#include "test/support/process.h"

namespace dr::delivery {
namespace {

using namespace std::chrono_literals;

class TransformedDelivery : public DeliveryTest {
 protected:
  void TearDown() override {
    if (transformer_) transformer_->stop();
    DeliveryTest::TearDown();
  }

  void start_with(const std::string& mode, DestinationSettings settings) {
    TransformerSettings made;
    made.pseudonym_key = "a key that nobody guesses";
    made.system = "ROUTER";
    made.character_set = [](const journal::ObjectRecord&) { return "ISO_IR 100"; };
    made.folder = spool_.path().string();
    made.workers.workers = 1;
    made.workers.command = {(test::binary_dir() / "test/transform_worker").string(), mode};
    made.workers.limits.wall = mode == "hang" ? 200ms : 60s;
    transformer_ = std::make_unique<Transformer>(std::move(made));
    transformer_in_context_ = transformer_.get();
    settings.retry.first = 1ms;
    start({std::move(settings)});
  }
  DestinationSettings archive() const { return folder("archive", archive_.path()); }

  Object with_transform(const std::string& transform, test::ObjectSpec spec = {}) {
    Object object = an_object({"archive"}, std::move(spec));
    object.record.routes.front().transform = transform;
    return object;
  }
  std::vector<std::filesystem::path> archived() const {
    std::vector<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(archive_.path())) {
      if (entry.is_regular_file()) files.push_back(entry.path());
    }
    return files;
  }

  test::TempDir archive_;
  test::TempDir spool_;
  std::unique_ptr<Transformer> transformer_;
};

TEST_F(TransformedDelivery, TheCopyHasItsOwnUidsEverywhere) {
  start_with("", archive());
  const Object object = with_transform(R"t([{uid_remap="all"}])t");
  append(object);
  const auto outcome = observer_->wait_for_outcomes("archive", 1).front();
  EXPECT_EQ(outcome.state, DeliveryState::kDelivered) << outcome.reason << outcome.comment;
  ASSERT_EQ(archived().size(), 1U);
  const auto path = archived().front().string();
  EXPECT_EQ(path.find(object.record.sop_instance_uid.str()), std::string::npos);
  EXPECT_EQ(path.find(object.record.study_instance_uid.str()), std::string::npos);
  EXPECT_NE(path.find("/2.25."), std::string::npos);
  EXPECT_TRUE(std::filesystem::is_empty(spool_.path()));
}

TEST_F(TransformedDelivery, TheSandboxKnowsTheCharacterSets) {
  struct Sample {
    const char* charset;
    const char* octets;
    const char* utf8;
  };
  constexpr Sample kSamples[] = {{"ISO_IR 100", "M\xfcller", "Müller"},
                                 {"ISO_IR 144", "\xbf\xd0\xd2\xd5\xdb", "Павел"},
                                 {"ISO_IR 13", "\xd4\xcf\xc0\xde", "ﾔﾏﾀﾞ"},
                                 {"ISO_IR 192", "\xe5\xb1\xb1", "山"},
                                 {"GB18030", "\xcd\xf5", "王"},
                                 {"\\ISO 2022 IR 149", "\x1b$)C\xb1\xe8", "김"}};
  start_with("", archive());
  for (const Sample& sample : kSamples) {
    test::ObjectSpec spec;
    spec.patient_name = sample.octets;
    spec.extra.push_back({0x0008, 0x0005, "CS", sample.charset});
    append(with_transform(R"t([{set="StudyID",to="{PatientName|hash}"}])t", spec));
  }
  observer_->wait_for_state("archive", DeliveryState::kDelivered, std::size(kSamples));
  std::string ids;
  for (const auto& path : archived()) {
    ids += test::run({"dcmdump", "-q", "+P", "0020,0010", path.string()}).output;
  }
  const rules::Pseudonymizer pseudonyms("a key that nobody guesses");
  for (const Sample& sample : kSamples) {
    EXPECT_NE(ids.find(pseudonyms.hash(sample.utf8)), std::string::npos) << sample.charset;
  }
}

TEST_F(TransformedDelivery, AWorkerThatCrashesIsTriedOnceMoreThenTheCopyIsHeld) {
  start_with("crash", archive());
  append(with_transform(R"t([{set="PatientID",to="X"}])t"));
  const auto outcomes = observer_->wait_for_outcomes("archive", 2);
  EXPECT_EQ(outcomes[0].state, DeliveryState::kWaiting);
  EXPECT_EQ(outcomes[0].outcome, "transform");
  EXPECT_EQ(outcomes[1].state, DeliveryState::kHeld);
  EXPECT_EQ(outcomes[1].reason, "crashed");
  EXPECT_EQ(outcomes[1].comment, "crashed signal=11");
  EXPECT_TRUE(archived().empty());
}

TEST_F(TransformedDelivery, AWorkerThatHangsIsTimedOut) {
  start_with("hang", archive());
  append(with_transform(R"t([{set="PatientID",to="X"}])t"));
  EXPECT_EQ(observer_->wait_for_outcomes("archive", 2)[1].reason, "timeout");
  EXPECT_TRUE(archived().empty());
}

TEST_F(TransformedDelivery, WhatTheObjectIsAtFaultForIsNotTriedAgain) {
  start_with("", archive());
  append(with_transform(R"t([{set="StudyDate",to="{PatientID}"}])t"));
  const auto outcome = observer_->wait_for_outcomes("archive", 1).front();
  EXPECT_EQ(outcome.state, DeliveryState::kHeld);
  EXPECT_EQ(outcome.reason, "value");
  EXPECT_EQ(outcome.comment, "value (0008,0020)");
  EXPECT_TRUE(archived().empty());
}

TEST_F(TransformedDelivery, WithoutWorkersNothingIsSentUnchanged) {
  start({archive()});
  append(with_transform(R"t([{set="PatientID",to="X"}])t"));
  EXPECT_EQ(observer_->wait_for_outcomes("archive", 1).front().reason, "no_transformer");
  EXPECT_TRUE(archived().empty());
}

TEST_F(TransformedDelivery, ARouteThatIsHeldIsHeldAtOnceAndAfterARestart) {
  start({archive()});
  Object object = an_object({"archive"});
  object.record.routes.front().held = "conflicting_transforms";
  append(object);
  const auto outcome = observer_->wait_for_outcomes("archive", 1).front();
  EXPECT_EQ(outcome.state, DeliveryState::kHeld);
  EXPECT_EQ(outcome.reason, "conflicting_transforms");
  settle_and_die();
  start({archive()});
  append(an_object({"archive"}));  // is read behind what was there at the start
  EXPECT_EQ(observer_->wait_for_outcomes("archive", 1).front().state, DeliveryState::kDelivered);
  EXPECT_EQ(engine_->status().front().counts.held, 1U);
  EXPECT_EQ(archived().size(), 1U);
}

TEST_F(TransformedDelivery, ARequirementHoldsWhatNoDeidentifyMade) {
  DestinationSettings settings = archive();
  settings.require_deidentified = true;
  start_with("", settings);
  append(an_object({"archive"}));
  EXPECT_EQ(observer_->wait_for_outcomes("archive", 1)[0].reason, "not_deidentified");
  append(with_transform(R"t([{set="PatientID",to="X"}])t"));
  EXPECT_EQ(observer_->wait_for_outcomes("archive", 2)[1].reason, "not_deidentified");
  append(with_transform(R"t([{deidentify="basic",pixels="accept"}])t"));
  EXPECT_EQ(observer_->wait_for_outcomes("archive", 3)[2].state, DeliveryState::kDelivered);
}

TEST_F(TransformedDelivery, ReversiblePairsAreOnDiskOnce) {
  start_with("", archive());
  test::ObjectSpec first;
  test::ObjectSpec second;
  second.study_instance_uid = first.study_instance_uid;
  const std::string remap = R"t([{uid_remap=["StudyInstanceUID"],reversible=true}])t";
  append(with_transform(remap, first));
  append(with_transform(remap, second));
  append(with_transform(remap));
  observer_->wait_for_state("archive", DeliveryState::kDelivered, 3);
  std::ifstream in(spool_ / "uid-map");
  std::set<std::string> lines;
  std::size_t count = 0;
  for (std::string line; std::getline(in, line); ++count) lines.insert(line);
  EXPECT_EQ(count, 2U);
  EXPECT_EQ(lines.size(), 2U);
  const std::string all = test::read_text(spool_ / "uid-map");
  EXPECT_EQ(all.find(first.study_instance_uid), std::string::npos);

  const auto found = look_up(spool_.path().string(), "a key that nobody guesses",
                             {first.study_instance_uid, "1.2.3.4"});
  ASSERT_TRUE(found) << found.error().to_string();
  EXPECT_EQ(found->pairs, 2U);
  EXPECT_EQ(found->unreadable, 0U);
  ASSERT_EQ(found->found.size(), 1U);
  EXPECT_EQ(found->found[0].original, first.study_instance_uid);
  const std::string pseudonym = found->found[0].pseudonym;
  const auto back = look_up(spool_.path().string(), "a key that nobody guesses", {pseudonym});
  ASSERT_TRUE(back);
  ASSERT_EQ(back->found.size(), 1U);
  EXPECT_EQ(back->found[0].original, first.study_instance_uid);
  const auto other = look_up(spool_.path().string(), "some other key", {pseudonym});
  ASSERT_TRUE(other);
  EXPECT_EQ(other->unreadable, 2U);
  EXPECT_TRUE(other->found.empty());
}

TEST_F(TransformedDelivery, WhereNothingWasRemappedThereIsNoMap) {
  EXPECT_EQ(look_up(spool_.path().string(), "key", {"1.2.3"}).error().code, Errc::kNotFound);
}

TEST_F(TransformedDelivery, ACopyCanBeTriedWithoutBeingSent) {
  start_with("", archive());
  const auto file = test::write_part10({}, spool_ / "object.dcm");
  auto sample =
      part10_sample(worker::Descriptor(::open(file.c_str(), O_RDONLY | O_CLOEXEC)), {}, "");
  ASSERT_TRUE(sample) << sample.error().to_string();
  const auto changes = transformer_->explain(*sample, R"t([{uid_remap="all",reversible=true}])t");
  ASSERT_TRUE(changes) << changes.error().to_string();
  EXPECT_FALSE(changes->elements.empty());
  EXPECT_FALSE(std::filesystem::exists(spool_ / "uid-map")) << "nothing has left";
  const auto held = transformer_->explain(*sample, R"t([{set="StudyDate",to="{PatientID}"}])t");
  ASSERT_FALSE(held);
  EXPECT_EQ(held.error().detail, "value (0008,0020)");
  EXPECT_FALSE(is_of_the_moment(held.error()));
}

TEST_F(TransformedDelivery, TheSendersCharacterSetHoldsInWorkersToo) {
  start_with("", archive());
  test::ObjectSpec spec;
  spec.patient_name = "M\xfcller";
  spec.extra.push_back({0x0008, 0x0005, "CS", ""});  // names no character set
  append(with_transform(R"t([{set="StudyID",to="{PatientName|hash}"}])t", spec));
  observer_->wait_for_state("archive", DeliveryState::kDelivered, 1);
  const auto shown =
      test::run({"dcmdump", "-q", "+P", "0020,0010", archived().front().string()}).output;
  const rules::Pseudonymizer pseudonyms("a key that nobody guesses");
  EXPECT_NE(shown.find(pseudonyms.hash("Müller")), std::string::npos) << shown;
}

}  // namespace
}  // namespace dr::delivery
