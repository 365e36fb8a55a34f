#pragma once

namespace dr::extraction::sql {

inline constexpr const char* kSettings =
    "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; "
    "PRAGMA secure_delete = ON;";
inline constexpr int kFormat = 1;  // PRAGMA user_version

inline constexpr const char* kCreate = R"sql(
CREATE TABLE IF NOT EXISTS place (id INTEGER PRIMARY KEY CHECK (id = 1), position INTEGER NOT NULL);
INSERT OR IGNORE INTO place VALUES (1, 0);
CREATE TABLE IF NOT EXISTS series (
  id INTEGER PRIMARY KEY, series TEXT NOT NULL, study TEXT NOT NULL, frame TEXT NOT NULL,
  UNIQUE (series, frame, study));
CREATE INDEX IF NOT EXISTS series_by_frame ON series (frame);
CREATE TABLE IF NOT EXISTS image (
  instance TEXT PRIMARY KEY, sop_class TEXT NOT NULL, series INTEGER, geometry BLOB,
  seen INTEGER NOT NULL, patient TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS image_by_series ON image (series) WHERE series IS NOT NULL;
CREATE INDEX IF NOT EXISTS image_by_time ON image (seen);
CREATE TABLE IF NOT EXISTS linked (
  instance TEXT PRIMARY KEY, sequence INTEGER NOT NULL, dose INTEGER NOT NULL, syntax TEXT NOT NULL,
  frame TEXT NOT NULL, plan TEXT NOT NULL, structure_set TEXT NOT NULL, seen INTEGER NOT NULL,
  patient TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS job (
  sequence INTEGER PRIMARY KEY, instance TEXT NOT NULL, syntax TEXT NOT NULL,
  received INTEGER NOT NULL, state INTEGER NOT NULL, attempts INTEGER NOT NULL,
  reason TEXT NOT NULL, deadline INTEGER NOT NULL, refs TEXT NOT NULL,
  objects_made INTEGER NOT NULL, started INTEGER NOT NULL, finished INTEGER NOT NULL,
  doses TEXT NOT NULL, patient TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS job_by_instance ON job (instance, sequence);
CREATE INDEX IF NOT EXISTS job_by_state ON job (state);
CREATE TABLE IF NOT EXISTS job_frame (
  frame TEXT NOT NULL, sequence INTEGER NOT NULL REFERENCES job (sequence) ON DELETE CASCADE,
  PRIMARY KEY (frame, sequence)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS job_frame_by_job ON job_frame (sequence);
CREATE TABLE IF NOT EXISTS result (
  sequence INTEGER PRIMARY KEY REFERENCES job (sequence) ON DELETE CASCADE, json TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS outgoing (
  id INTEGER PRIMARY KEY, sequence INTEGER NOT NULL REFERENCES job (sequence) ON DELETE CASCADE,
  object INTEGER NOT NULL, sop_class TEXT NOT NULL, instance TEXT NOT NULL, octets BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS message (
  id INTEGER PRIMARY KEY AUTOINCREMENT, job INTEGER NOT NULL, body TEXT NOT NULL,
  attempts INTEGER NOT NULL,
  since INTEGER NOT NULL, due INTEGER NOT NULL);
)sql";

inline constexpr const char* kPosition = "SELECT position FROM place";
inline constexpr const char* kSetPosition = "UPDATE place SET position = ?";

inline constexpr const char* kAddSeries =
    "INSERT OR IGNORE INTO series (series, study, frame) VALUES (?, ?, ?)";
inline constexpr const char* kFindSeries =
    "SELECT id FROM series WHERE series = ? AND study = ? AND frame = ?";
inline constexpr const char* kAddImage =
    "INSERT OR REPLACE INTO image (instance, sop_class, series, geometry, seen, patient) "
    "VALUES (?, ?, ?, ?, ?, ?)";
inline constexpr const char* kHasImage = "SELECT 1 FROM image WHERE instance = ?";
inline constexpr const char* kSeriesOf = "SELECT series FROM image WHERE instance = ?";
inline constexpr const char* kSeriesNamed = "SELECT id FROM series WHERE series = ?";
inline constexpr const char* kSeriesInFrame =
    "SELECT id FROM series WHERE frame = ? AND frame <> ''";
inline constexpr const char* kSlices =
    "SELECT i.instance, i.sop_class, s.series, s.study, s.frame, i.geometry "
    "FROM image i JOIN series s ON s.id = i.series WHERE i.series = ? ORDER BY i.instance";

inline constexpr const char* kAddLinked =
    "INSERT OR REPLACE INTO linked (instance, sequence, dose, syntax, frame, plan, structure_set, "
    "seen, patient) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)";
// A dose leads to the structure set that it names, else to that of its plan.
inline constexpr const char* kDosesOf =
    "SELECT d.instance, d.sequence, d.syntax, d.frame, d.plan, "
    "CASE WHEN d.structure_set <> '' THEN d.structure_set ELSE coalesce(p.structure_set, '') END, "
    "d.structure_set <> '' "
    "FROM linked d LEFT JOIN linked p ON p.instance = d.plan AND p.dose = 0 "
    "WHERE d.dose = 1 ORDER BY d.sequence";

inline constexpr const char* kPutJob =
    "INSERT INTO job (sequence, instance, syntax, received, state, attempts, reason, deadline, "
    "refs, objects_made, started, finished, doses, patient) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
    "ON CONFLICT (sequence) DO UPDATE SET state = excluded.state, attempts = excluded.attempts, "
    "reason = excluded.reason, deadline = excluded.deadline, refs = excluded.refs, "
    "objects_made = excluded.objects_made, started = excluded.started, "
    "finished = excluded.finished, doses = excluded.doses";
inline constexpr const char* kJobs =
    "SELECT sequence, instance, syntax, received, state, attempts, reason, deadline, refs, "
    "objects_made, started, finished, doses, patient FROM job WHERE state < ? ORDER BY sequence";
inline constexpr const char* kJobOf =
    "SELECT sequence, instance, syntax, received, state, attempts, reason, deadline, refs, "
    "objects_made, started, finished, doses, patient FROM job WHERE instance = ? "
    "ORDER BY sequence DESC LIMIT 1";
inline constexpr const char* kJobsInFrame =
    "SELECT sequence, instance, syntax, received, state, attempts, reason, deadline, refs, "
    "objects_made, started, finished, doses, patient FROM job WHERE sequence IN "
    "(SELECT sequence FROM job_frame WHERE frame = ?) ORDER BY sequence";
inline constexpr const char* kAddFrame =
    "INSERT OR IGNORE INTO job_frame (frame, sequence) VALUES (?, ?)";
inline constexpr const char* kStructureSetOf =
    "SELECT structure_set FROM linked WHERE instance = ? AND dose = 0";
inline constexpr const char* kCount = "SELECT count(*) FROM job WHERE state = ?";
inline constexpr const char* kSetResult =
    "INSERT OR REPLACE INTO result (sequence, json) VALUES (?, ?)";
inline constexpr const char* kResult = "SELECT json FROM result WHERE sequence = ?";

inline constexpr const char* kAddOutgoing =
    "INSERT INTO outgoing (sequence, object, sop_class, instance, octets) VALUES (?, ?, ?, ?, ?)";
inline constexpr const char* kOutgoing =
    "SELECT id, object, sop_class, instance, octets FROM outgoing WHERE sequence = ? ORDER BY id";
inline constexpr const char* kDropOutgoing = "DELETE FROM outgoing WHERE sequence = ?";
inline constexpr const char* kDropOutgoingObject =
    "DELETE FROM outgoing WHERE object = 1 AND instance = ?";

inline constexpr const char* kAddMessage =
    "INSERT INTO message (job, body, attempts, since, due) VALUES (?, ?, 0, ?, ?)";
inline constexpr const char* kNextMessage =
    "SELECT id, body, attempts, since FROM message WHERE due <= ? ORDER BY due, id LIMIT 1";
inline constexpr const char* kPostpone = "UPDATE message SET attempts = ?, due = ? WHERE id = ?";
inline constexpr const char* kDropMessage = "DELETE FROM message WHERE id = ?";

inline constexpr const char* kPatientKeys =
    "SELECT patient FROM job UNION SELECT patient FROM linked UNION SELECT patient FROM image";
inline constexpr const char* kJobsOfPatient =
    "SELECT sequence FROM job WHERE patient = ? AND received <= ?";
inline constexpr const char* kForgetMessages = "DELETE FROM message WHERE job = ?";
inline constexpr const char* kForgetJobs = "DELETE FROM job WHERE patient = ? AND received <= ?";
inline constexpr const char* kForgetLinked = "DELETE FROM linked WHERE patient = ? AND seen <= ?";
inline constexpr const char* kForgetImages = "DELETE FROM image WHERE patient = ? AND seen <= ?";

// A few at a time; 4: State::kDone.
inline constexpr const char* kDropJobs =
    "DELETE FROM job WHERE sequence IN "
    "(SELECT sequence FROM job WHERE state >= 4 AND finished < ? LIMIT 1000)";
inline constexpr const char* kDropLinked =
    "DELETE FROM linked WHERE instance IN (SELECT instance FROM linked WHERE seen < ? LIMIT 1000)";
inline constexpr const char* kDropImages =
    "DELETE FROM image WHERE instance IN (SELECT instance FROM image WHERE seen < ? LIMIT 10000)";
inline constexpr const char* kInputs =
    "SELECT sequence FROM job UNION SELECT sequence FROM linked WHERE dose = 1";

}  // namespace dr::extraction::sql
