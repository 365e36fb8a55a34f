#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <utility>

#include <SQLiteCpp/SQLiteCpp.h>

#include "db/audit_store.h"
#include "db/migrations.h"
#include "db/text.h"

namespace dr::db {
namespace {

// --- SQL -----------------------------------------------------------------------------------------

// WAL: readers (trace, an admin's sqlite3) never hold the writer back. FULL: each commit syncs the
// WAL, one sync a batch. NORMAL would not do: it leaves the last commits to the page cache, while
// the caller moves its journal cursor when write() has returned and the journal makes that position
// durable with its next group. Lose power in between, and the cursor has passed rows that the
// database no longer holds: nobody would write them again. With FULL the order is always rows on
// disk, then cursor; losing power between the two only repeats rows, which changes nothing.
constexpr const char* kSettings =
    "PRAGMA synchronous = FULL;"
    "PRAGMA cache_size = -16384;"  // 16 MiB
    "PRAGMA trusted_schema = OFF;";
constexpr const char* kJournalMode = "PRAGMA journal_mode = WAL";

constexpr Dialect kDialect{
    .table_suffix = "",
    .long_text = "TEXT",
    .today = "CAST(strftime('%s', 'now', 'start of day') AS INTEGER) * 1000000",
    .utc = "strftime('%Y-%m-%dT%H:%M:%S', $ / 1000000, 'unixepoch') || "
           "printf('.%06dZ', $ % 1000000)"};

constexpr const char* kCreateMigrationTable =
    "CREATE TABLE IF NOT EXISTS schema_migration (version INTEGER NOT NULL PRIMARY KEY, "
    "name VARCHAR(128) NOT NULL, applied BIGINT NOT NULL)";
constexpr const char* kLastMigration = "SELECT coalesce(max(version), 0) FROM schema_migration";
constexpr const char* kRecordMigration =
    "INSERT INTO schema_migration (version, name, applied) VALUES (?, ?, "
    "CAST((julianday('now') - 2440587.5) * 86400 AS INTEGER) * 1000000)";

constexpr const char* kInsertAssociation =
    "INSERT INTO association (node, spool_id, sequence, process_start, number, incoming, "
    "listener_or_destination, peer_address, peer_port, calling_ae_title, called_ae_title, "
    "tls_subject, implementation, started, ended, outcome, reason, objects, octets) "
    "VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) "
    "ON CONFLICT (node, spool_id, sequence) DO NOTHING";
// A digest that came before its instance left a row without a state: that one is filled in. Any
// other row stands, and its sha256 is never touched.
constexpr const char* kInsertInstance =
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
constexpr const char* kInsertDigest =
    "INSERT INTO instance (node, spool_id, sequence, sop_instance_uid, sop_class_uid, "
    "transfer_syntax_uid, study_instance_uid, series_instance_uid, modality, patient_key, octets, "
    "sha256, process_start, association, listener, peer_address, calling_ae_title, "
    "called_ae_title, received, status, state, rules_sha256, extract) "
    "VALUES (?,?,?,'','','','','','','',0,?,0,0,'','','','',0,0,'','',0) "
    "ON CONFLICT (node, spool_id, sequence) DO UPDATE SET sha256 = excluded.sha256 "
    "WHERE instance.sha256 IS NULL";
constexpr const char* kInsertDecision =
    "INSERT INTO decision (node, spool_id, sequence, rule_ordinal, rule, file, line, destinations, "
    "transform, rules_sha256) VALUES (?,?,?,?,?,?,?,?,?,?) "
    "ON CONFLICT (node, spool_id, sequence, rule_ordinal) DO NOTHING";
constexpr const char* kInsertDelivery =
    "INSERT INTO delivery (node, spool_id, sequence, instance_sequence, destination, attempt, "
    "started, finished, outcome, status, comment, octets, transfer_syntax_uid) "
    "VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT (node, spool_id, sequence) DO NOTHING";
constexpr const char* kInsertState =
    "INSERT INTO instance_state (node, spool_id, sequence, destination, state, reason, attempts, "
    "next_attempt, changed, changed_sequence) VALUES (?,?,?,?,?,?,?,?,?,?) "
    "ON CONFLICT (node, spool_id, sequence, destination) DO UPDATE SET state = excluded.state, "
    "reason = excluded.reason, attempts = excluded.attempts, next_attempt = excluded.next_attempt, "
    "changed = excluded.changed, changed_sequence = excluded.changed_sequence "
    "WHERE excluded.changed_sequence > instance_state.changed_sequence";
constexpr const char* kInsertSecurityEvent =
    "INSERT INTO security_event (node, spool_id, sequence, time, kind, listener, peer_address, "
    "calling_ae_title, called_ae_title, detail) VALUES (?,?,?,?,?,?,?,?,?,?) "
    "ON CONFLICT (node, spool_id, sequence) DO NOTHING";
constexpr const char* kInsertOperatorAction =
    "INSERT INTO operator_action (node, spool_id, sequence, time, who, action, target, detail) "
    "VALUES (?,?,?,?,?,?,?,?) ON CONFLICT (node, spool_id, sequence) DO NOTHING";

constexpr const char* kTraceInstances =
    "SELECT node, spool_id, sequence, sop_instance_uid, sop_class_uid, transfer_syntax_uid, "
    "study_instance_uid, series_instance_uid, modality, patient_key, octets, process_start, "
    "association, listener, peer_address, calling_ae_title, called_ae_title, received, durable, "
    "status, state, rules_sha256, extract, coalesce(sha256, '') FROM instance "
    "WHERE sop_instance_uid = ?1 OR series_instance_uid = ?1 OR study_instance_uid = ?1 "
    "ORDER BY received, node, spool_id, sequence LIMIT ?2";
constexpr const char* kTraceDecisions =
    "SELECT rule_ordinal, rule, file, line, destinations, transform, rules_sha256 FROM decision "
    "WHERE node = ? AND spool_id = ? AND sequence = ? ORDER BY rule_ordinal";
constexpr const char* kTraceDeliveries =
    "SELECT sequence, destination, attempt, started, finished, outcome, status, comment, octets, "
    "transfer_syntax_uid FROM delivery "
    "WHERE node = ? AND spool_id = ? AND instance_sequence = ? ORDER BY sequence";
constexpr const char* kTraceStates =
    "SELECT destination, state, reason, attempts, next_attempt, changed, changed_sequence "
    "FROM instance_state WHERE node = ? AND spool_id = ? AND sequence = ? ORDER BY destination";

// --- values --------------------------------------------------------------------------------------

Error mapped(const SQLite::Exception& e) {
  // SQLite's messages name tables and columns, never values.
  const std::string detail =
      "sqlite " + std::to_string(e.getExtendedErrorCode()) + ": " + e.getErrorStr();
  switch (e.getErrorCode()) {
    case SQLITE_FULL:
    case SQLITE_NOMEM:
      return {Errc::kNoSpace, detail};
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return {Errc::kCorrupt, detail};
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return {Errc::kConflict, detail};
    default:
      return {Errc::kIo, detail};
  }
}

/// Resets a prepared statement on every way out, so that no failed one keeps the transaction open.
class Use {
 public:
  explicit Use(SQLite::Statement& statement) : statement_(statement) {}
  ~Use() { statement_.tryReset(); }
  Use(const Use&) = delete;
  Use& operator=(const Use&) = delete;

  Use& text(const std::string& value, std::size_t limit) {
    if (is_clean_text(value, limit)) {
      statement_.bindNoCopy(++index_, value);  // the row outlives the step
    } else {
      statement_.bind(++index_, clean_text(value, limit));
    }
    return *this;
  }
  Use& code(const std::string& value) { return text(value, TextLimit::kCode); }
  Use& name(const std::string& value) { return text(value, TextLimit::kName); }
  Use& line(const std::string& value) { return text(value, TextLimit::kLine); }
  Use& uid(const std::string& value) { return text(value, TextLimit::kUid); }
  /// Above 2^63 the number is stored as its two's complement, and read back as it was.
  Use& number(std::uint64_t value) {
    statement_.bind(++index_, static_cast<std::int64_t>(value));
    return *this;
  }
  Use& time(UtcMicros value) {
    statement_.bind(++index_, to_micros(value));
    return *this;
  }
  Use& time(std::optional<UtcMicros> value) {
    if (value) return time(*value);
    statement_.bind(++index_);
    return *this;
  }
  Use& key(const Key& key) {
    return name(key.node).text(key.spool_id, TextLimit::kSpoolId).number(key.sequence);
  }
  /// A row of a key that names something else than this row.
  Use& key(const Key& key, std::uint64_t sequence) {
    return name(key.node).text(key.spool_id, TextLimit::kSpoolId).number(sequence);
  }
  Use& number_or_null(std::optional<std::uint32_t> value) {
    if (value) return number(*value);
    statement_.bind(++index_);
    return *this;
  }
  void run() { statement_.exec(); }
  bool next() { return statement_.executeStep(); }

 private:
  SQLite::Statement& statement_;
  int index_ = 0;
};

/// Takes the columns of a result row from left to right.
class Columns {
 public:
  explicit Columns(SQLite::Statement& statement) : statement_(statement) {}
  std::string text() { return next().getString(); }
  std::uint64_t number() { return static_cast<std::uint64_t>(next().getInt64()); }
  std::uint32_t small() { return static_cast<std::uint32_t>(next().getInt64()); }
  UtcMicros time() { return from_micros(next().getInt64()); }
  std::optional<UtcMicros> time_or_null() {
    const SQLite::Column column = next();
    if (column.isNull()) return std::nullopt;
    return from_micros(column.getInt64());
  }
  std::optional<std::uint32_t> small_or_null() {
    const SQLite::Column column = next();
    if (column.isNull()) return std::nullopt;
    return static_cast<std::uint32_t>(column.getInt64());
  }

 private:
  SQLite::Column next() { return statement_.getColumn(index_++); }

  SQLite::Statement& statement_;
  int index_ = 0;
};

InstanceRow read_instance(Columns& c) {
  InstanceRow i;
  i.key = {c.text(), c.text(), c.number()};
  i.sop_instance_uid = c.text();
  i.sop_class_uid = c.text();
  i.transfer_syntax_uid = c.text();
  i.study_instance_uid = c.text();
  i.series_instance_uid = c.text();
  i.modality = c.text();
  i.patient_key = c.text();
  i.octets = c.number();
  i.process_start = c.number();
  i.association = c.number();
  i.listener = c.text();
  i.peer_address = c.text();
  i.calling_ae_title = c.text();
  i.called_ae_title = c.text();
  i.received = c.time();
  i.durable = c.time_or_null();
  i.status = static_cast<std::uint16_t>(c.number());
  i.state = c.text();
  i.rules_sha256 = c.text();
  i.extract = c.number() != 0;
  return i;
}

// --- the store -----------------------------------------------------------------------------------

class SqliteStore final : public AuditStore {
 public:
  /// `db` is migrated and set up.
  explicit SqliteStore(SQLite::Database db) : db_(std::move(db)) {}

  Result<void> write(std::span<const Row> rows) override {
    try {
      // IMMEDIATE: waits for another writer here, once, rather than failing in the middle.
      SQLite::Transaction transaction(db_, SQLite::TransactionBehavior::IMMEDIATE);
      for (const Row& row : rows) std::visit([this](const auto& r) { put(r); }, row);
      transaction.commit();
      return {};
    } catch (const SQLite::Exception& e) {
      return mapped(e);
    }
  }

  Result<std::vector<TracedObject>> trace(const std::string& uid, std::size_t limit) override {
    std::vector<TracedObject> objects;
    if (uid.empty()) return objects;
    try {
      // One read transaction: the rows of all four tables are of the same moment.
      const SQLite::Transaction snapshot(db_);
      Use query(trace_instances_);
      query.uid(uid).number(limit);
      while (query.next()) {
        Columns columns(trace_instances_);
        TracedObject& object = objects.emplace_back();
        object.instance = read_instance(columns);
        object.sha256 = columns.text();
        add_decisions(object);
        add_deliveries(object);
        add_states(object);
      }
      return objects;
    } catch (const SQLite::Exception& e) {
      return mapped(e);
    }
  }

 private:
  void put(const AssociationRow& r) {
    Use use(association_);
    use.key(r.key).number(r.process_start).number(r.number).number(r.incoming ? 1 : 0);
    use.name(r.listener_or_destination).code(r.peer_address).number(r.peer_port);
    use.name(r.calling_ae_title).name(r.called_ae_title).line(r.tls_subject);
    use.line(r.implementation).time(r.started).time(r.ended).code(r.outcome).line(r.reason);
    use.number(r.objects).number(r.octets).run();
  }
  void put(const InstanceRow& r) {
    Use use(instance_);
    use.key(r.key).uid(r.sop_instance_uid).uid(r.sop_class_uid).uid(r.transfer_syntax_uid);
    use.uid(r.study_instance_uid).uid(r.series_instance_uid).code(r.modality);
    use.line(r.patient_key).number(r.octets).number(r.process_start).number(r.association);
    use.name(r.listener).code(r.peer_address).name(r.calling_ae_title).name(r.called_ae_title);
    use.time(r.received).time(r.durable).number(r.status).code(r.state).code(r.rules_sha256);
    use.number(r.extract ? 1 : 0).run();
  }
  void put(const DigestRow& r) {
    Use(digest_).key(r.key, r.instance_sequence).code(r.sha256).run();
  }
  void put(const DecisionRow& r) {
    Use use(decision_);
    use.key(r.key).number(r.rule_ordinal).name(r.rule).line(r.file).number(r.line);
    use.text(r.destinations, TextLimit::kText).text(r.transform, TextLimit::kText);
    use.code(r.rules_sha256).run();
  }
  void put(const DeliveryRow& r) {
    Use use(delivery_);
    use.key(r.key).number(r.instance_sequence).name(r.destination).number(r.attempt);
    use.time(r.started).time(r.finished).code(r.outcome).number_or_null(r.status);
    use.line(r.comment).number(r.octets).uid(r.transfer_syntax_uid).run();
  }
  void put(const InstanceStateRow& r) {
    Use use(state_);
    use.key(r.key).name(r.destination).code(r.state).line(r.reason).number(r.attempts);
    use.time(r.next_attempt).time(r.changed).number(r.changed_sequence).run();
  }
  void put(const SecurityEventRow& r) {
    Use use(security_event_);
    use.key(r.key).time(r.time).code(r.kind).name(r.listener).code(r.peer_address);
    use.name(r.calling_ae_title).name(r.called_ae_title).text(r.detail, TextLimit::kText).run();
  }
  void put(const OperatorActionRow& r) {
    Use use(operator_action_);
    use.key(r.key).time(r.time).name(r.who).code(r.action).line(r.target);
    use.text(r.detail, TextLimit::kText).run();
  }

  void add_decisions(TracedObject& object) {
    Use query(trace_decisions_);
    query.key(object.instance.key);
    while (query.next()) {
      Columns c(trace_decisions_);
      object.decisions.push_back({.key = object.instance.key,
                                  .rule_ordinal = c.small(),
                                  .rule = c.text(),
                                  .file = c.text(),
                                  .line = c.small(),
                                  .destinations = c.text(),
                                  .transform = c.text(),
                                  .rules_sha256 = c.text()});
    }
  }
  void add_deliveries(TracedObject& object) {
    const Key& key = object.instance.key;
    Use query(trace_deliveries_);
    query.key(key);
    while (query.next()) {
      Columns c(trace_deliveries_);
      object.deliveries.push_back({.key = {key.node, key.spool_id, c.number()},
                                   .instance_sequence = key.sequence,
                                   .destination = c.text(),
                                   .attempt = c.small(),
                                   .started = c.time(),
                                   .finished = c.time(),
                                   .outcome = c.text(),
                                   .status = c.small_or_null(),
                                   .comment = c.text(),
                                   .octets = c.number(),
                                   .transfer_syntax_uid = c.text()});
    }
  }
  void add_states(TracedObject& object) {
    Use query(trace_states_);
    query.key(object.instance.key);
    while (query.next()) {
      Columns c(trace_states_);
      object.states.push_back({.key = object.instance.key,
                               .destination = c.text(),
                               .state = c.text(),
                               .reason = c.text(),
                               .attempts = c.small(),
                               .next_attempt = c.time_or_null(),
                               .changed = c.time(),
                               .changed_sequence = c.number()});
    }
  }

  SQLite::Database db_;
  SQLite::Statement association_{db_, kInsertAssociation};
  SQLite::Statement instance_{db_, kInsertInstance};
  SQLite::Statement digest_{db_, kInsertDigest};
  SQLite::Statement decision_{db_, kInsertDecision};
  SQLite::Statement delivery_{db_, kInsertDelivery};
  SQLite::Statement state_{db_, kInsertState};
  SQLite::Statement security_event_{db_, kInsertSecurityEvent};
  SQLite::Statement operator_action_{db_, kInsertOperatorAction};
  SQLite::Statement trace_instances_{db_, kTraceInstances};
  SQLite::Statement trace_decisions_{db_, kTraceDecisions};
  SQLite::Statement trace_deliveries_{db_, kTraceDeliveries};
  SQLite::Statement trace_states_{db_, kTraceStates};
};

// --- opening -------------------------------------------------------------------------------------

Result<void> sync_folder(const std::filesystem::path& folder) {
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return errno_error("open " + folder.string(), errno);
  const bool synced = ::fsync(fd) == 0;
  const int err = errno;
  ::close(fd);
  if (!synced) return errno_error("sync " + folder.string(), err);
  return {};
}

/// Makes `folder` and what is missing above it, each durable before the next.
Result<void> make_folder(const std::filesystem::path& folder) {
  if (folder.empty() || std::filesystem::exists(std::filesystem::status(folder))) return {};
  if (const auto above = make_folder(folder.parent_path()); !above) return above;
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) {
    return errno_error("create " + folder.string(), errno);
  }
  return sync_folder(folder.has_parent_path() ? folder.parent_path() : ".");
}

/// Creates the file, readable by its owner alone: it may hold what leads to patients. SQLite gives
/// its -wal and -shm files the same mode.
Result<void> make_file(const std::filesystem::path& path) {
  if (const auto made = make_folder(path.parent_path()); !made) return made;
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return errno_error("open " + path.string(), errno);
  ::close(fd);
  return sync_folder(path.has_parent_path() ? path.parent_path() : ".");
}

Result<void> migrate(SQLite::Database& db) {
  // IMMEDIATE is the lock: a second process that opens at the same time waits here.
  SQLite::Transaction transaction(db, SQLite::TransactionBehavior::IMMEDIATE);
  db.exec(kCreateMigrationTable);
  const std::uint32_t last = db.execAndGet(kLastMigration).getUInt();
  const std::uint32_t known = migrations().back().version;
  if (last > known) {
    return Error{Errc::kUnsupported, "audit schema version=" + std::to_string(last) +
                                         " known=" + std::to_string(known)};
  }
  for (const Migration& migration : migrations()) {
    if (migration.version <= last) continue;
    db.exec(in_dialect(migration.sql, kDialect));
    SQLite::Statement record(db, kRecordMigration);
    record.bind(1, migration.version);
    record.bind(2, std::string(migration.name));
    record.exec();
  }
  transaction.commit();
  return {};
}

}  // namespace

Result<std::unique_ptr<AuditStore>> open_sqlite(const std::string& path) {
  if (const auto made = make_file(path); !made) return made.error();
  try {
    constexpr int kBusyMilliseconds = 10'000;
    SQLite::Database db(path, SQLite::OPEN_READWRITE, kBusyMilliseconds);
    if (db.execAndGet(kJournalMode).getString() != "wal") {
      return Error{Errc::kUnsupported, "sqlite: no write-ahead log on this file system"};
    }
    db.exec(kSettings);
    if (const auto migrated = migrate(db); !migrated) return migrated.error();
    return std::unique_ptr<AuditStore>(std::make_unique<SqliteStore>(std::move(db)));
  } catch (const SQLite::Exception& e) {
    return mapped(e);
  }
}

}  // namespace dr::db
