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
  States states;
  Action action;
};

// PS3.8 table 9-10, row by row.
constexpr Row kRows[] = {
    {Evt1, Sta1, AE_1},
    {Evt2, Sta4, AE_2},
    {Evt3, Sta2, AA_1},
    {Evt3, Sta5, AE_3},
    {Evt3, {Sta3, to(Sta6, Sta12)}, AA_8},
    {Evt3, Sta13, AA_6},
    {Evt4, Sta2, AA_1},
    {Evt4, Sta5, AE_4},
    {Evt4, {Sta3, to(Sta6, Sta12)}, AA_8},
    {Evt4, Sta13, AA_6},
    {Evt5, Sta1, AE_5},
    {Evt6, Sta2, AE_6},
    {Evt6, {Sta3, to(Sta5, Sta12)}, AA_8},
    {Evt6, Sta13, AA_7},
    {Evt7, Sta3, AE_7},
    {Evt8, Sta3, AE_8},
    {Evt9, Sta6, DT_1},
    {Evt9, Sta8, AR_7},  // the peer wants to release; answers that are due may still go out
    {Evt10, Sta2, AA_1},
    {Evt10, Sta6, DT_2},
    {Evt10, Sta7, AR_6},  // we want to release; the peer's answers may still come in
    {Evt10, {Sta3, Sta5, to(Sta8, Sta12)}, AA_8},
    {Evt10, Sta13, AA_6},
    {Evt11, Sta6, AR_1},
    {Evt12, Sta2, AA_1},
    {Evt12, Sta6, AR_2},
    {Evt12, Sta7, AR_8},
    {Evt12, {Sta3, Sta5, to(Sta8, Sta12)}, AA_8},
    {Evt12, Sta13, AA_6},
    {Evt13, Sta2, AA_1},
    {Evt13, {Sta7, Sta11}, AR_3},
    {Evt13, Sta10, AR_10},
    {Evt13, {Sta3, Sta5, Sta6, Sta8, Sta9, Sta12}, AA_8},
    {Evt13, Sta13, AA_6},
    {Evt14, {Sta8, Sta12}, AR_4},
    {Evt14, Sta9, AR_9},
    {Evt15, Sta4, AA_2},
    {Evt15, {Sta3, to(Sta5, Sta12)}, AA_1},
    {Evt16, {Sta2, Sta13}, AA_2},
    {Evt16, {Sta3, to(Sta5, Sta12)}, AA_3},
    {Evt17, Sta2, AA_5},
    {Evt17, to(Sta3, Sta12), AA_4},
    {Evt17, Sta13, AR_5},
    {Evt18, {Sta2, Sta13}, AA_2},
    {Evt19, Sta2, AA_1},
    {Evt19, {Sta3, to(Sta5, Sta12)}, AA_8},
    {Evt19, Sta13, AA_7},
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
