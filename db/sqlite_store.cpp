#include <array>
#include <cerrno>
#include <filesystem>
#include <utility>

#include <SQLiteCpp/SQLiteCpp.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "db/audit_store.h"
#include "db/migrations.h"
#include "db/row_text.h"
#include "db/sqlite_sql.h"
#include "db/sqlite_statement.h"
#include "db/sqlite_trace.h"
#include "db/tables.h"
#include "dimse/base/file_system.h"

namespace dr::db {
namespace sqlite {
namespace {

class SqliteStore final : public AuditStore {
 public:
  /// `db` is migrated and set up.
  explicit SqliteStore(SQLite::Database db) : db_(std::move(db)) {}

  Result<void> put(const Records& records) override {
    try {
      // IMMEDIATE: waits for another writer here, once, rather than failing in the middle.
      SQLite::Transaction transaction(db_, SQLite::TransactionBehavior::IMMEDIATE);
      for (std::size_t kind = 0; kind < kKinds; ++kind) {
        for (const Record& record : records.at(kind)) Use(inserts_.at(kind)).cells(record).run();
      }
      transaction.commit();
      return {};
    } catch (const SQLite::Exception& e) {
      return mapped(e);
    }
  }

  Result<std::vector<Extent>> extents() override {
    try {
      std::vector<Extent> found;
      SQLite::Statement rows(db_, select_extents());
      while (rows.executeStep()) {
        Columns c(rows);
        found.push_back({c.text(), c.text(), c.number(), c.number()});
      }
      return merged(std::move(found));
    } catch (const SQLite::Exception& e) {
      return mapped(e);
    }
  }

  Result<Records> read(const Extent& extent) override {
    try {
      const SQLite::Transaction snapshot(db_);
      Records records;
      for (std::size_t kind = 0; kind < kKinds; ++kind) {
        SQLite::Statement rows(db_, select_span(kind, {"?", "?", "?", "?"}));
        Use query(rows);
        query.text(extent.node).text(extent.spool_id).number(extent.first).number(extent.last);
        while (query.next()) {
          records.at(kind).push_back(read_record(Columns(rows), tables().at(kind)));
        }
      }
      return records;
    } catch (const SQLite::Exception& e) {
      return mapped(e);
    }
  }

  Result<std::vector<StateCount>> state_counts(const Extent& extent, UtcMicros from,
                                               UtcMicros until) override {
    try {
      std::vector<StateCount> counts;
      SQLite::Statement rows(db_, select_state_counts({"?", "?", "?", "?", "?", "?"}));
      Use query(rows);
      query.text(extent.node).text(extent.spool_id).number(extent.first).number(extent.last);
      query.number(static_cast<std::uint64_t>(to_micros(from)));
      query.number(static_cast<std::uint64_t>(to_micros(until) - 1));
      while (query.next()) {
        Columns c(rows);
        counts.push_back({c.text(), c.text(), c.number()});
      }
      return counts;
    } catch (const SQLite::Exception& e) {
      return mapped(e);
    }
  }

  Result<std::vector<std::string>> patient_keys() override {
    try {
      std::vector<std::string> keys;
      SQLite::Statement rows(db_, kSelectPatientKeys);
      while (rows.executeStep()) keys.push_back(rows.getColumn(0).getString());
      return keys;
    } catch (const SQLite::Exception& e) {
      return mapped(e);
    }
  }

  Result<std::uint64_t> forget(const std::string& patient_key, UtcMicros until) override {
    try {
      SQLite::Transaction transaction(db_, SQLite::TransactionBehavior::IMMEDIATE);
      SQLite::Statement update(db_, update_forget("?", "?"));
      Use(update).text(patient_key).number(static_cast<std::uint64_t>(to_micros(until))).run();
      const auto changed = static_cast<std::uint64_t>(db_.getChanges());
      for (std::size_t kind = 0; kind < kKinds; ++kind) {
        const std::string sql = delete_forgotten(kind);
        if (!sql.empty()) db_.exec(sql);
      }
      transaction.commit();
      return changed;
    } catch (const SQLite::Exception& e) {
      return mapped(e);
    }
  }

  Result<void> forget_results(const Extent& extent) override {
    try {
      SQLite::Transaction transaction(db_, SQLite::TransactionBehavior::IMMEDIATE);
      static constexpr std::array<std::string_view, 4> kParameters{"?", "?", "?", "?"};
      for (std::size_t kind = 0; kind < kKinds; ++kind) {
        const std::string sql = delete_forgotten(kind, kParameters);
        if (sql.empty()) continue;
        SQLite::Statement remove(db_, sql);
        Use query(remove);
        query.text(extent.node).text(extent.spool_id).number(extent.first).number(extent.last);
        query.run();
      }
      transaction.commit();
      return {};
    } catch (const SQLite::Exception& e) {
      return mapped(e);
    }
  }

  Result<std::uint64_t> prune(const Extent& extent, UtcMicros before) override {
    try {
      SQLite::Transaction transaction(db_, SQLite::TransactionBehavior::IMMEDIATE);
      std::uint64_t removed = 0;
      for (std::size_t kind = kKinds; kind-- > 0;) {
        const std::string sql = delete_span(kind, {"?", "?", "?", "?", "?"});
        if (sql.empty()) continue;
        SQLite::Statement remove(db_, sql);
        Use(remove)
            .text(extent.node)
            .text(extent.spool_id)
            .number(extent.first)
            .number(extent.last)
            .number(static_cast<std::uint64_t>(to_micros(before)))
            .run();
        removed += static_cast<std::uint64_t>(db_.getChanges());
      }
      transaction.commit();
      return removed;
    } catch (const SQLite::Exception& e) {
      return mapped(e);
    }
  }

  Result<std::vector<Record>> actions(const std::string& action) override {
    try {
      std::vector<Record> found;
      SQLite::Statement rows(db_, select_actions("?"));
      Use query(rows);
      query.text(action);
      const Table& table = tables().at(Row(OperatorActionRow{}).index());
      while (query.next()) found.push_back(read_record(Columns(rows), table));
      return found;
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
      return trace_.find(uid, limit);
    } catch (const SQLite::Exception& e) {
      return mapped(e);
    }
  }

 private:
  static std::vector<SQLite::Statement> prepare_inserts(SQLite::Database& db) {
    std::vector<SQLite::Statement> statements;
    for (const Table& table : tables()) statements.emplace_back(db, insert(table));
    return statements;
  }

  SQLite::Database db_;
  std::vector<SQLite::Statement> inserts_ = prepare_inserts(db_);  // by Row::index()
  Trace trace_{db_};
};

/// Creates the file where it is missing, readable by its owner alone: it may hold what leads to
/// patients. SQLite gives its -wal and -shm files the same mode. A file that exists is not opened:
/// closing it again would drop the locks that another connection of this process holds on it.
Result<void> make_file(const std::filesystem::path& path) {
  if (auto made = make_folders(path.parent_path(), 0700); !made) return made;
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0 && errno == EEXIST) return {};
  if (fd < 0) return errno_error("create " + path.string(), errno);
  ::close(fd);
  return sync_folder(path.has_parent_path() ? path.parent_path() : ".");
}

/// The schema's version, 0 in an empty database; kUnsupported above what this program knows.
Result<std::uint32_t> schema_version(SQLite::Database& db) {
  if (!db.tableExists("schema_migration")) return std::uint32_t{0};
  const std::uint32_t version = db.execAndGet(kLastMigration).getUInt();
  if (version > latest_version()) {
    return Error{Errc::kUnsupported, "audit schema version=" + std::to_string(version) +
                                         " known=" + std::to_string(latest_version())};
  }
  return version;
}

Result<void> migrate(SQLite::Database& db) {
  // IMMEDIATE is the lock: a second process that opens at the same time waits here.
  SQLite::Transaction transaction(db, SQLite::TransactionBehavior::IMMEDIATE);
  const auto version = schema_version(db);
  if (!version) return version.error();
  db.exec(kCreateMigrationTable);
  for (const Migration& migration : migrations()) {
    if (migration.version <= *version) continue;
    db.exec(in_dialect(migration.sql, kDialect));
    SQLite::Statement record(db, kRecordMigration);
    record.bind(1, migration.version);
    record.bind(2, std::string(migration.name));
    record.exec();
  }
  transaction.commit();
  return {};
}

/// A newer schema is refused before anything is written.
Result<void> prepare(SQLite::Database& db) {
  const auto version = schema_version(db);
  if (!version) return version.error();
  if (db.execAndGet(kJournalMode).getString() != "wal") {
    return Error{Errc::kUnsupported, "sqlite: no write-ahead log on this file system"};
  }
  db.exec(kSettings);
  return *version == latest_version() ? Result<void>{} : migrate(db);
}

}  // namespace
}  // namespace sqlite

Result<std::unique_ptr<AuditStore>> open_sqlite(const std::string& path) {
  if (auto made = sqlite::make_file(path); !made) return std::move(made).error();
  try {
    // Another writer's transaction is short; longer than this, the caller tries again.
    constexpr int kBusyMilliseconds = 2'000;
    SQLite::Database db(path, SQLite::OPEN_READWRITE, kBusyMilliseconds);
    if (auto prepared = sqlite::prepare(db); !prepared) return std::move(prepared).error();
    return std::unique_ptr<AuditStore>(std::make_unique<sqlite::SqliteStore>(std::move(db)));
  } catch (const SQLite::Exception& e) {
    return sqlite::mapped(e);
  }
}

}  // namespace dr::db
