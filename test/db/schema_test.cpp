#include <fstream>
#include <map>
#include <regex>
#include <set>

#include "db/migrations.h"
#include "db/sqlite_sql.h"
#include "db/text.h"
#include "test/db/store_fixture.h"
#include "test/support/paths.h"

namespace dr::db {
namespace {

class Schema : public StoreTest {
 protected:
  /// "table.column type null" of every column of the real schema.
  std::set<std::string> real() const {
    SQLite::Database db(path(), SQLite::OPEN_READONLY);
    SQLite::Statement columns(
        db,
        "SELECT m.name || '.' || c.name || ' ' || c.type || iif(c.\"notnull\", ' no', ' yes') "
        "FROM sqlite_master m JOIN pragma_table_info(m.name) c WHERE m.type = 'table'");
    std::set<std::string> found;
    while (columns.executeStep()) found.insert(columns.getColumn(0).getString());
    return found;
  }

  /// Names of this type, each with its primary key where it is a table.
  std::map<std::string, std::string> names(const std::string& type) const {
    SQLite::Database db(path(), SQLite::OPEN_READONLY);
    SQLite::Statement rows(
        db,
        "SELECT m.name, (SELECT group_concat(name, ', ') FROM (SELECT name FROM "
        "pragma_table_info(m.name) WHERE pk > 0 ORDER BY pk)) FROM sqlite_master m WHERE type = '" +
            type + "'");
    std::map<std::string, std::string> found;
    while (rows.executeStep()) {
      found[rows.getColumn(0).getString()] = rows.getColumn(1).getString();
    }
    return found;
  }

  struct Page {
    std::set<std::string> columns;
    std::map<std::string, std::string> keys;
    std::map<std::string, std::string> views;
  };
  static Page page() {
    std::ifstream in((test::source_dir() / "db/schema.md").string());
    const std::regex heading("## (\\w+)");
    const std::regex column("\\| (\\w+) \\| ([^|]+) \\| (yes|no) \\| ([^|]+) \\|");
    const std::regex view("\\| (v_\\w+) \\| ([^|]+) \\|");
    const std::regex key("Primary key: ([^.]+)\\.");
    Page page;
    std::string table;
    std::smatch match;
    for (std::string line; std::getline(in, line);) {
      if (std::regex_match(line, match, heading)) table = match[1];
      if (std::regex_match(line, match, column)) {
        page.columns.insert(table + "." + match[1].str() + " " + match[2].str() + " " +
                            match[3].str());
      }
      if (std::regex_match(line, match, key)) page.keys[table] = match[1];
      if (std::regex_match(line, match, view)) page.views[match[1]] = "";
    }
    return page;
  }
};

TEST_F(Schema, ThePageNamesEveryColumnOfEveryTableAndNoOther) {
  ASSERT_TRUE(open());
  const Page told = page();
  EXPECT_GT(told.columns.size(), 150U);
  for (const auto& column : real()) {
    EXPECT_TRUE(told.columns.contains(column)) << "schema.md does not have " << column;
  }
  const auto have = real();
  for (const auto& column : told.columns) {
    EXPECT_TRUE(have.contains(column)) << "schema.md invents " << column;
  }
  EXPECT_EQ(told.keys, names("table"));
}

TEST_F(Schema, ThePageNamesEveryViewAndEachCanBeAsked) {
  ASSERT_TRUE(open()->write(rows_of_every_kind()).ok());
  auto views = names("view");
  for (auto& [name, nothing] : views) nothing.clear();
  EXPECT_EQ(page().views, views);
  SQLite::Database db(path(), SQLite::OPEN_READONLY);
  for (const auto& [view, nothing] : views) {
    EXPECT_NO_THROW(db.execAndGet("SELECT count(*) FROM " + view)) << view;
  }
  EXPECT_EQ(
      db.execAndGet("SELECT count(*) FROM v_life WHERE sop_instance_uid = '1.2.3.1'").getInt(),
      1 + 2 + 2 + 2);
  EXPECT_EQ(db.execAndGet("SELECT count(*) FROM v_waiting").getInt(), 1);
  EXPECT_EQ(db.execAndGet("SELECT count(*) FROM v_attempts").getInt(), 2);
  EXPECT_EQ(db.execAndGet("SELECT count(*) FROM v_changes").getInt(), 1);
  EXPECT_EQ(db.execAndGet("SELECT count(*) FROM v_refused").getInt(), 1);
  EXPECT_EQ(db.execAndGet("SELECT started_utc FROM v_attempts").getString(),
            "2023-11-14T22:13:20.500000Z");
}

TEST_F(Schema, WhatWasReceivedTodayIsInTodaysView) {
  auto today = instance(1);
  today.received = SystemClock().now_utc();
  auto before = instance(2);
  before.received = today.received - std::chrono::days(2);
  ASSERT_TRUE(open()->write(std::vector<Row>{today, before}).ok());
  EXPECT_EQ(number("SELECT count(*) FROM v_received_today"), 1);
}

TEST_F(Schema, EachMigrationIsAppliedOnce) {
  ASSERT_TRUE(open());
  const auto applied = dump();
  ASSERT_TRUE(open());
  EXPECT_EQ(dump(), applied);
  EXPECT_EQ(number("SELECT count(*) FROM schema_migration"),
            static_cast<std::int64_t>(migrations().size()));
  std::uint32_t last = 0;
  for (const Migration& migration : migrations()) EXPECT_EQ(migration.version, ++last);
}

TEST_F(Schema, AnOlderDatabaseIsBroughtUpToDateWithItsRows) {
  {
    SQLite::Database old(path(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
    old.exec(in_dialect(migrations().front().sql, Dialect{"", "TEXT", "0", "$"}));
    old.exec(
        "CREATE TABLE schema_migration (version INTEGER NOT NULL PRIMARY KEY, "
        "name VARCHAR(128) NOT NULL, applied BIGINT NOT NULL);"
        "INSERT INTO schema_migration VALUES (1, 'tables', 0);"
        "INSERT INTO operator_action (node, spool_id, sequence, time, who, action, target, detail) "
        "VALUES ('n', 's', 1, 2, 'w', 'a', 't', 'd')");
  }
  ASSERT_TRUE(open());
  EXPECT_EQ(number("SELECT max(version) FROM schema_migration"), latest_version());
  EXPECT_EQ(number("SELECT count(*) FROM v_changes"), 1);
}

TEST_F(Schema, TextColumnsHaveTheLimitsThatTextIsCutTo) {
  ASSERT_TRUE(open());
  const std::set<std::string> known = {"VARCHAR(36)", "VARCHAR(64)", "VARCHAR(128)", "VARCHAR(512)",
                                       "TEXT"};
  EXPECT_EQ(TextLimit::kSpoolId, 36U);
  EXPECT_EQ(TextLimit::kUid, 64U);
  EXPECT_EQ(TextLimit::kCode, 64U);
  EXPECT_EQ(TextLimit::kName, 128U);
  EXPECT_EQ(TextLimit::kLine, 512U);
  const std::regex text("\\S+ (VARCHAR\\(\\d+\\)|TEXT) .*");
  std::smatch match;
  for (const auto& column : real()) {
    if (std::regex_match(column, match, text)) {
      EXPECT_TRUE(known.contains(match[1])) << column;
    }
  }
}

TEST_F(Schema, TraceReadsNoMoreThanWhatItIsAskedFor) {
  ASSERT_TRUE(open());
  SQLite::Database db(path(), SQLite::OPEN_READONLY);
  const std::vector<std::pair<std::string, std::string>> narrowed = {
      {sqlite::kTraceInstances, "series_instance_uid=?"},
      {sqlite::kTraceDecisions, "sequence=?"},
      {sqlite::kTraceDeliveries, "instance_sequence=?"},
      {sqlite::kTraceStates, "sequence=?"},
  };
  for (const auto& [sql, by] : narrowed) {
    SQLite::Statement plan(db, "EXPLAIN QUERY PLAN " + sql);
    std::string steps;
    while (plan.executeStep()) steps += plan.getColumn(3).getString() + "\n";
    EXPECT_EQ(steps.find("SCAN"), std::string::npos) << steps;
    EXPECT_NE(steps.find(by), std::string::npos) << steps;
  }
}

}  // namespace
}  // namespace dr::db
