#include "router/audit/compare.h"

#include <fstream>

#include <SQLiteCpp/SQLiteCpp.h>

#include "router/audit/forget.h"
#include "router/audit/journal_rows.h"
#include "router/audit/retention.h"
#include "test/router/audit/audit_fixture.h"
#include "test/support/mariadb.h"
#include "test/support/postgresql.h"

namespace dr::audit {
namespace {

/// A journal, its heads, and the same rows in SQLite, in PostgreSQL and in MariaDB.
class CompareTest : public AuditTest {
 protected:
  void SetUp() override {
    AuditTest::SetUp();
    ChainKeeper keeper(*journal_, *files_, sealer_, "router-1");
    forward_.to([&](Sequence watermark) { keeper.advanced(watermark); });
    for (unsigned i = 1; i <= 40; ++i) {
      auto record = object(i, {"archive", "orthanc"});
      record.patient_key = "patient-" + std::to_string(i % 4);
      const Sequence sequence = append_record(std::move(record));
      append_outcome(sequence, "orthanc", DeliveryState::kDelivered);
      ASSERT_TRUE(journal_->append(journal::DigestRecord{sequence, std::string(64, 'd')}).ok());
    }
    journal::SecurityRecord refused;
    refused.time = from_micros(1'700'000'002'000'000);
    refused.kind = "association-refused";
    ASSERT_TRUE(journal_->append(refused).ok());
    settle();
    forward_.to({});
    keeper.stop(kPatience);
    write_all();
  }
  void TearDown() override {
    sources_.clear();
    journal_.reset();
  }

  std::vector<std::pair<std::string, Feed::Open>> databases() {
    const db::ServerSettings pg{.url = postgresql_.url(), .password = postgresql_.kPassword};
    const db::ServerSettings my{.url = mariadb_.url(), .password = mariadb_.kPassword};
    return {{"sqlite", opener()},
            {"postgresql", [pg] { return db::open_postgresql(pg); }},
            {"mysql", [my] { return db::open_mysql(my); }}};
  }

  /// Everything that is durable, into all of them and into the heads.
  void write_all() {
    for (const auto& [name, open] : databases()) {
      Feed feed(name, open, *journal_, "router-1", events(), &sealer_);
      ASSERT_TRUE(feed.wait_written(journal_->watermark(), kPatience));
    }
    ChainKeeper keeper(*journal_, *files_, sealer_, "router-1");
    keeper.stop(kPatience);
  }

  Comparison compared(bool with_journal = true) {
    sources_.clear();
    for (const auto& [name, open] : databases()) {
      auto store = open();
      EXPECT_TRUE(store.ok());
      sources_.push_back({name, std::move(*store), false});
    }
    if (with_journal)
      sources_.push_back(
          {"journal", std::make_shared<JournalRows>(*journal_, "router-1", sealer_), true});
    CompareOptions options;
    options.heads =
        [&](const std::string& node,
            const std::string& spool_id) -> Result<std::optional<std::map<Day, DayHead>>> {
      auto days = HeadFiles(*files_, sealer_, node, spool_id).read();
      if (!days) return std::move(days).error();
      return std::optional(std::move(*days));
    };
    auto result = compare(sources_, sealer_, options);
    EXPECT_TRUE(result.ok()) << (result ? "" : result.error().to_string());
    return result ? std::move(*result) : Comparison{};
  }
  static std::string text_of(const Comparison& c) {
    std::string text;
    for (const auto& f : c.findings) {
      text += f.source + ": " + f.table + " " + f.key + ": " + f.what + "\n";
    }
    return text;
  }
  void in_sqlite(const std::string& sql) const {
    SQLite::Database(database(), SQLite::OPEN_READWRITE).exec(sql);
  }

  const Sealer sealer_{"a key for tests"};
  test::Postgresql postgresql_;
  test::Mariadb mariadb_;
  std::vector<Source> sources_;
};

TEST_F(CompareTest, WhatWasWrittenAgreesEverywhere) {
  const auto c = compared();
  EXPECT_EQ(text_of(c), "");
  EXPECT_EQ(c.unsealed, 0U);
  EXPECT_GT(c.rows, 40U * 6);
  ASSERT_EQ(c.days.size(), 1U);
  EXPECT_EQ(c.days[0].day, "2023-11-14");
  EXPECT_EQ(c.days[0].head, "good");
  EXPECT_EQ(c.days[0].rows.at("postgresql"), 40U * 3 + 2 + 1);
  EXPECT_EQ(c.days[0].rows.at("mysql"), c.days[0].rows.at("journal"));
}

/// Each table, in each server: the row is named, and so is the column.
TEST_F(CompareTest, ARowThatWasChangedByHandIsFoundAndNamed) {
  const std::vector<std::pair<std::string, std::string>> changes = {
      {"instance", "modality = 'XX'"},
      {"instance", "sha256 = 'ffff'"},
      {"decision", "rule = 'other'"},
      {"delivery", "outcome = 'delivered'"},
      {"instance_state", "state = 'dropped'"},
      {"security_event", "peer_address = '10.0.0.1'"},
      {"instance", "received = received + 1"},
      {"delivery", "status = NULL"},
      {"instance", "seal = ''"}};
  for (const bool in_postgresql : {true, false}) {
    const auto ask = [&](const std::string& sql) {
      return in_postgresql ? postgresql_.ask(sql) : mariadb_.ask(sql);
    };
    const std::string name = in_postgresql ? "postgresql" : "mysql";
    for (const auto& [table, change] : changes) {
      const std::string one = ask("SELECT min(sequence) FROM " + table);
      const std::string where = " WHERE sequence = " + one.substr(0, one.size() - 1);
      const std::string column = change.substr(0, change.find(' '));
      ask("CREATE TABLE kept AS SELECT * FROM " + table + where);
      ask("UPDATE " + table + " SET " + change + where);
      const auto c = compared();
      ASSERT_FALSE(c.findings.empty()) << table << " " << change;
      EXPECT_EQ(c.findings[0].source, name) << text_of(c);
      EXPECT_EQ(c.findings[0].table, table);
      EXPECT_TRUE(c.findings[0].key.starts_with("router-1/" + journal_->spool_id() + "/" +
                                                one.substr(0, one.size() - 1)))
          << c.findings[0].key;
      EXPECT_NE(c.findings[0].what.find(column), std::string::npos) << text_of(c);
      for (const auto& f : c.findings) EXPECT_EQ(f.source, name) << text_of(c);
      ask("DELETE FROM " + table + where);
      ask("INSERT INTO " + table + " SELECT * FROM kept");
      ask("DROP TABLE kept");
      ASSERT_EQ(text_of(compared()), "");
    }
  }
}

TEST_F(CompareTest, ARowThatIsMissingIsNamedAndTheChainOfItsDayBreaks) {
  mariadb_.ask("DELETE FROM security_event");
  const auto c = compared();
  ASSERT_EQ(c.findings.size(), 2U) << text_of(c);
  EXPECT_EQ(c.findings[0].source, "mysql");
  EXPECT_EQ(c.findings[0].table, "security_event");
  EXPECT_NE(c.findings[0].what.find("missing"), std::string::npos);
  EXPECT_NE(c.findings[1].what.find("chain"), std::string::npos);
  EXPECT_EQ(c.days.at(0).head, "wrong");
}

TEST_F(CompareTest, TheSameChangeInEveryDatabaseIsFoundByTheSeals) {
  const std::string sql = "UPDATE delivery SET outcome = 'delivered' WHERE instance_sequence = 1";
  postgresql_.ask(sql);
  mariadb_.ask(sql);
  in_sqlite(sql);
  const auto c = compared();
  ASSERT_EQ(c.findings.size(), 3U) << text_of(c);
  for (const auto& f : c.findings) {
    EXPECT_NE(f.what.find("its seal does not match"), std::string::npos);
    EXPECT_NE(f.what.find("differs from journal in outcome"), std::string::npos) << f.what;
  }
}

TEST_F(CompareTest, TheSameRowTakenOutOfEveryDatabaseIsFoundByTheHead) {
  for (const char* sql : {"DELETE FROM operator_action", "DELETE FROM security_event"}) {
    postgresql_.ask(sql);
    mariadb_.ask(sql);
    in_sqlite(sql);
  }
  // As when the journal no longer reaches back: only the head knows.
  const auto c = compared(false);
  EXPECT_EQ(c.days.at(0).head, "wrong");
  ASSERT_EQ(c.findings.size(), 3U) << text_of(c);
  for (const auto& f : c.findings) EXPECT_NE(f.what.find("chain of the day"), std::string::npos);
}

TEST_F(CompareTest, AHeadThatWasChangedIsNotBelieved) {
  const auto folder = folder_ / "spool" / "audit-heads";
  const auto file = std::filesystem::directory_iterator(folder)->path();
  std::string text = test::read_text(file);
  text.replace(text.find(" 123 "), 5, " 122 ");
  std::ofstream(file) << text;
  const auto c = compared();
  ASSERT_EQ(c.findings.size(), 1U) << text_of(c);
  EXPECT_EQ(c.findings[0].source, "heads");
}

TEST_F(CompareTest, HeadsGoOnAfterARestart) {
  reopen();
  (void)append_object(100);
  settle();
  write_all();
  reopen();
  (void)append_object(101);
  settle();
  write_all();
  const auto c = compared();
  EXPECT_EQ(text_of(c), "");
  EXPECT_EQ(c.days.at(0).head, "good");
}

TEST_F(CompareTest, AForgottenPatientIsGoneEverywhereAndTheChainsHold) {
  auto record = forget_record(sealer_, "patient-1", "ops", from_micros(1'800'000'000'000'000));
  ASSERT_TRUE(record.ok());
  EXPECT_EQ(record->target.find("patient-1"), std::string::npos);
  ASSERT_TRUE(journal_->append(*record).ok());
  settle();
  write_all();
  for (const std::string& text :
       {postgresql_.ask("SELECT count(*) FROM instance WHERE patient_key = 'patient-1'"),
        mariadb_.ask("SELECT count(*) FROM instance WHERE patient_key = 'patient-1'")}) {
    EXPECT_EQ(text, "0\n");
  }
  const std::string gone =
      "SELECT count(*) FROM instance WHERE state = 'forgotten' AND sop_instance_uid = '' AND "
      "study_instance_uid = '' AND series_instance_uid = '' AND sha256 IS NULL";
  EXPECT_EQ(postgresql_.ask(gone), "10\n");
  EXPECT_EQ(mariadb_.ask(gone), "10\n");
  EXPECT_TRUE(stored("1.2.3.1").empty());
  EXPECT_EQ(stored("1.2.3.2").size(), 1U);
  const auto c = compared();
  EXPECT_EQ(text_of(c), "");
  EXPECT_EQ(c.forgotten, 10U);
  for (const auto& day : c.days) EXPECT_EQ(day.head, "good") << day.day;
  // Written anew out of the journal, which still has the rows, it is forgotten again.
  mariadb_.ask("DELETE FROM instance");
  journal_->drop_cursor("audit-mysql");
  write_all();
  EXPECT_EQ(mariadb_.ask(gone), "10\n");
  EXPECT_EQ(text_of(compared()), "");
}

/// A row for each table of results.
journal::ExtractionRecord result_of(Sequence instance) {
  journal::ExtractionRecord result;
  result.instance = instance;
  result.sop_instance_uid = uid_literal("1.2.3.300");
  result.outcome = "done";
  result.rois.emplace_back().number = 3;
  result.contours.push_back({3, 0, "POINT", 1, {}, {}, {}, {}});
  result.findings.push_back({0, false, 0, "no_rois", "info", "text"});
  result.dvhs.push_back({3, uid_literal("1.9"), "GY", "PHYSICAL", "plan", 1, 2, 3, 4, 5, {}, "[]"});
  return result;
}

TEST_F(CompareTest, ResultsOfAForgottenPatientGoAndThoseThatComeAfterwardsToo) {
  const auto append_structure_set = [&](unsigned number, const std::string& patient_key) {
    auto record = object(number, {"archive"});
    record.patient_key = patient_key;
    const Sequence sequence = append_record(std::move(record));
    EXPECT_TRUE(journal_->append(result_of(sequence)).ok());
    return sequence;
  };
  const auto rows = [&] {
    std::string counts;
    for (const char* table : {"rt_structure_set", "rt_roi", "rt_contour", "rt_finding", "rt_dvh"}) {
      const std::string sql = std::string("SELECT count(*) FROM ") + table;
      SQLite::Database sqlite(database(), SQLite::OPEN_READONLY);
      counts += postgresql_.ask(sql) + mariadb_.ask(sql) + sqlite.execAndGet(sql).getString() + " ";
    }
    return counts;
  };
  const Sequence theirs = append_structure_set(300, "patient-1");
  append_structure_set(301, "patient-2");
  settle();
  write_all();
  EXPECT_EQ(rows(), "2\n2\n2 2\n2\n2 2\n2\n2 2\n2\n2 2\n2\n2 ");
  const auto forget =
      forget_record(sealer_, "patient-1", "ops", from_micros(1'800'000'000'000'000));
  ASSERT_TRUE(journal_->append(*forget).ok());
  settle();
  write_all();
  const std::string others = "1\n1\n1 1\n1\n1 1\n1\n1 1\n1\n1 1\n1\n1 ";
  EXPECT_EQ(rows(), others);
  ASSERT_TRUE(journal_->append(result_of(theirs)).ok());
  settle();
  write_all();
  EXPECT_EQ(rows(), others);
  EXPECT_EQ(text_of(compared()), "");
}

TEST_F(CompareTest, ForgettingWithoutARecordOfItIsFound) {
  const std::string sql = db::update_forget("'patient-1'", "1800000000000000");
  postgresql_.ask(sql);
  mariadb_.ask(sql);
  in_sqlite(sql);
  const auto c = compared();
  ASSERT_FALSE(c.good());
  EXPECT_NE(text_of(c).find("forgotten without a record"), std::string::npos) << text_of(c);
}

/// A row of retention for these days, as the node writes it.
journal::OperatorRecord retention(const std::string& day) {
  journal::OperatorRecord record;
  record.time = from_micros(1'800'000'000'000'000);
  record.who = "[retention] audit";
  record.action = kRetention;
  record.target = day;
  return record;
}

TEST_F(CompareTest, WhatRetentionRemovedIsToldAndTheOtherDaysStillHold) {
  auto young = object(200, {"archive"});
  young.received = from_micros(1'700'100'000'000'000);  // 2023-11-16
  (void)append_record(std::move(young));
  ASSERT_TRUE(journal_->append(retention("2023-11-15")).ok());
  settle();
  // One that was down has the old rows for a while: the others are right all the same.
  const auto all = databases();
  for (const auto& [name, open] : {all[0], all[1]}) {
    Feed feed(name, open, *journal_, "router-1", events(), &sealer_);
    ASSERT_TRUE(feed.wait_written(journal_->watermark(), kPatience));
  }
  ChainKeeper(*journal_, *files_, sealer_, "router-1").stop(kPatience);
  EXPECT_EQ(postgresql_.ask("SELECT count(*) FROM instance"), "1\n");
  EXPECT_NE(mariadb_.ask("SELECT count(*) FROM instance"), "1\n");
  write_all();
  for (const char* table : {"instance", "decision", "instance_state", "delivery"}) {
    const std::string sql = std::string("SELECT count(*) FROM ") + table;
    EXPECT_EQ(postgresql_.ask(sql), mariadb_.ask(sql)) << table;
  }
  EXPECT_EQ(mariadb_.ask("SELECT count(*) FROM delivery"), "0\n");
  for (const bool with_journal : {true, false}) {
    const auto c = compared(with_journal);
    EXPECT_EQ(text_of(c), "");
    ASSERT_TRUE(c.retained_from.contains("router-1"));
    EXPECT_EQ(day_text(c.retained_from.at("router-1")), "2023-11-15");
    std::map<std::string, std::string> heads;
    for (const auto& day : c.days) heads[day.day] = day.head;
    EXPECT_EQ(heads.at("2023-11-14"), "removed");
    EXPECT_EQ(heads.at("2023-11-16"), "good");
  }
  // A younger row is still missed.
  mariadb_.ask("DELETE FROM decision");
  EXPECT_FALSE(compared().good());
}

TEST_F(CompareTest, ARecordOfRetentionThatNobodySealedExcusesNothing) {
  for (const std::string& sql : std::vector<std::string>{
           "DELETE FROM instance", "DELETE FROM decision",
           "INSERT INTO operator_action (node, spool_id, sequence, time, who, action, target, "
           "detail, seal) SELECT 'router-1', spool_id, 99999, 1800000000000000, 'x', 'retention', "
           "'2023-12-01', '', 'abc' FROM security_event"}) {
    postgresql_.ask(sql);
    mariadb_.ask(sql);
    in_sqlite(sql);
  }
  const auto c = compared(false);
  EXPECT_FALSE(c.good());
  EXPECT_TRUE(c.retained_from.empty());
  EXPECT_NE(text_of(c).find("does not lead to its head"), std::string::npos) << text_of(c);
}

TEST(Day, TextAndBack) {
  for (const Day day : {-1L, 0L, 19'675L, 20'000L}) EXPECT_EQ(day_from(day_text(day)), day);
  EXPECT_EQ(day_of(start_of(19'675)), 19'675);
  EXPECT_EQ(day_of(start_of(19'675) - std::chrono::microseconds(1)), 19'674);
  for (const char* text : {"", "2023-13-01", "2023-11-31", "2023-1-1", "2023-11-14x", "all"}) {
    EXPECT_FALSE(day_from(text)) << text;
  }
}

TEST(Seal, EveryColumnOfEveryRowIsUnderIt) {
  const Sealer sealer("k");
  for (std::size_t kind = 0; kind < db::kKinds; ++kind) {
    const db::Table& table = db::tables().at(kind);
    db::Record record;
    for (const db::Column& column : table.columns) {
      record.push_back(column.text   ? db::Cell(std::string("a"))
                       : column.real ? db::Cell(1.5)
                                     : db::Cell(std::int64_t{1}));
    }
    const std::string seal = sealer.seal_of(kind, record);
    EXPECT_EQ(seal.size(), 64U);
    EXPECT_NE(seal, Sealer("l").seal_of(kind, record));
    const bool digest = table.on_conflict == db::OnConflict::kDigest;
    for (std::size_t i = 0; i < record.size(); ++i) {
      const db::Column& column = table.columns[i];
      if (column.name == "seal" || column.name == "sha256_seal") continue;
      if (digest && i >= table.keys && column.name != "sha256") continue;
      const bool told_again = table.name == "instance" && column.name == "durable";
      db::Record other = record;
      other[i] = column.text   ? db::Cell(std::string("b"))
                 : column.real ? db::Cell(1.25)
                               : db::Cell(std::int64_t{2});
      EXPECT_EQ(sealer.seal_of(kind, other) == seal, told_again)
          << table.name << "." << column.name;
      other[i] = db::Cell();
      EXPECT_EQ(sealer.seal_of(kind, other) == seal, told_again)
          << table.name << "." << column.name;
    }
  }
}

}  // namespace
}  // namespace dr::audit
