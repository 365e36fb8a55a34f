#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "dimse/base/ae_title.h"
#include "dimse/base/bytes.h"
#include "dimse/base/clock.h"
#include "dimse/base/result.h"
#include "dimse/base/uid.h"

namespace dr::journal {

/// The number of a record in this spool, from 1, never used twice.
enum class Sequence : std::uint64_t { kNone = 0 };
constexpr std::uint64_t value(Sequence s) { return static_cast<std::uint64_t>(s); }
constexpr Sequence next(Sequence s) { return Sequence{value(s) + 1}; }

enum class RecordType : std::uint16_t {
  kObject = 1,       // ObjectRecord + the data set
  kOutcome = 2,      // OutcomeRecord
  kDigest = 3,       // DigestRecord
  kAssociation = 4,  // AssociationRecord
  kSecurity = 5,     // SecurityRecord
  kOperator = 6,     // OperatorRecord
  kMoved = 7,        // an object (and its outcomes so far) carried forward out of an old segment
  kRefused = 8,      // ObjectRecord of an object that was refused by a rule; no data set
  kGathered = 9,     // GatheredRecord
  kExtraction = 10,  // ExtractionRecord
};

/// One rule that matched, as the audit's `decision` table keeps it.
struct DecisionRecord {
  std::string rule;
  std::string file;  // relative to the rule folder
  std::uint32_t line = 0;
  std::uint32_t ordinal = 0;  // position of the rule in the rule set, from 1
  std::vector<std::string> destinations;
  std::string transform;  // canonical text, empty for none
};

/// What a copy waits for before it may be sent: until its series or study has been quiet, or until
/// what it refers to is here.
struct WaitRecord {
  std::uint8_t until = 0;     // 0 nothing, 1 its series, 2 its study, 3 its references
  std::uint64_t quiet = 0;    // us without another object of the series or study
  std::uint64_t at_most = 0;  // us from the receipt of its first object
  std::uint8_t late = 0;      // one that comes afterwards: 0 send, 1 send all again, 2 hold
  friend bool operator==(const WaitRecord&, const WaitRecord&) = default;
};

/// "after_series", "after_study", "hold_until_references": the reason of a copy that waits; empty
/// for one that does not.
std::string_view reason(const WaitRecord& wait);

/// One copy to deliver.
struct RouteRecord {
  std::string destination;
  std::uint8_t priority = 1;  // 0 high, 1 normal, 2 low
  std::string transform;      // its canonical text; empty: the octets as received
  std::string held;           // the reason why it is held from the start; empty: it is not
  WaitRecord wait{};
};

/// An object as it was received, and what was decided about it. Everything but its octets.
struct ObjectRecord {
  UtcMicros received{};
  std::string node;
  std::uint64_t process_start = 0;  // UTC us: with `association` names the association
  std::uint64_t association = 0;
  std::string listener;
  std::string peer_address;
  AeTitle calling_ae_title;
  AeTitle called_ae_title;
  std::uint16_t message_id = 0;
  Uid sop_class_uid;
  Uid sop_instance_uid;
  Uid transfer_syntax_uid;
  Uid study_instance_uid;    // empty where the object names none that is legal
  Uid series_instance_uid;   // likewise
  std::string modality;      // escaped
  std::string patient_key;   // after [audit] patient_data: "", a keyed hash, or the Patient ID
  std::uint16_t status = 0;  // answered
  std::string rules_sha256;
  std::vector<DecisionRecord> decisions;
  std::vector<RouteRecord> routes;  // empty: unrouted (or refused)
  bool extract = false;
};

enum class DeliveryState : std::uint8_t {
  kWaiting = 0,
  kSending = 1,  // never recorded, only shown
  kUnknown = 2,  // all octets left, no answer came
  kDelivered = 3,
  kVerified = 4,
  kHeld = 5,  // needs an operator; `reason` says why
  kSkipped = 6,
  kDamaged = 7,
  kDropped = 8,
};
std::string_view name(DeliveryState state);
/// No further attempt will be made, and the destination no longer pins the object.
bool is_final(DeliveryState state);

/// What one attempt (or an operator) made of one object at one destination.
struct OutcomeRecord {
  Sequence instance{};
  std::string destination;
  DeliveryState state = DeliveryState::kWaiting;
  std::uint32_t attempt = 0;  // attempts made so far, this one included
  UtcMicros started{};
  UtcMicros finished{};
  UtcMicros next_attempt{};  // for kWaiting and kUnknown
  std::uint32_t status = 0;  // DIMSE or HTTP
  bool has_status = false;
  std::string outcome;  // "delivered", "refused", "timeout", "connect", "aborted", "rejected", …
  std::string comment;  // escaped, at most 256 octets
  std::string reason;   // of kHeld, kSkipped, kDropped
  std::uint64_t octets = 0;
  Uid transfer_syntax_uid;  // as sent
};

struct DigestRecord {
  Sequence instance{};
  std::string sha256;  // 64 hexadecimal digits, of the data set as received
};

/// One association, in or out, after its end.
struct AssociationRecord {
  std::uint64_t process_start = 0;
  std::uint64_t number = 0;
  bool incoming = true;
  std::string listener_or_destination;
  std::string peer_address;
  std::uint16_t peer_port = 0;
  AeTitle calling_ae_title;
  AeTitle called_ae_title;
  std::string tls_subject;
  std::string implementation;
  UtcMicros started{};
  UtcMicros ended{};
  std::string outcome;
  std::string reason;
  std::uint64_t objects = 0;
  std::uint64_t octets = 0;
};

struct SecurityRecord {
  UtcMicros time{};
  std::string kind;  // "association-refused", "hostile-input", …
  std::string listener;
  std::string peer_address;
  std::string calling_ae_title;  // escaped; may not be a legal one
  std::string called_ae_title;
  std::string detail;
};

struct OperatorRecord {
  UtcMicros time{};
  std::string who;
  std::string action;
  std::string target;
  std::string detail;
};

/// A series, a study or what waited for its references is complete for one destination: nothing of
/// it is sent before this is durable, and what comes behind `last` is late. Written again, as it
/// was, to stay within reach of the delivery's cursor.
struct GatheredRecord {
  std::string destination;
  WaitRecord wait;  // as it was when this was written
  Uid whole;        // series, study or SOP Instance UID, after wait.until
  UtcMicros first_received{};
  UtcMicros closed{};
  Sequence first{};         // its first object
  Sequence last{};          // its last one in this round
  std::uint32_t round = 0;  // from 1; above that the whole is sent again
  std::string reason;       // "quiet", "at_most", "references"
  friend bool operator==(const GatheredRecord&, const GatheredRecord&) = default;
};

/// One region of interest, as the audit's `rt_roi` keeps it. Lengths in mm.
struct ExtractedRoi {
  std::int32_t number = 0;
  std::string name, standard_name, interpreted_type, generation_algorithm, color;
  Uid frame_of_reference_uid;
  std::uint32_t contours = 0;
  std::uint64_t points = 0;
  std::string geometric_types;
  std::optional<double> volume_cm3, surface_cm2;
  std::vector<double> centroid;      // x, y, z; empty: none
  std::vector<double> bounding_box;  // least x, y, z, greatest x, y, z; empty: none
  std::optional<double> plane_spacing;
  std::uint32_t plane_gaps = 0;
  std::optional<double> equivalent_diameter;
};

struct ExtractedContour {
  std::int32_t roi_number = 0;
  std::uint32_t index = 0;
  std::string geometric_type;
  std::uint32_t points = 0;
  std::optional<double> plane_position, area, perimeter;
  Uid referenced_sop_instance_uid;
};

struct ExtractedFinding {
  std::uint32_t index = 0;
  bool of_roi = false;
  std::int32_t roi_number = 0;
  std::string code, severity, description;
};

struct ExtractedDvh {
  std::int32_t roi_number = 0;
  Uid dose_sop_instance_uid;
  std::string dose_units, dose_type, dose_link;
  double least = 0, mean = 0, greatest = 0, d95 = 0, d2 = 0;
  std::optional<double> v20;
  std::string curve;
};

/// What an extraction found in one structure set, or why it found nothing; long ones in several
/// parts. All of part 0 but the lists stands in each; a result counts once its last part is there.
/// Of several results of one instance the later counts.
struct ExtractionRecord {
  Sequence instance{};
  std::uint32_t part = 0;
  bool last = true;
  Uid sop_instance_uid;
  std::string label;
  Uid frame_of_reference_uid, referenced_study_instance_uid, referenced_series_instance_uid;
  std::string reference_verdict, reference_reason;
  std::uint32_t instances_referenced = 0, instances_present = 0;
  std::uint32_t roi_count = 0, contour_count = 0;
  std::uint64_t point_count = 0;
  UtcMicros started{}, finished{};
  std::uint32_t attempts = 0;
  std::string outcome;  // "done", "failed" (the object is at fault), "held" (the worker was, twice)
  std::string reason;
  std::vector<ExtractedRoi> rois;
  std::vector<ExtractedContour> contours;
  std::vector<ExtractedFinding> findings;
  std::vector<ExtractedDvh> dvhs;
};

/// The octets of a record's head in the journal's format (FORMAT.md); decode refuses what encode
/// can not have written, with kCorrupt.
Bytes encode(const ObjectRecord& record);
Bytes encode(const OutcomeRecord& record);
Bytes encode(const DigestRecord& record);
Bytes encode(const AssociationRecord& record);
Bytes encode(const SecurityRecord& record);
Bytes encode(const OperatorRecord& record);
Bytes encode(const GatheredRecord& record);
Bytes encode(const ExtractionRecord& record);
Result<ObjectRecord> decode_object(ByteSpan head);
Result<OutcomeRecord> decode_outcome(ByteSpan head);
Result<DigestRecord> decode_digest(ByteSpan head);
Result<AssociationRecord> decode_association(ByteSpan head);
Result<SecurityRecord> decode_security(ByteSpan head);
Result<OperatorRecord> decode_operator(ByteSpan head);
Result<GatheredRecord> decode_gathered(ByteSpan head);
Result<ExtractionRecord> decode_extraction(ByteSpan head);

}  // namespace dr::journal
