#include "router/audit/atna_events.h"

#include <algorithm>
#include <cstdio>

#include "db/text.h"
#include "router/audit/forget.h"

namespace dr::audit::atna {
namespace {

constexpr std::size_t kMostText = 1'000;  // characters of what people or peers wrote

Code dcm(const char* value, const char* meaning) { return {value, "DCM", meaning}; }
Code own(const std::string& value) { return {value, "99DICOMROUTER", value}; }

// PS3.16, CID 400, 401, 402 and 403.
const Code kApplicationActivity = dcm("110100", "Application Activity");
const Code kBegin = dcm("110102", "Begin Transferring DICOM Instances");
const Code kTransferred = dcm("110104", "DICOM Instances Transferred");
const Code kPatientRecord = dcm("110110", "Patient Record");
const Code kSecurityAlert = dcm("110113", "Security Alert");
const Code kUserAuthentication = dcm("110114", "User Authentication");
const Code kApplicationStart = dcm("110120", "Application Start");
const Code kApplicationStop = dcm("110121", "Application Stop");
const Code kLogin = dcm("110122", "Login");
const Code kNodeAuthentication = dcm("110126", "Node Authentication");
const Code kSoftwareConfiguration = dcm("110131", "Software Configuration");
const Code kRestrictedFunction = dcm("110132", "Use of Restricted Function");
const Code kApplication = dcm("110150", "Application");
const Code kLauncher = dcm("110151", "Application Launcher");
const Code kDestination = dcm("110152", "Destination Role ID");
const Code kSource = dcm("110153", "Source Role ID");
const Code kStudyInstanceUid = dcm("110180", "Study Instance UID");
const Code kNodeId = dcm("110182", "Node ID");

std::string ae_titles(const std::string& title) {
  return title.empty() ? std::string() : "AETITLES=" + title;
}

std::string shortened(const std::string& text) { return db::clean_text(text, kMostText); }

/// "status A700H"
std::string status_text(std::uint32_t status) {
  char text[24];
  std::snprintf(text, sizeof text, "status %04XH", status);
  return text;
}

/// A message about transferred instances, as long as more of the same come.
struct Transfer {
  Message transferred;
  std::optional<UtcMicros> begun;  // then a message tells of that as well
  std::string study, patient;
  std::map<std::string, std::vector<std::string>> instances;  // by SOP class
  std::size_t count = 0;
  std::string spool_id;
  std::uint64_t first = 0, last = 0;  // journal records
};

class Teller {
 public:
  explicit Teller(const Site& site) : site_(site) {}

  void operator()(const db::InstanceRow& row) {
    const bool refused = row.state == "rejected";
    Transfer& transfer = transfer_of({"in", std::to_string(row.process_start),
                                      std::to_string(row.association), row.study_instance_uid,
                                      row.patient_key, std::to_string(row.status), row.state});
    if (transfer.count == 0) {
      transfer.study = row.study_instance_uid;
      transfer.patient = row.patient_key;
      Message& message = transfer.transferred;
      message.action = 'C';
      if (refused) {
        message.outcome = Outcome::kMinorFailure;
        message.outcome_description = "refused by a rule, " + status_text(row.status);
      }
      message.participants = {{.user_id = row.calling_ae_title,
                               .alternative_user_id = ae_titles(row.calling_ae_title),
                               .is_requestor = true,
                               .role = kSource,
                               .address = row.peer_address},
                              this_node(kDestination, false, row.called_ae_title)};
    }
    add(transfer, row.key, row.sop_class_uid, row.sop_instance_uid);
    transfer.transferred.time = row.received;
  }

  void operator()(const db::DeliveryRow& row) {
    const auto object = site_.object_of ? site_.object_of(row.instance_sequence) : std::nullopt;
    const std::string study = object ? object->study_instance_uid.str() : "";
    const std::string patient = object ? object->patient_key : "";
    const std::string status = row.status ? ", " + status_text(*row.status) : "";
    Transfer& transfer = transfer_of({"out", row.destination, study, patient, row.outcome, status});
    if (transfer.count == 0) {
      transfer.study = study;
      transfer.patient = patient;
      transfer.begun = row.started;
      Message& message = transfer.transferred;
      message.action = 'C';
      if (row.outcome != "delivered") {
        message.outcome = Outcome::kMinorFailure;
        message.outcome_description = shortened(row.outcome) + status;
      }
      const auto peer = site_.destinations.find(row.destination);
      const bool known = peer != site_.destinations.end();
      message.participants = {this_node(kSource, true, site_.ae_title),
                              {.user_id = row.destination,
                               .alternative_user_id = known ? ae_titles(peer->second.ae_title) : "",
                               .role = kDestination,
                               .address = known ? peer->second.host : "",
                               .address_is_name = known && !is_address(peer->second.host)}};
    }
    transfer.begun = std::min(*transfer.begun, row.started);
    transfer.transferred.time = std::max(transfer.transferred.time, row.finished);
    add(transfer, row.key, object ? object->sop_class_uid.str() : "",
        object ? object->sop_instance_uid.str() : "");
  }

  void operator()(const db::SecurityEventRow& row) {
    Message& message = alone(row.time);
    message.outcome = Outcome::kMinorFailure;
    message.outcome_description = shortened(row.kind);
    Participant peer{.user_id = row.calling_ae_title.empty() ? "unknown" : row.calling_ae_title,
                     .alternative_user_id = ae_titles(row.calling_ae_title),
                     .is_requestor = true,
                     .address = row.peer_address};
    message.participants = {this_node({}, false, row.called_ae_title)};
    if (row.kind == "journal-damaged") {
      message.outcome = Outcome::kSeriousFailure;
      message.participants.front().is_requestor = true;  // it found it itself
    } else {
      message.participants.push_back(std::move(peer));
    }
    if (row.kind == "admin-login-failed") {
      message.event = kUserAuthentication;
      message.event_types = {kLogin};
      return;
    }
    message.event = kSecurityAlert;
    message.event_types = {row.kind == "association-refused" ? kNodeAuthentication
                           : row.kind == "hostile-input"     ? kRestrictedFunction
                                                             : own(row.kind)};
    message.objects = {alert(row.key, row.kind, row.detail)};
  }

  void operator()(const db::OperatorActionRow& row) {
    Message& message = alone(row.time);
    Participant who{.user_id = row.who, .is_requestor = true};
    if (row.action == kStart || row.action == kStop) {
      message.event = kApplicationActivity;
      message.event_types = {row.action == kStart ? kApplicationStart : kApplicationStop};
      who.role = kLauncher;
      message.participants = {this_node(kApplication, false, site_.ae_title), std::move(who)};
      return;
    }
    message.participants = {this_node({}, false, site_.ae_title), std::move(who)};
    message.outcome_description = shortened(row.action);
    if (row.action == kForget) {
      message.event = kPatientRecord;
      message.action = 'D';
      message.objects = {
          {.type = '1',
           .role = "1",
           .id_type = own("forgotten patient"),
           .id = row.target,
           .details = {records(row.key.spool_id, row.key.sequence, row.key.sequence)}}};
      return;
    }
    message.event = kSecurityAlert;
    message.event_types = {row.action == "reload" ? kSoftwareConfiguration : kRestrictedFunction};
    message.objects = {alert(row.key, row.action, row.target + " " + row.detail)};
  }

  void operator()(const auto& /*detail of another row*/) {}

  std::vector<Message> take() {
    std::vector<Message> all;
    for (Transfer& told : told_) {
      if (told.count > 0) finish(told);
      if (told.begun) {
        Message begin = told.transferred;
        begin.event = kBegin;
        begin.action = 'E';
        begin.time = *told.begun;
        begin.outcome = Outcome::kSuccess;
        begin.outcome_description.clear();
        all.push_back(std::move(begin));
      }
      all.push_back(std::move(told.transferred));
    }
    return all;
  }

 private:
  using Key = std::vector<std::string>;

  static bool is_address(const std::string& host) {
    return host.find_first_not_of("0123456789.") == std::string::npos ||
           host.find(':') != std::string::npos;
  }

  Participant this_node(std::optional<Code> role, bool is_requestor, const std::string& title) {
    return {.user_id = site_.node,
            .alternative_user_id = ae_titles(title),
            .is_requestor = is_requestor,
            .role = std::move(role),
            .address = site_.host,
            .address_is_name = true};
  }

  static std::pair<std::string, std::string> records(const std::string& spool_id,
                                                     std::uint64_t first, std::uint64_t last) {
    return {"JournalRecords", spool_id + ' ' + std::to_string(first) + '-' + std::to_string(last)};
  }

  Object alert(const db::Key& key, const std::string& what, const std::string& detail) const {
    return {.type = '2',
            .role = "13",  // security resource
            .id_type = kNodeId,
            .id = site_.node,
            .details = {{"Alert Description", shortened(what + ": " + detail)},
                        records(key.spool_id, key.sequence, key.sequence)}};
  }

  Message& alone(UtcMicros time) {
    Message& message = told_.emplace_back().transferred;
    message.source = site_.node;
    message.time = time;
    return message;
  }

  /// The one that is still open for this, or a new one.
  Transfer& transfer_of(const Key& key) {
    const auto open = open_.find(key);
    if (open != open_.end() && told_[open->second].count < kInstances) return told_[open->second];
    open_[key] = told_.size();
    Message& message = alone({});
    message.event = kTransferred;
    return told_.back();
  }

  static void add(Transfer& transfer, const db::Key& key, const std::string& sop_class,
                  const std::string& instance) {
    if (transfer.count++ == 0) {
      transfer.spool_id = key.spool_id;
      transfer.first = key.sequence;
    }
    transfer.last = key.sequence;
    if (!instance.empty()) transfer.instances[sop_class].push_back(instance);
  }

  /// The study and the patient of a transfer.
  void finish(Transfer& transfer) const {
    Object study{.type = '2', .role = "3", .id_type = kStudyInstanceUid, .id = transfer.study};
    study.details = {records(transfer.spool_id, transfer.first, transfer.last)};
    for (auto& [sop_class, instances] : transfer.instances) {
      study.sop_classes.push_back({sop_class, std::move(instances)});
    }
    Object patient{.type = '1', .role = "1", .id_type = {}, .id = transfer.patient};
    patient.id_type = site_.hashed_patients ? own("keyed hash of the Patient ID")
                                            : Code{"2", "RFC-3881", "Patient Number"};
    if (transfer.patient.empty()) {
      patient.id_type = own("not kept");
      patient.id = "not kept";
    }
    transfer.transferred.objects = {std::move(study), std::move(patient)};
  }

  const Site& site_;
  std::vector<Transfer> told_;  // in the order in which they began
  std::map<Key, std::size_t> open_;
};

}  // namespace

std::vector<Message> messages_of(std::span<const db::Row> rows, const Site& site) {
  Teller teller(site);
  for (const db::Row& row : rows) std::visit(teller, row);
  return teller.take();
}

}  // namespace dr::audit::atna
