#include "db/migrations.h"

#include <array>

namespace dr::db {
namespace {

// Times are BIGINT, microseconds since 1970-01-01 00:00 UTC: the one form that the three databases
// keep exactly alike. SQLite has no type for them, MySQL's DATETIME has no zone and its TIMESTAMP
// ends in 2038, and a session's time zone shifts what a client of PostgreSQL sees. Views show them
// as text beside the number.
//
// No foreign keys: a database may be younger than the journal, and rows of one object may reach it
// in several batches.
constexpr std::string_view kTables = R"sql(
CREATE TABLE association (
  node VARCHAR(128) NOT NULL, spool_id VARCHAR(36) NOT NULL, sequence BIGINT NOT NULL,
  process_start BIGINT NOT NULL, number BIGINT NOT NULL, incoming SMALLINT NOT NULL,
  listener_or_destination VARCHAR(128) NOT NULL,
  peer_address VARCHAR(64) NOT NULL, peer_port INTEGER NOT NULL,
  calling_ae_title VARCHAR(128) NOT NULL, called_ae_title VARCHAR(128) NOT NULL,
  tls_subject VARCHAR(512) NOT NULL, implementation VARCHAR(512) NOT NULL,
  started BIGINT NOT NULL, ended BIGINT NOT NULL,
  outcome VARCHAR(64) NOT NULL, reason VARCHAR(512) NOT NULL,
  objects BIGINT NOT NULL, octets BIGINT NOT NULL,
  PRIMARY KEY (node, spool_id, sequence)
){table};

CREATE TABLE instance (
  node VARCHAR(128) NOT NULL, spool_id VARCHAR(36) NOT NULL, sequence BIGINT NOT NULL,
  sop_instance_uid VARCHAR(64) NOT NULL, sop_class_uid VARCHAR(64) NOT NULL,
  transfer_syntax_uid VARCHAR(64) NOT NULL,
  study_instance_uid VARCHAR(64) NOT NULL, series_instance_uid VARCHAR(64) NOT NULL,
  modality VARCHAR(64) NOT NULL, patient_key VARCHAR(512) NOT NULL,
  octets BIGINT NOT NULL, sha256 VARCHAR(64),
  process_start BIGINT NOT NULL, association BIGINT NOT NULL,
  listener VARCHAR(128) NOT NULL, peer_address VARCHAR(64) NOT NULL,
  calling_ae_title VARCHAR(128) NOT NULL, called_ae_title VARCHAR(128) NOT NULL,
  received BIGINT NOT NULL, durable BIGINT,
  status INTEGER NOT NULL, state VARCHAR(64) NOT NULL,
  rules_sha256 VARCHAR(64) NOT NULL, extract SMALLINT NOT NULL,
  PRIMARY KEY (node, spool_id, sequence)
){table};

CREATE TABLE decision (
  node VARCHAR(128) NOT NULL, spool_id VARCHAR(36) NOT NULL, sequence BIGINT NOT NULL,
  rule_ordinal INTEGER NOT NULL,
  rule VARCHAR(128) NOT NULL, file VARCHAR(512) NOT NULL, line INTEGER NOT NULL,
  destinations TEXT NOT NULL, transform TEXT NOT NULL, rules_sha256 VARCHAR(64) NOT NULL,
  PRIMARY KEY (node, spool_id, sequence, rule_ordinal)
){table};

CREATE TABLE delivery (
  node VARCHAR(128) NOT NULL, spool_id VARCHAR(36) NOT NULL, sequence BIGINT NOT NULL,
  instance_sequence BIGINT NOT NULL, destination VARCHAR(128) NOT NULL, attempt INTEGER NOT NULL,
  started BIGINT NOT NULL, finished BIGINT NOT NULL,
  outcome VARCHAR(64) NOT NULL, status INTEGER, comment VARCHAR(512) NOT NULL,
  octets BIGINT NOT NULL, transfer_syntax_uid VARCHAR(64) NOT NULL,
  PRIMARY KEY (node, spool_id, sequence)
){table};

CREATE TABLE instance_state (
  node VARCHAR(128) NOT NULL, spool_id VARCHAR(36) NOT NULL, sequence BIGINT NOT NULL,
  destination VARCHAR(128) NOT NULL,
  state VARCHAR(64) NOT NULL, reason VARCHAR(512) NOT NULL, attempts INTEGER NOT NULL,
  next_attempt BIGINT, changed BIGINT NOT NULL, changed_sequence BIGINT NOT NULL,
  PRIMARY KEY (node, spool_id, sequence, destination)
){table};

CREATE TABLE security_event (
  node VARCHAR(128) NOT NULL, spool_id VARCHAR(36) NOT NULL, sequence BIGINT NOT NULL,
  time BIGINT NOT NULL, kind VARCHAR(64) NOT NULL, listener VARCHAR(128) NOT NULL,
  peer_address VARCHAR(64) NOT NULL,
  calling_ae_title VARCHAR(128) NOT NULL, called_ae_title VARCHAR(128) NOT NULL,
  detail TEXT NOT NULL,
  PRIMARY KEY (node, spool_id, sequence)
){table};

CREATE TABLE operator_action (
  node VARCHAR(128) NOT NULL, spool_id VARCHAR(36) NOT NULL, sequence BIGINT NOT NULL,
  time BIGINT NOT NULL, who VARCHAR(128) NOT NULL, action VARCHAR(64) NOT NULL,
  target VARCHAR(512) NOT NULL, detail TEXT NOT NULL,
  PRIMARY KEY (node, spool_id, sequence)
){table};
)sql";

constexpr std::string_view kRtTables = R"sql(
CREATE TABLE rt_structure_set (
  node VARCHAR(128) NOT NULL, spool_id VARCHAR(36) NOT NULL, sequence BIGINT NOT NULL,
  result_sequence BIGINT NOT NULL,
  sop_instance_uid VARCHAR(64) NOT NULL, label VARCHAR(128) NOT NULL,
  frame_of_reference_uid VARCHAR(64) NOT NULL,
  referenced_study_instance_uid VARCHAR(64) NOT NULL,
  referenced_series_instance_uid VARCHAR(64) NOT NULL,
  reference_verdict VARCHAR(64) NOT NULL, reference_reason VARCHAR(512) NOT NULL,
  instances_referenced INTEGER NOT NULL, instances_present INTEGER NOT NULL,
  rois INTEGER NOT NULL, contours INTEGER NOT NULL, points BIGINT NOT NULL,
  started BIGINT NOT NULL, finished BIGINT NOT NULL, attempts INTEGER NOT NULL,
  outcome VARCHAR(64) NOT NULL, reason VARCHAR(512) NOT NULL,
  PRIMARY KEY (node, spool_id, sequence)
){table};

CREATE TABLE rt_roi (
  node VARCHAR(128) NOT NULL, spool_id VARCHAR(36) NOT NULL, sequence BIGINT NOT NULL,
  roi_number INTEGER NOT NULL, result_sequence BIGINT NOT NULL,
  name VARCHAR(128) NOT NULL, standard_name VARCHAR(128) NOT NULL,
  interpreted_type VARCHAR(64) NOT NULL, generation_algorithm VARCHAR(64) NOT NULL,
  color VARCHAR(64) NOT NULL, frame_of_reference_uid VARCHAR(64) NOT NULL,
  contours INTEGER NOT NULL, points BIGINT NOT NULL, geometric_types VARCHAR(512) NOT NULL,
  volume_cm3 DOUBLE PRECISION, surface_cm2 DOUBLE PRECISION,
  centroid_x_mm DOUBLE PRECISION, centroid_y_mm DOUBLE PRECISION, centroid_z_mm DOUBLE PRECISION,
  min_x_mm DOUBLE PRECISION, min_y_mm DOUBLE PRECISION, min_z_mm DOUBLE PRECISION,
  max_x_mm DOUBLE PRECISION, max_y_mm DOUBLE PRECISION, max_z_mm DOUBLE PRECISION,
  plane_spacing_mm DOUBLE PRECISION, plane_gaps INTEGER,
  equivalent_diameter_mm DOUBLE PRECISION,
  PRIMARY KEY (node, spool_id, sequence, roi_number)
){table};

CREATE TABLE rt_contour (
  node VARCHAR(128) NOT NULL, spool_id VARCHAR(36) NOT NULL, sequence BIGINT NOT NULL,
  roi_number INTEGER NOT NULL, contour_index INTEGER NOT NULL, result_sequence BIGINT NOT NULL,
  geometric_type VARCHAR(64) NOT NULL, points INTEGER NOT NULL,
  plane_position_mm DOUBLE PRECISION, area_mm2 DOUBLE PRECISION, perimeter_mm DOUBLE PRECISION,
  referenced_sop_instance_uid VARCHAR(64) NOT NULL,
  PRIMARY KEY (node, spool_id, sequence, roi_number, contour_index)
){table};

CREATE TABLE rt_finding (
  node VARCHAR(128) NOT NULL, spool_id VARCHAR(36) NOT NULL, sequence BIGINT NOT NULL,
  finding_index INTEGER NOT NULL, result_sequence BIGINT NOT NULL, roi_number INTEGER,
  code VARCHAR(64) NOT NULL, severity VARCHAR(64) NOT NULL, description TEXT NOT NULL,
  PRIMARY KEY (node, spool_id, sequence, finding_index)
){table};

CREATE TABLE rt_dvh (
  node VARCHAR(128) NOT NULL, spool_id VARCHAR(36) NOT NULL, sequence BIGINT NOT NULL,
  roi_number INTEGER NOT NULL, dose_sop_instance_uid VARCHAR(64) NOT NULL,
  result_sequence BIGINT NOT NULL,
  dose_units VARCHAR(64) NOT NULL, dose_type VARCHAR(64) NOT NULL,
  min_dose DOUBLE PRECISION, mean_dose DOUBLE PRECISION, max_dose DOUBLE PRECISION,
  d95 DOUBLE PRECISION, d2 DOUBLE PRECISION, v20 DOUBLE PRECISION,
  curve {long_text} NOT NULL,
  PRIMARY KEY (node, spool_id, sequence, roi_number, dose_sop_instance_uid)
){table};
)sql";

// Each index serves a question of README.md; every further one is paid for by each row written.
constexpr std::string_view kIndexes = R"sql(
CREATE INDEX instance_by_object ON instance (sop_instance_uid);
CREATE INDEX instance_by_series ON instance (series_instance_uid);
CREATE INDEX instance_by_study ON instance (study_instance_uid);
CREATE INDEX instance_by_modality ON instance (modality, received);
CREATE INDEX instance_by_state ON instance (state, received);
CREATE INDEX association_by_number ON association (node, spool_id, process_start, number);
CREATE INDEX delivery_by_instance ON delivery (node, spool_id, instance_sequence, sequence);
CREATE INDEX delivery_by_outcome ON delivery (destination, outcome, started);
CREATE INDEX instance_state_by_destination ON instance_state (destination, state, changed);
CREATE INDEX security_event_by_time ON security_event (time);
CREATE INDEX operator_action_by_time ON operator_action (time);
)sql";

constexpr std::string_view kViews = R"sql(
CREATE VIEW v_life AS
SELECT i.sop_instance_uid, i.series_instance_uid, i.study_instance_uid, i.node, i.spool_id,
       i.sequence, i.received AS at, {utc i.received} AS at_utc, 'received' AS event,
       i.listener AS place, i.state AS outcome, i.calling_ae_title AS detail
  FROM instance i
UNION ALL
SELECT i.sop_instance_uid, i.series_instance_uid, i.study_instance_uid, i.node, i.spool_id,
       i.sequence, i.received, {utc i.received}, 'matched', d.file, d.rule, d.destinations
  FROM instance i JOIN decision d
    ON d.node = i.node AND d.spool_id = i.spool_id AND d.sequence = i.sequence
UNION ALL
SELECT i.sop_instance_uid, i.series_instance_uid, i.study_instance_uid, i.node, i.spool_id,
       i.sequence, a.finished, {utc a.finished}, 'attempt', a.destination, a.outcome, a.comment
  FROM instance i JOIN delivery a
    ON a.node = i.node AND a.spool_id = i.spool_id AND a.instance_sequence = i.sequence
UNION ALL
SELECT i.sop_instance_uid, i.series_instance_uid, i.study_instance_uid, i.node, i.spool_id,
       i.sequence, s.changed, {utc s.changed}, 'state', s.destination, s.state, s.reason
  FROM instance i JOIN instance_state s
    ON s.node = i.node AND s.spool_id = i.spool_id AND s.sequence = i.sequence;

CREATE VIEW v_received_today AS
SELECT i.modality, i.received, {utc i.received} AS received_utc, i.calling_ae_title, i.peer_address,
       i.listener, i.study_instance_uid, i.series_instance_uid, i.sop_instance_uid,
       i.sop_class_uid, i.octets, i.status, i.state, i.node, i.spool_id, i.sequence
  FROM instance i
 WHERE i.received >= {today};

CREATE VIEW v_waiting AS
SELECT s.destination, s.state, s.reason, i.received, {utc i.received} AS received_utc,
       s.changed, {utc s.changed} AS changed_utc, s.attempts, s.next_attempt,
       i.modality, i.study_instance_uid, i.series_instance_uid, i.sop_instance_uid, i.octets,
       i.node, i.spool_id, i.sequence
  FROM instance_state s JOIN instance i
    ON i.node = s.node AND i.spool_id = s.spool_id AND i.sequence = s.sequence
 WHERE s.state IN ('waiting', 'sending', 'unknown', 'held', 'damaged');

CREATE VIEW v_attempts AS
SELECT a.destination, a.outcome, a.status, a.started, {utc a.started} AS started_utc,
       a.finished - a.started AS duration_us, a.attempt, a.comment, a.octets,
       a.transfer_syntax_uid, i.study_instance_uid, i.series_instance_uid, i.sop_instance_uid,
       a.node, a.spool_id, a.instance_sequence, a.sequence
  FROM delivery a LEFT JOIN instance i
    ON i.node = a.node AND i.spool_id = a.spool_id AND i.sequence = a.instance_sequence;

CREATE VIEW v_changes AS
SELECT o.time, {utc o.time} AS time_utc, o.who, o.action, o.target, o.detail,
       o.node, o.spool_id, o.sequence
  FROM operator_action o;

CREATE VIEW v_refused AS
SELECT e.time, {utc e.time} AS time_utc, e.kind, e.listener, e.peer_address, e.calling_ae_title,
       e.called_ae_title, e.detail, e.node, e.spool_id, e.sequence
  FROM security_event e
UNION ALL
SELECT i.received, {utc i.received}, 'object-rejected', i.listener, i.peer_address,
       i.calling_ae_title, i.called_ae_title, i.sop_class_uid, i.node, i.spool_id, i.sequence
  FROM instance i
 WHERE i.state = 'rejected';
)sql";

// Rows that an older program wrote have no seal.
constexpr std::string_view kSealsAndForgetting = R"sql(
ALTER TABLE association ADD COLUMN seal VARCHAR(64) NOT NULL DEFAULT '';
ALTER TABLE instance ADD COLUMN seal VARCHAR(64) NOT NULL DEFAULT '';
ALTER TABLE instance ADD COLUMN sha256_seal VARCHAR(64) NOT NULL DEFAULT '';
ALTER TABLE decision ADD COLUMN seal VARCHAR(64) NOT NULL DEFAULT '';
ALTER TABLE delivery ADD COLUMN seal VARCHAR(64) NOT NULL DEFAULT '';
ALTER TABLE instance_state ADD COLUMN seal VARCHAR(64) NOT NULL DEFAULT '';
ALTER TABLE security_event ADD COLUMN seal VARCHAR(64) NOT NULL DEFAULT '';
ALTER TABLE operator_action ADD COLUMN seal VARCHAR(64) NOT NULL DEFAULT '';
CREATE INDEX instance_by_patient ON instance (patient_key, received);
)sql";

// Nobody wrote results before.
constexpr std::string_view kResults = R"sql(
ALTER TABLE rt_structure_set ADD COLUMN seal VARCHAR(64) NOT NULL DEFAULT '';
ALTER TABLE rt_roi ADD COLUMN seal VARCHAR(64) NOT NULL DEFAULT '';
ALTER TABLE rt_contour ADD COLUMN seal VARCHAR(64) NOT NULL DEFAULT '';
ALTER TABLE rt_finding ADD COLUMN seal VARCHAR(64) NOT NULL DEFAULT '';
ALTER TABLE rt_dvh ADD COLUMN seal VARCHAR(64) NOT NULL DEFAULT '';
ALTER TABLE rt_dvh ADD COLUMN dose_link VARCHAR(64) NOT NULL DEFAULT '';
CREATE INDEX rt_structure_set_by_object ON rt_structure_set (sop_instance_uid);
)sql";

constexpr std::array<Migration, 6> kMigrations{{
    {1, "tables", kTables},
    {2, "rt tables", kRtTables},
    {3, "indexes", kIndexes},
    {4, "views", kViews},
    {5, "seals and forgetting", kSealsAndForgetting},
    {6, "results", kResults},
}};

}  // namespace

std::span<const Migration> migrations() { return kMigrations; }

std::string in_dialect(std::string_view sql, const Dialect& dialect) {
  std::string out;
  while (!sql.empty()) {
    const std::size_t open = sql.find('{');
    out.append(sql.substr(0, open));
    if (open == std::string_view::npos) break;
    const std::size_t close = sql.find('}', open);
    const std::string_view word = sql.substr(open + 1, close - open - 1);
    if (word == "table") out.append(dialect.table_suffix);
    if (word == "long_text") out.append(dialect.long_text);
    if (word == "today") out.append(dialect.today);
    if (word.starts_with("utc ")) {
      for (const char c : dialect.utc) {
        if (c == '$') {
          out.append(word.substr(4));
        } else {
          out.push_back(c);
        }
      }
    }
    sql.remove_prefix(close + 1);
  }
  return out;
}

std::vector<std::string> statements(std::string_view sql) {
  std::vector<std::string> found;
  while (!sql.empty()) {
    const std::size_t end = sql.find(";\n");
    const std::string_view statement = sql.substr(0, end);
    if (statement.find_first_not_of(" \n") != std::string_view::npos) found.emplace_back(statement);
    if (end == std::string_view::npos) break;
    sql.remove_prefix(end + 1);
  }
  return found;
}

}  // namespace dr::db
