#pragma once

// All SQL that is SQLite's own; the schema, which the databases share, stands in migrations.cpp.

#include "db/migrations.h"

namespace dr::db::sqlite {

// WAL: readers (trace, an admin's sqlite3) never hold the writer back. FULL: each commit syncs the
// WAL, one sync a batch. NORMAL would not do: it leaves the last commits to the page cache, while
// the caller moves its journal cursor when write() has returned and the journal makes that position
// durable with its next group. Lose power in between, and the cursor has passed rows that the
// database no longer holds: nobody would write them again. With FULL the order is always rows on
// disk, then cursor; losing power between the two only repeats rows, which changes nothing.
inline constexpr const char* kSettings =
    "PRAGMA synchronous = FULL;"
    "PRAGMA cache_size = -16384;"  // 16 MiB
    "PRAGMA trusted_schema = OFF;";
inline constexpr const char* kJournalMode = "PRAGMA journal_mode = WAL";

inline constexpr Dialect kDialect{
    .table_suffix = "",
    .long_text = "TEXT",
    .today = "CAST(strftime('%s', 'now', 'start of day') AS INTEGER) * 1000000",
    .utc =
        "strftime('%Y-%m-%dT%H:%M:%S', $ / 1000000, 'unixepoch') || "
        "printf('.%06dZ', $ % 1000000)"};

inline constexpr const char* kCreateMigrationTable =
    "CREATE TABLE IF NOT EXISTS schema_migration (version INTEGER NOT NULL PRIMARY KEY, "
    "name VARCHAR(128) NOT NULL, applied BIGINT NOT NULL)";
inline constexpr const char* kLastMigration =
    "SELECT coalesce(max(version), 0) FROM schema_migration";
inline constexpr const char* kRecordMigration =
    "INSERT INTO schema_migration (version, name, applied) VALUES (?, ?, "
    "CAST((julianday('now') - 2440587.5) * 86400 AS INTEGER) * 1000000)";

inline constexpr const char* kInsertAssociation =
    "INSERT INTO association (node, spool_id, sequence, process_start, number, incoming, "
    "listener_or_destination, peer_address, peer_port, calling_ae_title, called_ae_title, "
    "tls_subject, implementation, started, ended, outcome, reason, objects, octets) "
    "VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) "
    "ON CONFLICT (node, spool_id, sequence) DO NOTHING";
// A digest that came before its instance left a row without a state: that one is filled in. Any
// other row stands, and its sha256 is never touched.
inline constexpr const char* kInsertInstance =
    "INSERT INTO instance (node, spool_id, sequence, sop_instance_uid, sop_class_uid, "
    "transfer_syntax_uid, study_instance_uid, series_instance_uid, modality, patient_key, octets, "
    "process_start, association, listener, peer_address, calling_ae_title, called_ae_title, "
    "received, durable, status, state, rules_sha256, extract) "
    "VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) "
    "ON CONFLICT (node, spool_id, sequence) DO UPDATE SET "
    "sop_instance_uid = excluded.sop_instance_uid, sop_class_uid = excluded.sop_class_uid, "
    "transfer_syntax_uid = excluded.transfer_syntax_uid, "
    "study_instance_uid = excluded.study_instance_uid, "
    "series_instance_uid = excluded.series_instance_uid, modality = excluded.modality, "
    "patient_key = excluded.patient_key, octets = excluded.octets, "
    "process_start = excluded.process_start, association = excluded.association, "
    "listener = excluded.listener, peer_address = excluded.peer_address, "
    "calling_ae_title = excluded.calling_ae_title, called_ae_title = excluded.called_ae_title, "
    "received = excluded.received, durable = excluded.durable, status = excluded.status, "
    "state = excluded.state, rules_sha256 = excluded.rules_sha256, extract = excluded.extract "
    "WHERE instance.state = ''";
inline constexpr const char* kInsertDigest =
    "INSERT INTO instance (node, spool_id, sequence, sop_instance_uid, sop_class_uid, "
    "transfer_syntax_uid, study_instance_uid, series_instance_uid, modality, patient_key, octets, "
    "sha256, process_start, association, listener, peer_address, calling_ae_title, "
    "called_ae_title, received, status, state, rules_sha256, extract) "
    "VALUES (?,?,?,'','','','','','','',0,?,0,0,'','','','',0,0,'','',0) "
    "ON CONFLICT (node, spool_id, sequence) DO UPDATE SET sha256 = excluded.sha256 "
    "WHERE instance.sha256 IS NULL";
inline constexpr const char* kInsertDecision =
    "INSERT INTO decision (node, spool_id, sequence, rule_ordinal, rule, file, line, destinations, "
    "transform, rules_sha256) VALUES (?,?,?,?,?,?,?,?,?,?) "
    "ON CONFLICT (node, spool_id, sequence, rule_ordinal) DO NOTHING";
inline constexpr const char* kInsertDelivery =
    "INSERT INTO delivery (node, spool_id, sequence, instance_sequence, destination, attempt, "
    "started, finished, outcome, status, comment, octets, transfer_syntax_uid) "
    "VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT (node, spool_id, sequence) DO NOTHING";
inline constexpr const char* kInsertState =
    "INSERT INTO instance_state (node, spool_id, sequence, destination, state, reason, attempts, "
    "next_attempt, changed, changed_sequence) VALUES (?,?,?,?,?,?,?,?,?,?) "
    "ON CONFLICT (node, spool_id, sequence, destination) DO UPDATE SET state = excluded.state, "
    "reason = excluded.reason, attempts = excluded.attempts, next_attempt = excluded.next_attempt, "
    "changed = excluded.changed, changed_sequence = excluded.changed_sequence "
    "WHERE excluded.changed_sequence > instance_state.changed_sequence";
inline constexpr const char* kInsertSecurityEvent =
    "INSERT INTO security_event (node, spool_id, sequence, time, kind, listener, peer_address, "
    "calling_ae_title, called_ae_title, detail) VALUES (?,?,?,?,?,?,?,?,?,?) "
    "ON CONFLICT (node, spool_id, sequence) DO NOTHING";
inline constexpr const char* kInsertOperatorAction =
    "INSERT INTO operator_action (node, spool_id, sequence, time, who, action, target, detail) "
    "VALUES (?,?,?,?,?,?,?,?) ON CONFLICT (node, spool_id, sequence) DO NOTHING";

inline constexpr const char* kTraceInstances =
    "SELECT node, spool_id, sequence, sop_instance_uid, sop_class_uid, transfer_syntax_uid, "
    "study_instance_uid, series_instance_uid, modality, patient_key, octets, process_start, "
    "association, listener, peer_address, calling_ae_title, called_ae_title, received, durable, "
    "status, state, rules_sha256, extract, coalesce(sha256, '') FROM instance "
    "WHERE sop_instance_uid = ?1 OR series_instance_uid = ?1 OR study_instance_uid = ?1 "
    "ORDER BY received, node, spool_id, sequence LIMIT ?2";
inline constexpr const char* kTraceDecisions =
    "SELECT rule_ordinal, rule, file, line, destinations, transform, rules_sha256 FROM decision "
    "WHERE node = ? AND spool_id = ? AND sequence = ? ORDER BY rule_ordinal";
inline constexpr const char* kTraceDeliveries =
    "SELECT sequence, destination, attempt, started, finished, outcome, status, comment, octets, "
    "transfer_syntax_uid FROM delivery "
    "WHERE node = ? AND spool_id = ? AND instance_sequence = ? ORDER BY sequence";
inline constexpr const char* kTraceStates =
    "SELECT destination, state, reason, attempts, next_attempt, changed, changed_sequence "
    "FROM instance_state WHERE node = ? AND spool_id = ? AND sequence = ? ORDER BY destination";

}  // namespace dr::db::sqlite
