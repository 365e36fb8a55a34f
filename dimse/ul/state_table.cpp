#include "dimse/ul/state_table.h"

#include <array>
#include <initializer_list>

namespace dr::ul {
namespace {

using enum State;
using enum Event;
using enum Action;

constexpr std::size_t kStates = 13;
constexpr std::size_t kEvents = 19;

/// A set of states: single ones, and runs written `to(Sta6, Sta12)`.
struct States {
  std::uint16_t bits = 0;

  constexpr States(State state)  // NOLINT(google-explicit-constructor): reads as a set of one
      : bits(static_cast<std::uint16_t>(1U << static_cast<unsigned>(state))) {}
  constexpr States(std::initializer_list<States> parts) {
    for (const States part : parts) bits |= part.bits;
  }
  constexpr bool has(std::size_t state) const { return ((bits >> state) & 1U) != 0; }
};

constexpr States to(State first, State last) {
  States all(first);
  for (auto s = static_cast<unsigned>(first); s <= static_cast<unsigned>(last); ++s) {
    all.bits = static_cast<std::uint16_t>(all.bits | (1U << s));
  }
  return all;
}

struct Row {
  Event event;
  Action action;
  States states;
};

// PS3.8 table 9-10, row by row.
constexpr Row kRows[] = {
    {Evt1, AE_1, Sta1},
    {Evt2, AE_2, Sta4},
    {Evt3, AA_1, Sta2},
    {Evt3, AE_3, Sta5},
    {Evt3, AA_8, {Sta3, to(Sta6, Sta12)}},
    {Evt3, AA_6, Sta13},
    {Evt4, AA_1, Sta2},
    {Evt4, AE_4, Sta5},
    {Evt4, AA_8, {Sta3, to(Sta6, Sta12)}},
    {Evt4, AA_6, Sta13},
    {Evt5, AE_5, Sta1},
    {Evt6, AE_6, Sta2},
    {Evt6, AA_8, {Sta3, to(Sta5, Sta12)}},
    {Evt6, AA_7, Sta13},
    {Evt7, AE_7, Sta3},
    {Evt8, AE_8, Sta3},
    {Evt9, DT_1, Sta6},
    {Evt9, AR_7, Sta8},  // the peer wants to release; answers that are due may still go out
    {Evt10, AA_1, Sta2},
    {Evt10, DT_2, Sta6},
    {Evt10, AR_6, Sta7},  // we want to release; the peer's answers may still come in
    {Evt10, AA_8, {Sta3, Sta5, to(Sta8, Sta12)}},
    {Evt10, AA_6, Sta13},
    {Evt11, AR_1, Sta6},
    {Evt12, AA_1, Sta2},
    {Evt12, AR_2, Sta6},
    {Evt12, AR_8, Sta7},
    {Evt12, AA_8, {Sta3, Sta5, to(Sta8, Sta12)}},
    {Evt12, AA_6, Sta13},
    {Evt13, AA_1, Sta2},
    {Evt13, AR_3, {Sta7, Sta11}},
    {Evt13, AR_10, Sta10},
    {Evt13, AA_8, {Sta3, Sta5, Sta6, Sta8, Sta9, Sta12}},
    {Evt13, AA_6, Sta13},
    {Evt14, AR_4, {Sta8, Sta12}},
    {Evt14, AR_9, Sta9},
    {Evt15, AA_2, Sta4},
    {Evt15, AA_1, {Sta3, to(Sta5, Sta12)}},
    {Evt16, AA_2, {Sta2, Sta13}},
    {Evt16, AA_3, {Sta3, to(Sta5, Sta12)}},
    {Evt17, AA_5, Sta2},
    {Evt17, AA_4, to(Sta3, Sta12)},
    {Evt17, AR_5, Sta13},
    {Evt18, AA_2, {Sta2, Sta13}},
    {Evt19, AA_1, Sta2},
    {Evt19, AA_8, {Sta3, to(Sta5, Sta12)}},
    {Evt19, AA_7, Sta13},
};

/// The rows spread out for lookup.
struct Grid {
  std::array<std::array<std::optional<Action>, kEvents + 1>, kStates + 1> action{};
  std::size_t cells = 0;
  bool overlap = false;
};

constexpr Grid spread() {
  Grid grid;
  for (const Row& row : kRows) {
    for (std::size_t state = 1; state <= kStates; ++state) {
      if (!row.states.has(state)) continue;
      auto& cell = grid.action[state][static_cast<std::size_t>(row.event)];
      grid.overlap = grid.overlap || cell.has_value();
      cell = row.action;
      ++grid.cells;
    }
  }
  return grid;
}

constexpr Grid kGrid = spread();
static_assert(kGrid.cells == 123 && !kGrid.overlap);

constexpr State next_state(Action action, Role role) {
  switch (action) {
    case AE_4:
    case AR_3:
    case AR_5:
    case AA_2:
    case AA_3:
    case AA_4:
    case AA_5:
      return Sta1;
    case AE_5:
      return Sta2;
    case AE_6:
      return role.acceptable ? Sta3 : Sta13;
    case AE_1:
      return Sta4;
    case AE_2:
      return Sta5;
    case AE_3:
    case AE_7:
    case DT_1:
    case DT_2:
      return Sta6;
    case AR_1:
    case AR_6:
      return Sta7;
    case AR_2:
    case AR_7:
      return Sta8;
    case AR_8:
      return role.requestor ? Sta9 : Sta10;
    case AR_9:
      return Sta11;
    case AR_10:
      return Sta12;
    case AE_8:
    case AR_4:
    case AA_1:
    case AA_6:
    case AA_7:
    case AA_8:
      break;
  }
  return Sta13;
}

constexpr std::array<std::string_view, 28> kActionNames{
    "AE-1", "AE-2", "AE-3", "AE-4", "AE-5", "AE-6", "AE-7", "AE-8", "DT-1", "DT-2",
    "AR-1", "AR-2", "AR-3", "AR-4", "AR-5", "AR-6", "AR-7", "AR-8", "AR-9", "AR-10",
    "AA-1", "AA-2", "AA-3", "AA-4", "AA-5", "AA-6", "AA-7", "AA-8",
};
static_assert(static_cast<std::size_t>(AA_8) + 1 == kActionNames.size());

}  // namespace

std::optional<Transition> lookup(State state, Event event, Role role) noexcept {
  const auto& action =
      kGrid.action[static_cast<std::size_t>(state)][static_cast<std::size_t>(event)];
  if (!action) return std::nullopt;
  return Transition{*action, next_state(*action, role)};
}

std::string to_string(State state) { return "Sta" + std::to_string(static_cast<int>(state)); }

std::string to_string(Event event) { return "Evt" + std::to_string(static_cast<int>(event)); }

std::string_view to_string(Action action) noexcept {
  return kActionNames[static_cast<std::size_t>(action)];
}

}  // namespace dr::ul
