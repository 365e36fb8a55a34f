#include <cmath>

#include <gtest/gtest.h>

#include "router/delivery/attempt.h"
#include "router/delivery/backoff.h"
#include "router/delivery/health.h"
#include "router/delivery/settings.h"
#include "router/delivery/status_map.h"

namespace dr::delivery {
namespace {

using namespace std::chrono_literals;
using Ending = AttemptResult::Ending;

// --- Backoff -------------------------------------------------------------------------------------

TEST(Backoff, GrowsByItsFactorUpToTheMost) {
  const Backoff backoff({.first = 5s, .factor = 2.0, .most = 60s}, [] { return 0.0; });
  EXPECT_EQ(backoff.delay(1), 5s);
  EXPECT_EQ(backoff.delay(2), 10s);
  EXPECT_EQ(backoff.delay(4), 40s);
  EXPECT_EQ(backoff.delay(5), 60s);
  EXPECT_EQ(backoff.delay(4'000'000'000U), 60s);
}

TEST(Backoff, TakesARandomPartOfUpToAHalfOff) {
  double random = 0.5;
  const Backoff backoff({.first = 4s}, [&] { return random; });
  EXPECT_EQ(backoff.delay(1), 3s);
  random = 0.999999;
  EXPECT_GE(backoff.delay(1), 2s);
  for (int i = 0; i < 1000; ++i) {
    const double drawn = random_fraction();
    EXPECT_TRUE(drawn >= 0.0 && drawn < 1.0);
  }
}

TEST(Backoff, IsExhaustedByAttemptsOrByAge) {
  const Backoff backoff({.give_up_after = 1h, .attempts = 3}, random_fraction);
  EXPECT_FALSE(backoff.exhausted(2, 59min));
  EXPECT_EQ(backoff.exhausted(3, 0s), "attempts_exhausted");
  EXPECT_EQ(backoff.exhausted(1, 1h), "gave_up");
}

// --- Health --------------------------------------------------------------------------------------

TEST(Health, IsAskedAgainAfterGrowingPausesUntilItSucceeds) {
  Health health(Backoff({.first = 5s, .most = 15min}, [] { return 0.0; }));
  SteadyTime now{1h};
  EXPECT_TRUE(health.up());
  EXPECT_TRUE(health.may_try(now));
  EXPECT_TRUE(health.failed("connect", now, false));
  EXPECT_FALSE(health.up());
  EXPECT_EQ(health.reason(), "connect");
  EXPECT_FALSE(health.may_try(now + 5s - 1ms));
  EXPECT_TRUE(health.may_try(now + 5s));
  EXPECT_FALSE(health.failed("timeout", now, false));
  EXPECT_EQ(health.next_probe(), now + 10s);
  EXPECT_TRUE(health.succeeded());
  EXPECT_FALSE(health.succeeded());
  EXPECT_TRUE(health.failed("connect", now, false));
  EXPECT_EQ(health.next_probe(), now + 5s);
}

TEST(Health, AFaultThatNeedsAPersonIsProbedSlowlyButNotBeyondTheMost) {
  const SteadyTime now{1h};
  Health patient(Backoff({.first = 1s, .most = 15min}, [] { return 0.0; }));
  patient.failed("suspended", now, true);
  EXPECT_EQ(patient.next_probe(), now + Health::kSlowProbe);
  Health hasty(Backoff({.first = 1s, .most = 2s}, [] { return 0.0; }));
  hasty.failed("suspended", now, true);
  EXPECT_EQ(hasty.next_probe(), now + 2s);
}

// --- Settings ------------------------------------------------------------------------------------

TEST(Settings, ParsesItsWords) {
  EXPECT_EQ(parse_kind("dimse"), Kind::kDimse);
  EXPECT_EQ(parse_kind("folder"), Kind::kFolder);
  EXPECT_FALSE(parse_kind("Folder"));
  EXPECT_EQ(parse_profile("dcm4chee"), Profile::kDcm4chee);
  EXPECT_FALSE(parse_profile(""));
  EXPECT_EQ(parse_verdict("hold"), Verdict::kHold);
  EXPECT_FALSE(parse_verdict("retry"));
}

TEST(Settings, ParsesAStatusOfFourHexadecimalDigits) {
  EXPECT_EQ(parse_status("A700"), 0xa700);
  EXPECT_EQ(parse_status("a700H"), 0xa700);
  EXPECT_EQ(parse_status("0000"), 0x0000);
  for (const char* wrong : {"", "A70", "A7000", "A7 0", "0xA7", "-700", "A700HH", "HA700"}) {
    EXPECT_FALSE(parse_status(wrong)) << wrong;
  }
}

// --- Statuses ------------------------------------------------------------------------------------

struct Row {
  std::uint16_t status;
  Verdict verdict;
};

TEST(StatusMap, ClassifiesByTheStandard) {
  const StatusMap map(Profile::kGeneric, {});
  constexpr auto kDone = Verdict::kDone;
  constexpr auto kTransient = Verdict::kTransient;
  constexpr auto kPermanent = Verdict::kPermanent;
  constexpr auto kHold = Verdict::kHold;
  for (const Row& row : std::initializer_list<Row>{
           {0x0000, kDone},      {0x0107, kDone},      {0x0110, kTransient},
           {0x0111, kDone},      {0x0112, kPermanent}, {0x0117, kPermanent},
           {0x0122, kPermanent}, {0x0124, kHold},      {0x0210, kPermanent},
           {0x0211, kPermanent}, {0x0212, kPermanent}, {0x0213, kTransient},
           {0x0214, kHold},      {0xa700, kTransient}, {0xa7ff, kTransient},
           {0xa900, kPermanent}, {0xa9ff, kPermanent}, {0xb000, kDone},
           {0xb006, kDone},      {0xb007, kDone},      {0xc000, kPermanent},
           {0xcfff, kPermanent}, {0x1234, kTransient}, {0xff00, kTransient}}) {
    EXPECT_EQ(map.classify(row.status), row.verdict) << std::hex << row.status;
  }
}

TEST(StatusMap, KnowsTheHabitsOfArchives) {
  const StatusMap dcm4chee(Profile::kDcm4chee, {});
  EXPECT_EQ(dcm4chee.classify(0xa770), Verdict::kPermanent);
  EXPECT_EQ(dcm4chee.classify(0xa77a), Verdict::kTransient);
  EXPECT_EQ(dcm4chee.classify(0xa77b), Verdict::kPermanent);
  EXPECT_EQ(dcm4chee.classify(0xa700), Verdict::kTransient);
  const StatusMap xnat(Profile::kXnat, {});
  EXPECT_EQ(xnat.classify(0xc000), Verdict::kTransient);
  EXPECT_EQ(xnat.classify(0xc001), Verdict::kPermanent);
}

TEST(StatusMap, TheConfigurationComesFirst) {
  const StatusMap map(Profile::kXnat, {{0xc000, Verdict::kHold}, {0x0000, Verdict::kTransient}});
  EXPECT_EQ(map.classify(0xc000), Verdict::kHold);
  EXPECT_EQ(map.classify(0x0000), Verdict::kTransient);
}

// --- What an attempt came to ---------------------------------------------------------------------

TEST(AttemptResult, OfAnAnswerFollowsTheStatus) {
  const StatusMap map(Profile::kGeneric, {});
  service::StoreOutcome outcome;
  outcome.error_comment = "full";
  outcome.octets = 7;
  for (const auto& [status, ending] :
       std::initializer_list<std::pair<std::uint16_t, Ending>>{{0x0000, Ending::kDelivered},
                                                               {0xb000, Ending::kDelivered},
                                                               {0xa700, Ending::kRetry},
                                                               {0xc000, Ending::kRefused},
                                                               {0x0124, Ending::kPostponed}}) {
    outcome.status = status;
    const AttemptResult result = answered(outcome, map);
    EXPECT_EQ(result.ending, ending) << std::hex << status;
    EXPECT_EQ(result.status, status);
    EXPECT_EQ(result.comment, "full");
    EXPECT_EQ(result.octets, 7U);
    EXPECT_EQ(result.fault.empty(), ending != Ending::kPostponed);
    EXPECT_EQ(result.slow, ending == Ending::kPostponed);
  }
}

TEST(AttemptResult, OfABrokenAssociationIsUnknownOnlyWhenAllWasSent) {
  service::StoreOutcome outcome;
  outcome.error = Error{Errc::kTimeout, ""};
  EXPECT_EQ(interrupted(outcome, true).ending, Ending::kRetry);
  EXPECT_EQ(interrupted(outcome, true).outcome, "timeout");
  EXPECT_TRUE(interrupted(outcome, true).fault.empty());
  EXPECT_EQ(interrupted(outcome, false).fault, "timeout");
  outcome.sent_all = true;
  EXPECT_EQ(interrupted(outcome, true).ending, Ending::kUnknown);
}

TEST(AttemptResult, DamageIsToldFromADiskThatFailsForNow) {
  EXPECT_EQ(unreadable({Errc::kCorrupt, ""}).ending, Ending::kDamaged);
  EXPECT_EQ(unreadable({Errc::kNotFound, ""}).reason, "missing");
  EXPECT_EQ(unreadable({Errc::kIo, ""}).ending, Ending::kRetry);
}

}  // namespace
}  // namespace dr::delivery
