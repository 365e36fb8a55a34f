#include <array>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include <cppconn/datatype.h>
#include <cppconn/driver.h>
#include <cppconn/exception.h>
#include <cppconn/prepared_statement.h>
#include <cppconn/resultset.h>
#include <cppconn/statement.h>
#include <mysql_driver.h>

#include "db/audit_store.h"
#include "db/mysql_sql.h"
#include "db/mysql_url.h"
#include "db/tables.h"
#include "dimse/base/log.h"

namespace dr::db {
namespace mysql {
namespace {

/// What the connector threw, as AuditStore::write() promises it. Where the server complains of a
/// value its message may hold it: then only the numbers are told.
Error mapped(const sql::SQLException& e) {
  const std::string state = e.getSQLState();
  const std::string where = "mysql " + std::to_string(e.getErrorCode()) + " " + state;
  const std::string_view kind = std::string_view(state).substr(0, 2);
  constexpr int kCheckViolated = 4025;
  constexpr int kIncorrectString = 1366;
  if (kind == "22" || kind == "23" || kind == "45" || e.getErrorCode() == kCheckViolated ||
      e.getErrorCode() == kIncorrectString) {
    return {Errc::kInvalid, where};
  }
  const std::string detail = where + ": " + e.what();
  switch (e.getErrorCode()) {
    case 1021:  // disk full
    case 1041:  // out of memory
    case 1114:  // table full
      return {Errc::kNoSpace, detail};
    case 1205:  // lock wait timeout
    case 1213:  // deadlock
      return {Errc::kConflict, detail};
    default:
      return {Errc::kIo, detail};
  }
}

/// Runs `work`; what the connector throws becomes an Error.
template <class F>
auto guarded(F&& work) -> decltype(work()) {
  try {
    return work();
  } catch (const sql::SQLException& e) {
    return mapped(e);
  }
}

/// Takes the columns of the present row from left to right.
class Columns {
 public:
  explicit Columns(const sql::ResultSet& rows) : rows_(rows) {}
  std::string text() { return rows_.getString(++index_); }
  std::uint64_t number() { return static_cast<std::uint64_t>(rows_.getInt64(++index_)); }
  std::uint32_t small() { return static_cast<std::uint32_t>(rows_.getInt64(++index_)); }
  UtcMicros time() { return from_micros(rows_.getInt64(++index_)); }
  Cell cell(const Column& of) {
    ++index_;
    if (rows_.isNull(index_)) return {};
    if (of.text) return std::string(rows_.getString(index_));
    if (of.real) return static_cast<double>(rows_.getDouble(index_));
    return rows_.getInt64(index_);
  }
  std::optional<UtcMicros> time_or_null() {
    ++index_;
    if (rows_.isNull(index_)) return std::nullopt;
    return from_micros(rows_.getInt64(index_));
  }
  std::optional<std::uint32_t> small_or_null() {
    ++index_;
    if (rows_.isNull(index_)) return std::nullopt;
    return static_cast<std::uint32_t>(rows_.getInt64(index_));
  }

 private:
  const sql::ResultSet& rows_;
  std::uint32_t index_ = 0;
};

using Connection = std::unique_ptr<sql::Connection>;

/// Takes back what was not committed. A connection that cannot do that is lost, and the server does
/// it; whoever uses it next is told.
class Transaction {
 public:
  explicit Transaction(sql::Connection& connection) : connection_(connection) {}
  ~Transaction() {
    if (committed_) return;
    try {
      connection_.rollback();
    } catch (const sql::SQLException& e) {
      log::event(log::Level::kInfo, "audit.rollback", {{"error", mapped(e).to_string()}});
    }
  }
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  void commit() {
    connection_.commit();
    committed_ = true;
  }

 private:
  sql::Connection& connection_;
  bool committed_ = false;
};

class MysqlStore final : public AuditStore {
 public:
  explicit MysqlStore(Connection connection) : connection_(std::move(connection)) {}

  Result<void> put(const Records& records) override {
    return guarded([&]() -> Result<void> {
      Transaction transaction(*connection_);
      for (std::size_t kind = 0; kind < kKinds; ++kind) put(kind, records.at(kind));
      transaction.commit();
      return {};
    });
  }

  Result<std::vector<Extent>> extents() override {
    return guarded([&]() -> Result<std::vector<Extent>> {
      const Transaction snapshot(*connection_);
      const std::unique_ptr<sql::Statement> statement(connection_->createStatement());
      const std::unique_ptr<sql::ResultSet> rows(statement->executeQuery(select_extents()));
      std::vector<Extent> found;
      while (rows->next()) {
        Columns c(*rows);
        found.push_back({c.text(), c.text(), c.number(), c.number()});
      }
      return merged(std::move(found));
    });
  }

  Result<Records> read(const Extent& extent) override {
    return guarded([&]() -> Result<Records> {
      const Transaction snapshot(*connection_);
      Records records;
      for (std::size_t kind = 0; kind < kKinds; ++kind) {
        const Statement statement(
            connection_->prepareStatement(select_span(kind, {"?", "?", "?", "?"})));
        statement->setString(1, extent.node);
        statement->setString(2, extent.spool_id);
        statement->setInt64(3, static_cast<std::int64_t>(extent.first));
        statement->setInt64(4, static_cast<std::int64_t>(extent.last));
        const std::unique_ptr<sql::ResultSet> rows(statement->executeQuery());
        while (rows->next()) {
          records.at(kind).push_back(read_record(Columns(*rows), tables().at(kind)));
        }
      }
      return records;
    });
  }

  Result<std::vector<StateCount>> state_counts(const Extent& extent, UtcMicros from,
                                               UtcMicros until) override {
    return guarded([&]() -> Result<std::vector<StateCount>> {
      const Transaction snapshot(*connection_);
      const Statement statement(
          connection_->prepareStatement(select_state_counts({"?", "?", "?", "?", "?", "?"})));
      statement->setString(1, extent.node);
      statement->setString(2, extent.spool_id);
      statement->setInt64(3, static_cast<std::int64_t>(extent.first));
      statement->setInt64(4, static_cast<std::int64_t>(extent.last));
      statement->setInt64(5, to_micros(from));
      statement->setInt64(6, to_micros(until) - 1);
      const std::unique_ptr<sql::ResultSet> rows(statement->executeQuery());
      std::vector<StateCount> counts;
      while (rows->next()) {
        Columns c(*rows);
        counts.push_back({c.text(), c.text(), c.number()});
      }
      return counts;
    });
  }

  Result<std::vector<std::string>> patient_keys() override {
    return guarded([&]() -> Result<std::vector<std::string>> {
      const Transaction snapshot(*connection_);
      const std::unique_ptr<sql::Statement> statement(connection_->createStatement());
      const std::unique_ptr<sql::ResultSet> rows(statement->executeQuery(kSelectPatientKeys));
      std::vector<std::string> keys;
      while (rows->next()) keys.push_back(Columns(*rows).text());
      return keys;
    });
  }

  Result<std::uint64_t> forget(const std::string& patient_key, UtcMicros until) override {
    return guarded([&]() -> Result<std::uint64_t> {
      Transaction transaction(*connection_);
      const Statement statement(connection_->prepareStatement(update_forget("?", "?")));
      statement->setString(1, patient_key);
      statement->setInt64(2, to_micros(until));
      const auto changed = static_cast<std::uint64_t>(statement->executeUpdate());
      for (std::size_t kind = 0; kind < kKinds; ++kind) {
        const std::string sql = delete_forgotten(kind);
        if (!sql.empty()) Statement(connection_->prepareStatement(sql))->executeUpdate();
      }
      transaction.commit();
      return changed;
    });
  }

  Result<void> forget_results(const Extent& extent) override {
    return guarded([&]() -> Result<void> {
      Transaction transaction(*connection_);
      static constexpr std::array<std::string_view, 4> kParameters{"?", "?", "?", "?"};
      for (std::size_t kind = 0; kind < kKinds; ++kind) {
        const std::string sql = delete_forgotten(kind, kParameters);
        if (sql.empty()) continue;
        const Statement statement(connection_->prepareStatement(sql));
        statement->setString(1, extent.node);
        statement->setString(2, extent.spool_id);
        statement->setInt64(3, static_cast<std::int64_t>(extent.first));
        statement->setInt64(4, static_cast<std::int64_t>(extent.last));
        statement->executeUpdate();
      }
      transaction.commit();
      return {};
    });
  }

  Result<std::uint64_t> prune(const Extent& extent, UtcMicros before) override {
    return guarded([&]() -> Result<std::uint64_t> {
      Transaction transaction(*connection_);
      std::uint64_t removed = 0;
      for (std::size_t kind = kKinds; kind-- > 0;) {
        const std::string sql = delete_span(kind, {"?", "?", "?", "?", "?"});
        if (sql.empty()) continue;
        const Statement statement(connection_->prepareStatement(sql));
        statement->setString(1, extent.node);
        statement->setString(2, extent.spool_id);
        statement->setInt64(3, static_cast<std::int64_t>(extent.first));
        statement->setInt64(4, static_cast<std::int64_t>(extent.last));
        statement->setInt64(5, to_micros(before));
        removed += static_cast<std::uint64_t>(statement->executeUpdate());
      }
      transaction.commit();
      return removed;
    });
  }

  Result<std::vector<Record>> actions(const std::string& action) override {
    return guarded([&]() -> Result<std::vector<Record>> {
      const Transaction snapshot(*connection_);
      const Statement statement(connection_->prepareStatement(select_actions("?")));
      statement->setString(1, action);
      const std::unique_ptr<sql::ResultSet> rows(statement->executeQuery());
      std::vector<Record> found;
      const Table& table = tables().at(Row(OperatorActionRow{}).index());
      while (rows->next()) found.push_back(read_record(Columns(*rows), table));
      return found;
    });
  }

  Result<std::vector<TracedObject>> trace(const std::string& uid, std::size_t limit) override {
    if (uid.empty()) return std::vector<TracedObject>{};
    return guarded([&]() -> Result<std::vector<TracedObject>> {
      // REPEATABLE READ: the rows of all four tables are of the same moment.
      const Transaction snapshot(*connection_);
      return trace_with(trace_sql(), [&](const std::string& sql, auto&& each) {
        const Statement statement(connection_->prepareStatement(sql));
        for (unsigned i = 1; i <= 3; ++i) statement->setString(i, uid);
        statement->setUInt64(4, limit);
        const std::unique_ptr<sql::ResultSet> rows(statement->executeQuery());
        while (rows->next()) each(Columns(*rows));
      });
    });
  }

 private:
  using Statement = std::unique_ptr<sql::PreparedStatement>;

  void put(std::size_t kind, std::span<const Record> records) {
    // Few sizes, so that each statement is prepared once.
    for (const std::size_t rows : {256U, 32U, 4U, 1U}) {
      for (; records.size() >= rows; records = records.subspan(rows)) {
        put(prepared(kind, rows), records.first(rows));
      }
    }
  }

  static void put(sql::PreparedStatement& statement, std::span<const Record> records) {
    unsigned index = 0;
    for (const Record& record : records) {
      for (const Cell& cell : record) {
        ++index;
        if (const auto* text = std::get_if<std::string>(&cell)) {
          statement.setString(index, *text);
        } else if (const auto* number = std::get_if<std::int64_t>(&cell)) {
          statement.setInt64(index, *number);
        } else if (const auto* real = std::get_if<double>(&cell)) {
          statement.setDouble(index, *real);
        } else {
          statement.setNull(index, sql::DataType::BIGINT);
        }
      }
    }
    statement.executeUpdate();
  }

  sql::PreparedStatement& prepared(std::size_t kind, std::size_t rows) {
    Statement& statement = statements_[{kind, rows}];
    if (!statement) {
      statement.reset(connection_->prepareStatement(insert(tables().at(kind), rows)));
    }
    return *statement;
  }

  Connection connection_;
  std::map<std::pair<std::size_t, std::size_t>, Statement> statements_;  // by kind and rows
};

void run(sql::Connection& connection, const std::string& sql) {
  const std::unique_ptr<sql::Statement> statement(connection.createStatement());
  statement->execute(sql);
}

/// The one number that a query answers; 0 for NULL.
std::int64_t number(sql::Connection& connection, const std::string& sql) {
  const std::unique_ptr<sql::Statement> statement(connection.createStatement());
  const std::unique_ptr<sql::ResultSet> rows(statement->executeQuery(sql));
  return rows->next() && !rows->isNull(1) ? rows->getInt64(1) : 0;
}

Result<std::uint32_t> schema_version(sql::Connection& connection) {
  if (number(connection, kHasMigrations) == 0) return std::uint32_t{0};
  const auto version = static_cast<std::uint32_t>(number(connection, kLastMigration));
  if (version > latest_version()) {
    return Error{Errc::kUnsupported, "audit schema version=" + std::to_string(version) +
                                         " known=" + std::to_string(latest_version())};
  }
  return version;
}

/// Each schema change is a transaction of its own here: what a migration that was cut short has
/// done already is there, and passed over.
void run_again(sql::Connection& connection, const std::string& statement) {
  try {
    run(connection, statement);
  } catch (const sql::SQLException& e) {
    constexpr int kTableExists = 1050;
    constexpr int kDuplicateColumn = 1060;
    constexpr int kDuplicateKeyName = 1061;
    const int code = e.getErrorCode();
    if (code != kTableExists && code != kDuplicateColumn && code != kDuplicateKeyName) throw;
  }
}

Result<void> migrate(sql::Connection& connection) {
  if (number(connection, kLockMigrations) != 1) {
    return Error{Errc::kConflict, "mysql: another node is changing the schema"};
  }
  connection.rollback();  // a new snapshot: what another node has just done is seen
  const auto version = schema_version(connection);
  if (!version) return version.error();
  run(connection, kCreateMigrationTable);
  for (const Migration& migration : migrations()) {
    if (migration.version <= *version) continue;
    for (const std::string& statement : statements(in_dialect(migration.sql, kDialect))) {
      run_again(connection, statement);
    }
    const std::unique_ptr<sql::PreparedStatement> record(
        connection.prepareStatement(kRecordMigration));
    record->setUInt(1, migration.version);
    record->setString(2, std::string(migration.name));
    record->executeUpdate();
    connection.commit();
  }
  number(connection, kUnlockMigrations);
  return {};
}

sql::ConnectOptionsMap options(const Url& url, const ServerSettings& settings) {
  const auto seconds = static_cast<int>(
      std::max(std::chrono::ceil<std::chrono::seconds>(settings.reply).count(), std::int64_t{1}));
  constexpr int kConnectSeconds = 5;
  sql::ConnectOptionsMap map;
  map["hostName"] = "tcp://" + url.host + ":" + std::to_string(url.port);
  map["userName"] = url.user;
  map["password"] = settings.password.empty() ? url.password : settings.password;
  map["schema"] = url.database;
  map["OPT_CONNECT_TIMEOUT"] = kConnectSeconds;
  map["OPT_READ_TIMEOUT"] = seconds;
  map["OPT_WRITE_TIMEOUT"] = seconds;
  map["OPT_CHARSET_NAME"] = std::string("utf8mb4");
  if (!url.ssl_ca.empty()) map["sslCA"] = url.ssl_ca;
  if (!url.ssl_cert.empty()) map["sslCert"] = url.ssl_cert;
  if (!url.ssl_key.empty()) map["sslKey"] = url.ssl_key;
  if (url.ssl_mode != "disabled" && url.ssl_mode != "preferred") map["sslEnforce"] = true;
  if (url.ssl_mode.starts_with("verify")) map["sslVerify"] = true;
  return map;
}

Connection connect(const Url& url, const ServerSettings& settings) {
  static std::mutex mutex;  // the driver's first use, and what it keeps of connecting, is not safe
  const std::scoped_lock lock(mutex);
  auto map = options(url, settings);
  Connection connection(sql::mysql::get_mysql_driver_instance()->connect(map));
  for (const char* setting : kSettings) run(*connection, setting);
  connection->setAutoCommit(false);
  return connection;
}

}  // namespace
}  // namespace mysql

Result<void> check_mysql_url(const std::string& url) {
  const auto parsed = mysql::parse_url(url);
  return parsed ? Result<void>{} : parsed.error();
}

Result<std::unique_ptr<AuditStore>> open_mysql(const ServerSettings& settings) {
  const auto url = mysql::parse_url(settings.url);
  if (!url) return url.error();
  return mysql::guarded([&]() -> Result<std::unique_ptr<AuditStore>> {
    auto connection = mysql::connect(*url, settings);
    const auto version = mysql::schema_version(*connection);
    if (!version) return version.error();
    if (*version != latest_version()) {
      if (auto migrated = mysql::migrate(*connection); !migrated) {
        return std::move(migrated).error();
      }
    }
    connection->rollback();  // ends the snapshot that looking has begun
    return std::unique_ptr<AuditStore>(std::make_unique<mysql::MysqlStore>(std::move(connection)));
  });
}

}  // namespace dr::db
