#include "router/audit/rows.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "router/audit/result_rows.h"

namespace dr::audit {
namespace {

using db::Key;
using db::Row;
using journal::RecordType;

/// Names as a JSON array (RFC 8259 7).
std::string json_array(const std::vector<std::string>& names) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out = "[";
  for (const std::string& name : names) {
    out += out.size() == 1 ? "\"" : ",\"";
    for (const char c : name) {
      const auto octet = static_cast<unsigned char>(c);
      if (octet < 0x20) {
        out += "\\u00";
        out += kDigits[octet >> 4];
        out += kDigits[octet & 0xf];
        continue;
      }
      if (c == '"' || c == '\\') out += '\\';
      out += c;
    }
    out += '"';
  }
  return out + "]";
}

/// When what waits is sent at the latest.
std::optional<UtcMicros> at_the_latest(const journal::ObjectRecord& object,
                                       const journal::WaitRecord& wait) {
  if (wait.until == 0 || wait.at_most == 0) return std::nullopt;
  return object.received + std::chrono::microseconds(wait.at_most);
}

/// Deferred: none of its copies may be sent yet.
const char* state_of(const journal::ObjectRecord& object) {
  if (object.routes.empty()) return "unrouted";
  const bool waits = std::ranges::all_of(
      object.routes, [](const journal::RouteRecord& route) { return route.wait.until != 0; });
  return waits ? "deferred" : "routed";
}

db::InstanceRow instance_row(const journal::Record& record, const journal::ObjectRecord& object,
                             Key key) {
  const bool refused = record.type == RecordType::kRefused;
  db::InstanceRow row;
  row.key = std::move(key);
  row.sop_instance_uid = object.sop_instance_uid.str();
  row.sop_class_uid = object.sop_class_uid.str();
  row.transfer_syntax_uid = object.transfer_syntax_uid.str();
  row.study_instance_uid = object.study_instance_uid.str();
  row.series_instance_uid = object.series_instance_uid.str();
  row.modality = object.modality;
  row.patient_key = object.patient_key;
  row.octets = record.body_octets;
  row.process_start = object.process_start;
  row.association = object.association;
  row.listener = object.listener;
  row.peer_address = object.peer_address;
  row.calling_ae_title = object.calling_ae_title.str();
  row.called_ae_title = object.called_ae_title.str();
  row.received = object.received;
  if (!refused) row.durable = record.durable;
  row.status = object.status;
  row.state = refused ? "rejected" : state_of(object);
  row.rules_sha256 = object.rules_sha256;
  row.extract = object.extract;
  return row;
}

void add_object(std::vector<Row>& rows, const journal::Record& record,
                const journal::ObjectRecord& object, const Key& key) {
  rows.emplace_back(instance_row(record, object, key));
  for (const journal::DecisionRecord& decision : object.decisions) {
    rows.emplace_back(db::DecisionRow{.key = key,
                                      .rule_ordinal = decision.ordinal,
                                      .rule = decision.rule,
                                      .file = decision.file,
                                      .line = decision.line,
                                      .destinations = json_array(decision.destinations),
                                      .transform = decision.transform,
                                      .rules_sha256 = object.rules_sha256});
  }
  if (record.type == RecordType::kRefused) return;
  for (const journal::RouteRecord& route : object.routes) {
    rows.emplace_back(
        db::InstanceStateRow{.key = key,
                             .destination = route.destination,
                             .state = std::string(name(journal::DeliveryState::kWaiting)),
                             .reason = std::string(journal::reason(route.wait)),
                             .attempts = 0,
                             .next_attempt = at_the_latest(object, route.wait),
                             .changed = object.received,
                             .changed_sequence = key.sequence});
  }
}

void add_outcome(std::vector<Row>& rows, journal::OutcomeRecord outcome, const Key& key) {
  using journal::DeliveryState;
  const bool again =
      outcome.state == DeliveryState::kWaiting || outcome.state == DeliveryState::kUnknown;
  db::InstanceStateRow state{.key = {key.node, key.spool_id, value(outcome.instance)},
                             .destination = outcome.destination,
                             .state = std::string(name(outcome.state)),
                             .reason = std::move(outcome.reason),
                             .attempts = outcome.attempt,
                             .next_attempt = {},
                             .changed = outcome.finished,
                             .changed_sequence = key.sequence};
  if (again) state.next_attempt = outcome.next_attempt;
  db::DeliveryRow delivery{.key = key,
                           .instance_sequence = value(outcome.instance),
                           .destination = std::move(outcome.destination),
                           .attempt = outcome.attempt,
                           .started = outcome.started,
                           .finished = outcome.finished,
                           .outcome = std::move(outcome.outcome),
                           .status = {},
                           .comment = std::move(outcome.comment),
                           .octets = outcome.octets,
                           .transfer_syntax_uid = outcome.transfer_syntax_uid.str()};
  if (outcome.has_status) delivery.status = outcome.status;
  if (outcome.attempt > 0) rows.emplace_back(std::move(delivery));  // else nothing was tried
  rows.emplace_back(std::move(state));
}

db::AssociationRow association_row(journal::AssociationRecord r, const Key& key) {
  return {.key = key,
          .process_start = r.process_start,
          .number = r.number,
          .incoming = r.incoming,
          .listener_or_destination = std::move(r.listener_or_destination),
          .peer_address = std::move(r.peer_address),
          .peer_port = r.peer_port,
          .calling_ae_title = r.calling_ae_title.str(),
          .called_ae_title = r.called_ae_title.str(),
          .tls_subject = std::move(r.tls_subject),
          .implementation = std::move(r.implementation),
          .started = r.started,
          .ended = r.ended,
          .outcome = std::move(r.outcome),
          .reason = std::move(r.reason),
          .objects = r.objects,
          .octets = r.octets};
}

db::SecurityEventRow security_row(journal::SecurityRecord r, const Key& key) {
  return {.key = key,
          .time = r.time,
          .kind = std::move(r.kind),
          .listener = std::move(r.listener),
          .peer_address = std::move(r.peer_address),
          .calling_ae_title = std::move(r.calling_ae_title),
          .called_ae_title = std::move(r.called_ae_title),
          .detail = std::move(r.detail)};
}

db::OperatorActionRow operator_row(journal::OperatorRecord r, const Key& key) {
  return {.key = key,
          .time = r.time,
          .who = std::move(r.who),
          .action = std::move(r.action),
          .target = std::move(r.target),
          .detail = std::move(r.detail)};
}

}  // namespace

Result<std::vector<Row>> rows_of(const journal::Record& record, const std::string& node,
                                 const std::string& spool_id) {
  const Key key{node, spool_id, value(record.sequence)};
  std::vector<Row> rows;
  // Decodes the head and hands it on; an Error where that fails.
  const auto with = [&](auto decoded, auto&& add) -> Result<std::vector<Row>> {
    if (!decoded) return std::move(decoded).error();
    add(std::move(*decoded));
    return std::move(rows);
  };
  switch (record.type) {
    case RecordType::kObject:
    case RecordType::kRefused:
      return with(journal::decode_object(record.head),
                  [&](auto r) { add_object(rows, record, r, key); });
    case RecordType::kOutcome:
      return with(journal::decode_outcome(record.head),
                  [&](auto r) { add_outcome(rows, std::move(r), key); });
    case RecordType::kDigest:
      return with(journal::decode_digest(record.head), [&](auto r) {
        rows.emplace_back(db::DigestRow{key, value(r.instance), std::move(r.sha256)});
      });
    case RecordType::kAssociation:
      return with(journal::decode_association(record.head),
                  [&](auto r) { rows.emplace_back(association_row(std::move(r), key)); });
    case RecordType::kSecurity:
      return with(journal::decode_security(record.head),
                  [&](auto r) { rows.emplace_back(security_row(std::move(r), key)); });
    case RecordType::kOperator:
      return with(journal::decode_operator(record.head),
                  [&](auto r) { rows.emplace_back(operator_row(std::move(r), key)); });
    case RecordType::kExtraction:
      return with(journal::decode_extraction(record.head), [&](const auto& r) {
        rows = result_rows(r, {node, spool_id, value(r.instance)}, key.sequence);
      });
    case RecordType::kGathered:  // what is sent then has outcomes of its own
    case RecordType::kMoved:     // told when it stood at its first place
      return rows;
  }
  return Error{Errc::kCorrupt, "record type=" + std::to_string(static_cast<unsigned>(record.type))};
}

}  // namespace dr::audit
