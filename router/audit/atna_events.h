#pragma once

#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "db/rows.h"
#include "router/audit/atna.h"
#include "router/journal/records.h"

namespace dr::audit::atna {

/// Where a destination is, for the participants of what was sent there.
struct Peer {
  std::string ae_title, host;
};

/// What messages say beside the rows.
struct Site {
  std::string node;
  std::string host;      // this machine's name
  std::string ae_title;  // the node's
  /// Patients are named by a keyed hash, else by their Patient ID ([audit] patient_data).
  bool hashed_patients = true;
  std::map<std::string, Peer> destinations{};
  /// The object of a journal record; nullopt where the journal no longer has it.
  std::function<std::optional<journal::ObjectRecord>(std::uint64_t sequence)> object_of{};
};

/// Actions by which a node tells that it has started and that it stops.
inline constexpr const char* kStart = "start";
inline constexpr const char* kStop = "stop";

/// Most instances that one message names: so it stays below the 32,768 octets that every repository
/// takes (IHE ITI-20), whatever its texts are.
inline constexpr std::size_t kInstances = 200;

/// The audit messages of rows in the journal's order (PS3.15 A.5.3):
///
/// | row | message |
/// |---|---|
/// | instance | DICOM Instances Transferred: one for all of one association, study and status |
/// | delivery | Begin Transferring DICOM Instances and DICOM Instances Transferred: one each for
/// all
///   of one destination, study and outcome |
/// | security_event | Security Alert; of a failed login User Authentication |
/// | operator_action | Application Activity (start, stop), Patient Record (forget), else Security
///   Alert |
///
/// Other rows are details of these. What stands alone always gives the same message; what is told
/// together depends on what comes together, and so carries the numbers of its journal records.
std::vector<Message> messages_of(std::span<const db::Row> rows, const Site& site);

}  // namespace dr::audit::atna
