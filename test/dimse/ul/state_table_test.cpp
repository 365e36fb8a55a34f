#include "dimse/ul/state_table.h"

#include <map>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace dr::ul {
namespace {

using enum State;
using enum Event;
using enum Action;

struct Cell {
  State state;
  Event event;
  Action action;
  State next;
};

// PS3.8 table 9-10 by columns: one group a state, one line an event, for the acceptor of the
// association and an acceptable request.
// clang-format off
const std::vector<Cell> kSta1 = {
    {Sta1, Evt1, AE_1, Sta4},
    {Sta1, Evt5, AE_5, Sta2},
};
const std::vector<Cell> kSta2 = {
    {Sta2, Evt3, AA_1, Sta13},
    {Sta2, Evt4, AA_1, Sta13},
    {Sta2, Evt6, AE_6, Sta3},
    {Sta2, Evt10, AA_1, Sta13},
    {Sta2, Evt12, AA_1, Sta13},
    {Sta2, Evt13, AA_1, Sta13},
    {Sta2, Evt16, AA_2, Sta1},
    {Sta2, Evt17, AA_5, Sta1},
    {Sta2, Evt18, AA_2, Sta1},
    {Sta2, Evt19, AA_1, Sta13},
};
const std::vector<Cell> kSta3 = {
    {Sta3, Evt3, AA_8, Sta13},
    {Sta3, Evt4, AA_8, Sta13},
    {Sta3, Evt6, AA_8, Sta13},
    {Sta3, Evt7, AE_7, Sta6},
    {Sta3, Evt8, AE_8, Sta13},
    {Sta3, Evt10, AA_8, Sta13},
    {Sta3, Evt12, AA_8, Sta13},
    {Sta3, Evt13, AA_8, Sta13},
    {Sta3, Evt15, AA_1, Sta13},
    {Sta3, Evt16, AA_3, Sta1},
    {Sta3, Evt17, AA_4, Sta1},
    {Sta3, Evt19, AA_8, Sta13},
};
const std::vector<Cell> kSta4 = {
    {Sta4, Evt2, AE_2, Sta5},
    {Sta4, Evt15, AA_2, Sta1},
    {Sta4, Evt17, AA_4, Sta1},
};
const std::vector<Cell> kSta5 = {
    {Sta5, Evt3, AE_3, Sta6},
    {Sta5, Evt4, AE_4, Sta1},
    {Sta5, Evt6, AA_8, Sta13},
    {Sta5, Evt10, AA_8, Sta13},
    {Sta5, Evt12, AA_8, Sta13},
    {Sta5, Evt13, AA_8, Sta13},
    {Sta5, Evt15, AA_1, Sta13},
    {Sta5, Evt16, AA_3, Sta1},
    {Sta5, Evt17, AA_4, Sta1},
    {Sta5, Evt19, AA_8, Sta13},
};
const std::vector<Cell> kSta6 = {
    {Sta6, Evt3, AA_8, Sta13},
    {Sta6, Evt4, AA_8, Sta13},
    {Sta6, Evt6, AA_8, Sta13},
    {Sta6, Evt9, DT_1, Sta6},
    {Sta6, Evt10, DT_2, Sta6},
    {Sta6, Evt11, AR_1, Sta7},
    {Sta6, Evt12, AR_2, Sta8},
    {Sta6, Evt13, AA_8, Sta13},
    {Sta6, Evt15, AA_1, Sta13},
    {Sta6, Evt16, AA_3, Sta1},
    {Sta6, Evt17, AA_4, Sta1},
    {Sta6, Evt19, AA_8, Sta13},
};
const std::vector<Cell> kSta7 = {
    {Sta7, Evt3, AA_8, Sta13},
    {Sta7, Evt4, AA_8, Sta13},
    {Sta7, Evt6, AA_8, Sta13},
    {Sta7, Evt10, AR_6, Sta7},
    {Sta7, Evt12, AR_8, Sta10},
    {Sta7, Evt13, AR_3, Sta1},
    {Sta7, Evt15, AA_1, Sta13},
    {Sta7, Evt16, AA_3, Sta1},
    {Sta7, Evt17, AA_4, Sta1},
    {Sta7, Evt19, AA_8, Sta13},
};
const std::vector<Cell> kSta8 = {
    {Sta8, Evt3, AA_8, Sta13},
    {Sta8, Evt4, AA_8, Sta13},
    {Sta8, Evt6, AA_8, Sta13},
    {Sta8, Evt9, AR_7, Sta8},
    {Sta8, Evt10, AA_8, Sta13},
    {Sta8, Evt12, AA_8, Sta13},
    {Sta8, Evt13, AA_8, Sta13},
    {Sta8, Evt14, AR_4, Sta13},
    {Sta8, Evt15, AA_1, Sta13},
    {Sta8, Evt16, AA_3, Sta1},
    {Sta8, Evt17, AA_4, Sta1},
    {Sta8, Evt19, AA_8, Sta13},
};
const std::vector<Cell> kSta9 = {
    {Sta9, Evt3, AA_8, Sta13},
    {Sta9, Evt4, AA_8, Sta13},
    {Sta9, Evt6, AA_8, Sta13},
    {Sta9, Evt10, AA_8, Sta13},
    {Sta9, Evt12, AA_8, Sta13},
    {Sta9, Evt13, AA_8, Sta13},
    {Sta9, Evt14, AR_9, Sta11},
    {Sta9, Evt15, AA_1, Sta13},
    {Sta9, Evt16, AA_3, Sta1},
    {Sta9, Evt17, AA_4, Sta1},
    {Sta9, Evt19, AA_8, Sta13},
};
const std::vector<Cell> kSta10 = {
    {Sta10, Evt3, AA_8, Sta13},
    {Sta10, Evt4, AA_8, Sta13},
    {Sta10, Evt6, AA_8, Sta13},
    {Sta10, Evt10, AA_8, Sta13},
    {Sta10, Evt12, AA_8, Sta13},
    {Sta10, Evt13, AR_10, Sta12},
    {Sta10, Evt15, AA_1, Sta13},
    {Sta10, Evt16, AA_3, Sta1},
    {Sta10, Evt17, AA_4, Sta1},
    {Sta10, Evt19, AA_8, Sta13},
};
const std::vector<Cell> kSta11 = {
    {Sta11, Evt3, AA_8, Sta13},
    {Sta11, Evt4, AA_8, Sta13},
    {Sta11, Evt6, AA_8, Sta13},
    {Sta11, Evt10, AA_8, Sta13},
    {Sta11, Evt12, AA_8, Sta13},
    {Sta11, Evt13, AR_3, Sta1},
    {Sta11, Evt15, AA_1, Sta13},
    {Sta11, Evt16, AA_3, Sta1},
    {Sta11, Evt17, AA_4, Sta1},
    {Sta11, Evt19, AA_8, Sta13},
};
const std::vector<Cell> kSta12 = {
    {Sta12, Evt3, AA_8, Sta13},
    {Sta12, Evt4, AA_8, Sta13},
    {Sta12, Evt6, AA_8, Sta13},
    {Sta12, Evt10, AA_8, Sta13},
    {Sta12, Evt12, AA_8, Sta13},
    {Sta12, Evt13, AA_8, Sta13},
    {Sta12, Evt14, AR_4, Sta13},
    {Sta12, Evt15, AA_1, Sta13},
    {Sta12, Evt16, AA_3, Sta1},
    {Sta12, Evt17, AA_4, Sta1},
    {Sta12, Evt19, AA_8, Sta13},
};
const std::vector<Cell> kSta13 = {
    {Sta13, Evt3, AA_6, Sta13},
    {Sta13, Evt4, AA_6, Sta13},
    {Sta13, Evt6, AA_7, Sta13},
    {Sta13, Evt10, AA_6, Sta13},
    {Sta13, Evt12, AA_6, Sta13},
    {Sta13, Evt13, AA_6, Sta13},
    {Sta13, Evt16, AA_2, Sta1},
    {Sta13, Evt17, AR_5, Sta1},
    {Sta13, Evt18, AA_2, Sta1},
    {Sta13, Evt19, AA_7, Sta13},
};
// clang-format on

const std::vector<const std::vector<Cell>*> kAll = {&kSta1,  &kSta2,  &kSta3, &kSta4, &kSta5,
                                                    &kSta6,  &kSta7,  &kSta8, &kSta9, &kSta10,
                                                    &kSta11, &kSta12, &kSta13};

std::string written(const Cell& cell) {
  return to_string(cell.state) + " + " + to_string(cell.event) + " -> " +
         std::string(to_string(cell.action)) + " -> " + to_string(cell.next);
}

void PrintTo(const Cell& cell, std::ostream* out) { *out << written(cell); }

// "Evt3_AA1_Sta13": a test's name holds no '-'.
std::string case_name(const testing::TestParamInfo<Cell>& info) {
  std::string action(to_string(info.param.action));
  std::erase(action, '-');
  return to_string(info.param.event) + "_" + action + "_" + to_string(info.param.next);
}

class StateTable : public testing::TestWithParam<Cell> {};

TEST_P(StateTable, AnswersAsTheStandard) {
  const Cell& cell = GetParam();
  const auto found = lookup(cell.state, cell.event);
  ASSERT_TRUE(found) << written(cell);
  EXPECT_EQ(written({cell.state, cell.event, found->action, found->next}), written(cell));
}

INSTANTIATE_TEST_SUITE_P(Sta1, StateTable, testing::ValuesIn(kSta1), case_name);
INSTANTIATE_TEST_SUITE_P(Sta2, StateTable, testing::ValuesIn(kSta2), case_name);
INSTANTIATE_TEST_SUITE_P(Sta3, StateTable, testing::ValuesIn(kSta3), case_name);
INSTANTIATE_TEST_SUITE_P(Sta4, StateTable, testing::ValuesIn(kSta4), case_name);
INSTANTIATE_TEST_SUITE_P(Sta5, StateTable, testing::ValuesIn(kSta5), case_name);
INSTANTIATE_TEST_SUITE_P(Sta6, StateTable, testing::ValuesIn(kSta6), case_name);
INSTANTIATE_TEST_SUITE_P(Sta7, StateTable, testing::ValuesIn(kSta7), case_name);
INSTANTIATE_TEST_SUITE_P(Sta8, StateTable, testing::ValuesIn(kSta8), case_name);
INSTANTIATE_TEST_SUITE_P(Sta9, StateTable, testing::ValuesIn(kSta9), case_name);
INSTANTIATE_TEST_SUITE_P(Sta10, StateTable, testing::ValuesIn(kSta10), case_name);
INSTANTIATE_TEST_SUITE_P(Sta11, StateTable, testing::ValuesIn(kSta11), case_name);
INSTANTIATE_TEST_SUITE_P(Sta12, StateTable, testing::ValuesIn(kSta12), case_name);
INSTANTIATE_TEST_SUITE_P(Sta13, StateTable, testing::ValuesIn(kSta13), case_name);

TEST(StateTableShape, Has123CellsAndNoOther) {
  std::map<std::pair<State, Event>, int> expected;
  for (const auto* group : kAll) {
    for (const Cell& cell : *group) ++expected[{cell.state, cell.event}];
  }
  EXPECT_EQ(expected.size(), 123U);
  std::size_t defined = 0;
  for (int s = 1; s <= 13; ++s) {
    for (int e = 1; e <= 19; ++e) {
      const State state{static_cast<std::uint8_t>(s)};
      const Event event{static_cast<std::uint8_t>(e)};
      const bool found = lookup(state, event).has_value();
      EXPECT_EQ(found, expected.contains({state, event})) << to_string(state) << to_string(event);
      defined += found ? 1 : 0;
    }
  }
  EXPECT_EQ(defined, 123U);
}

TEST(StateTableRole, OnlyAnUnacceptableRequestEndsInSta13) {
  EXPECT_EQ(lookup(Sta2, Evt6, {.acceptable = true})->next, Sta3);
  EXPECT_EQ(lookup(Sta2, Evt6, {.acceptable = false})->next, Sta13);
}

TEST(StateTableRole, ReleaseCollisionPartsRequestorFromAcceptor) {
  EXPECT_EQ(lookup(Sta7, Evt12, {.requestor = true})->next, Sta9);
  EXPECT_EQ(lookup(Sta7, Evt12, {.requestor = false})->next, Sta10);
}

TEST(StateTableRole, ChangesNoOtherCell) {
  for (const auto* group : kAll) {
    for (const Cell& cell : *group) {
      if (cell.action == AE_6 || cell.action == AR_8) continue;
      const auto found = lookup(cell.state, cell.event, {.requestor = true, .acceptable = false});
      EXPECT_EQ(found->next, cell.next) << written(cell);
    }
  }
}

// A whole life, walked by the table alone: the collision of PS3.8 9.2 for both sides.
TEST(StateTableWalk, ReleaseCollisionEndsIdleOnBothSides) {
  const auto walk = [](std::vector<Event> events, Role role) {
    State state = Sta6;
    for (const Event event : events) state = lookup(state, event, role)->next;
    return state;
  };
  EXPECT_EQ(walk({Evt11, Evt12, Evt14, Evt13}, {.requestor = true}), Sta1);
  EXPECT_EQ(walk({Evt11, Evt12, Evt13, Evt14, Evt17}, {.requestor = false}), Sta1);
}

// Whatever happens in Sta13, the connection's end or ARTIM's leads back to idle.
TEST(StateTableWalk, EveryStateButIdleReachesIdleByAClose) {
  for (int s = 2; s <= 13; ++s) {
    const auto closed = lookup(State{static_cast<std::uint8_t>(s)}, Evt17);
    ASSERT_TRUE(closed) << s;
    EXPECT_EQ(closed->next, Sta1) << s;
  }
}

}  // namespace
}  // namespace dr::ul
