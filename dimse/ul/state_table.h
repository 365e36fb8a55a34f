#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace dr::ul {

// The upper layer protocol machine (PS3.8 9.2) as a pure function, in the standard's own names:
// which action an event asks for in a state, and the state after it. What an action does to socket,
// timer and user is the association's matter.

/// PS3.8 9.2.1.
enum class State : std::uint8_t {
  Sta1 = 1,  // idle
  Sta2,      // transport connection open, awaiting A-ASSOCIATE-RQ; ARTIM runs
  Sta3,      // awaiting local A-ASSOCIATE response
  Sta4,      // awaiting transport connection opening to complete
  Sta5,      // awaiting A-ASSOCIATE-AC or -RJ
  Sta6,      // association established, ready for data
  Sta7,      // awaiting A-RELEASE-RP
  Sta8,      // awaiting local A-RELEASE response
  Sta9,      // release collision, requestor: awaiting local A-RELEASE response
  Sta10,     // release collision, acceptor: awaiting A-RELEASE-RP
  Sta11,     // release collision, requestor: awaiting A-RELEASE-RP
  Sta12,     // release collision, acceptor: awaiting local A-RELEASE response
  Sta13,     // awaiting transport connection close; ARTIM runs
};

/// The rows of PS3.8 table 9-10.
enum class Event : std::uint8_t {
  Evt1 = 1,  // A-ASSOCIATE request (local user)
  Evt2,      // transport connect confirmation
  Evt3,      // A-ASSOCIATE-AC received
  Evt4,      // A-ASSOCIATE-RJ received
  Evt5,      // transport connect indication
  Evt6,      // A-ASSOCIATE-RQ received
  Evt7,      // A-ASSOCIATE response: accept (local user)
  Evt8,      // A-ASSOCIATE response: reject (local user)
  Evt9,      // P-DATA request (local user)
  Evt10,     // P-DATA-TF received
  Evt11,     // A-RELEASE request (local user)
  Evt12,     // A-RELEASE-RQ received
  Evt13,     // A-RELEASE-RP received
  Evt14,     // A-RELEASE response (local user)
  Evt15,     // A-ABORT request (local user)
  Evt16,     // A-ABORT received
  Evt17,     // transport connection closed
  Evt18,     // ARTIM expired
  Evt19,     // unrecognised or invalid PDU received
};

/// PS3.8 9.2.2, tables 9-6 to 9-9.
enum class Action : std::uint8_t {
  AE_1,   // open the transport connection
  AE_2,   // send A-ASSOCIATE-RQ
  AE_3,   // confirm A-ASSOCIATE: accepted
  AE_4,   // confirm A-ASSOCIATE: rejected; close the connection
  AE_5,   // accept the connection; start ARTIM
  AE_6,   // stop ARTIM; acceptable: indicate A-ASSOCIATE, else send A-ASSOCIATE-RJ, start ARTIM
  AE_7,   // send A-ASSOCIATE-AC
  AE_8,   // send A-ASSOCIATE-RJ; start ARTIM
  DT_1,   // send P-DATA-TF
  DT_2,   // indicate P-DATA
  AR_1,   // send A-RELEASE-RQ
  AR_2,   // indicate A-RELEASE
  AR_3,   // confirm A-RELEASE; close the connection
  AR_4,   // send A-RELEASE-RP; start ARTIM
  AR_5,   // stop ARTIM
  AR_6,   // indicate P-DATA
  AR_7,   // send P-DATA-TF
  AR_8,   // indicate A-RELEASE: release collision
  AR_9,   // send A-RELEASE-RP
  AR_10,  // confirm A-RELEASE
  AA_1,   // send A-ABORT (source: service user); start or restart ARTIM
  AA_2,   // stop ARTIM if it runs; close the connection
  AA_3,   // indicate A-ABORT, or A-P-ABORT when the provider sent it; close the connection
  AA_4,   // indicate A-P-ABORT
  AA_5,   // stop ARTIM
  AA_6,   // ignore the PDU
  AA_7,   // send A-ABORT
  AA_8,   // send A-ABORT (source: service provider); indicate A-P-ABORT; start ARTIM
};

/// What two of the actions need to know beyond state and event.
struct Role {
  bool requestor = false;  // this side asked for the association: decides AR-8
  bool acceptable = true;  // the A-ASSOCIATE-RQ just received can be indicated: decides AE-6
};

struct Transition {
  Action action;
  State next;
};

/// The cell of PS3.8 table 9-10, or none where the standard has none: 123 are defined, and an event
/// in any other cell is a defect of this program. Next of AE-6 is Sta3 for an acceptable request,
/// otherwise Sta13; next of AR-8 is Sta9 for the requestor of the association, Sta10 for the
/// acceptor. Every other action has one next state.
std::optional<Transition> lookup(State state, Event event, Role role = {}) noexcept;

/// "Sta2", "Evt3", "AA-1": as the standard writes them, for logs and tests.
std::string to_string(State state);
std::string to_string(Event event);
std::string_view to_string(Action action) noexcept;

}  // namespace dr::ul
