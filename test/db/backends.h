#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include <SQLiteCpp/SQLiteCpp.h>
#include <gtest/gtest.h>

#include "db/audit_store.h"
#include "db/migrations.h"
#include "test/support/mariadb.h"
#include "test/support/postgresql.h"
#include "test/support/temp_dir.h"

// One database of each kind, fresh for each test, as the typed suites use it: `open()` as the
// router does, `ask(sql)` as its administrator (a line a row, columns divided by '|', NULL as
// "NULL").

namespace dr::db {

inline std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

class Sqlite {
 public:
  static constexpr bool kServer = false;
  static constexpr const char* kColumns =
      "SELECT m.name, c.name, upper(c.type), iif(c.\"notnull\", 'no', 'yes') FROM sqlite_master m "
      "JOIN pragma_table_info(m.name) c WHERE m.type = 'table'";
  static constexpr const char* kViews = "SELECT name FROM sqlite_master WHERE type = 'view'";
  static constexpr const char* kRefuseXx =
      "CREATE TRIGGER refuse BEFORE INSERT ON instance WHEN NEW.modality = 'XX' "
      "BEGIN SELECT RAISE(ABORT, 'no'); END";

  Result<std::unique_ptr<AuditStore>> open() const { return open_sqlite(path()); }
  std::string ask(const std::string& sql) const {
    SQLite::Database db(path(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
    std::string text;
    for (const std::string& one : statements(sql + ";\n")) {
      SQLite::Statement rows(db, one);
      while (rows.executeStep()) {
        for (int i = 0; i < rows.getColumnCount(); ++i) {
          text += i == 0 ? "" : "|";
          text += rows.isColumnNull(i) ? "NULL" : rows.getColumn(i).getString();
        }
        text += '\n';
      }
    }
    return text;
  }

 private:
  std::string path() const { return (folder_ / "audit.sqlite").string(); }
  const test::TempDir folder_;
};

/// The server runs as long as the suite; each test has a database of its own.
template <class Server>
class ServerBackend {
 public:
  static constexpr bool kServer = true;

  ServerBackend() : database_("t" + std::to_string(++count())) {
    if (!server()) server() = std::make_unique<Server>();
    server()->create_database(database_);
  }
  static void end() { server().reset(); }
  static Server& running() { return *server(); }

  std::string ask(const std::string& sql) const { return server()->ask(sql, database_); }
  ServerSettings settings(std::uint16_t port = 0) const {
    return {.url = server()->url(database_, port), .password = Server::kPassword};
  }
  const std::string& database() const { return database_; }

 private:
  static std::unique_ptr<Server>& server() {
    static std::unique_ptr<Server> kServerOfSuite;
    return kServerOfSuite;
  }
  static int& count() {
    static int number = 0;
    return number;
  }
  const std::string database_;
};

class OnPostgresql : public ServerBackend<test::Postgresql> {
 public:
  static constexpr const char* kColumns =
      "SELECT table_name, column_name, CASE data_type WHEN 'character varying' THEN 'VARCHAR(' || "
      "character_maximum_length || ')' ELSE upper(data_type) END, lower(is_nullable) "
      "FROM information_schema.columns JOIN information_schema.tables USING (table_name) "
      "WHERE tables.table_schema = 'public' AND table_type = 'BASE TABLE'";
  static constexpr const char* kViews =
      "SELECT table_name FROM information_schema.views WHERE table_schema = 'public'";
  static constexpr const char* kRefuseXx =
      "ALTER TABLE instance ADD CONSTRAINT refuse CHECK (modality <> 'XX')";

  static Result<std::unique_ptr<AuditStore>> open(const ServerSettings& s) {
    return open_postgresql(s);
  }
  Result<std::unique_ptr<AuditStore>> open() const { return open(settings()); }
};

class OnMariadb : public ServerBackend<test::Mariadb> {
 public:
  static constexpr const char* kColumns =
      "SELECT table_name, column_name, CASE upper(column_type) WHEN 'BIGINT(20)' THEN 'BIGINT' "
      "WHEN 'INT(11)' THEN 'INTEGER' WHEN 'SMALLINT(6)' THEN 'SMALLINT' "
      "WHEN 'DOUBLE' THEN 'DOUBLE PRECISION' ELSE upper(column_type) END, lower(is_nullable) "
      "FROM information_schema.columns JOIN information_schema.tables "
      "USING (table_schema, table_name) WHERE table_schema = database() "
      "AND table_type = 'BASE TABLE'";
  static constexpr const char* kViews =
      "SELECT table_name FROM information_schema.views WHERE table_schema = database()";
  static constexpr const char* kRefuseXx =
      "ALTER TABLE instance ADD CONSTRAINT refuse CHECK (modality <> 'XX')";

  static Result<std::unique_ptr<AuditStore>> open(const ServerSettings& s) { return open_mysql(s); }
  Result<std::unique_ptr<AuditStore>> open() const { return open(settings()); }
};

/// A test of every back end.
template <class Backend>
class Store : public testing::Test {
 protected:
  static void TearDownTestSuite() {
    if constexpr (Backend::kServer) Backend::end();
  }

  std::unique_ptr<AuditStore> open() const {
    auto store = backend_.open();
    EXPECT_TRUE(store.ok()) << (store ? "" : store.error().to_string());
    return store ? std::move(*store) : nullptr;
  }
  std::string ask(const std::string& sql) const { return backend_.ask(sql); }
  std::int64_t number(const std::string& sql) const { return std::stoll(ask(sql)); }

  /// All rows of all tables but those of the migrations, in one order.
  std::string dump() const {
    std::vector<std::string> lines;
    for (const char* table : {"association", "instance", "decision", "delivery", "instance_state",
                              "security_event", "operator_action"}) {
      for (const std::string& line : lines_of(ask(std::string("SELECT * FROM ") + table))) {
        lines.push_back(std::string(table) + "|" + line);
      }
    }
    std::sort(lines.begin(), lines.end());
    std::string text;
    for (const auto& line : lines) text += line + '\n';
    return text;
  }
  void remove_all() const {
    ask("DELETE FROM instance;\nDELETE FROM decision;\nDELETE FROM delivery;\n"
        "DELETE FROM instance_state;\nDELETE FROM association;\nDELETE FROM security_event;\n"
        "DELETE FROM operator_action");
  }

  Backend backend_;
};

using AllBackends = testing::Types<Sqlite, OnPostgresql, OnMariadb>;
using Servers = testing::Types<OnPostgresql, OnMariadb>;

/// Names in test names.
struct BackendNames {
  template <class Backend>
  static std::string GetName(int) {
    if constexpr (std::is_same_v<Backend, Sqlite>) return "Sqlite";
    if constexpr (std::is_same_v<Backend, OnPostgresql>) return "Postgresql";
    return "Mariadb";
  }
};

}  // namespace dr::db
