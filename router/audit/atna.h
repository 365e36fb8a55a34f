#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "dimse/base/clock.h"

namespace dr::audit::atna {

/// A coded value (PS3.15 A.5.1, CodedValueType).
struct Code {
  std::string value, scheme, meaning;
};

/// EventOutcomeIndicator.
enum class Outcome { kSuccess = 0, kMinorFailure = 4, kSeriousFailure = 8, kMajorFailure = 12 };

/// Who or what took part (ActiveParticipant).
struct Participant {
  std::string user_id;
  std::string alternative_user_id{};  // empty: none
  bool is_requestor = false;
  std::optional<Code> role{};
  std::string address{};         // NetworkAccessPointID; empty: not known
  bool address_is_name = false;  // a machine's name, else an IP address
};

struct SopClass {
  std::string uid;
  std::vector<std::string> instances;  // their UIDs
};

/// What it was done to (ParticipantObjectIdentification).
struct Object {
  char type = '2';   // ParticipantObjectTypeCode: 1 person, 2 system object
  std::string role;  // ParticipantObjectTypeCodeRole
  Code id_type;
  std::string id;
  std::vector<std::pair<std::string, std::string>> details{};  // type, and value before base64
  std::vector<SopClass> sop_classes{};
};

/// One audit message (PS3.15 A.5).
struct Message {
  Code event;
  std::vector<Code> event_types{};
  char action = 'E';  // EventActionCode: C, R, U, D, E
  UtcMicros time{};
  Outcome outcome = Outcome::kSuccess;
  std::string outcome_description{};  // empty: none
  std::vector<Participant> participants;
  std::string source;  // AuditSourceID
  std::vector<Object> objects{};
};

/// The message as XML by the schema of A.5.1, in US-ASCII: any other character is a reference, so
/// that neither a byte order mark nor an encoding matters to whoever carries or reads it. What XML
/// can not say (control characters, ill-formed UTF-8) becomes U+FFFD.
std::string to_xml(const Message& message);

/// "2026-01-31T12:00:00.000000Z", as both xsd:dateTime and RFC 5424 have it.
std::string utc_text(UtcMicros time);

}  // namespace dr::audit::atna
