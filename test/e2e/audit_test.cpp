// The audit databases as a hospital has them: servers that go away and come back while the router
// takes objects and is killed. In the end every database holds the same rows.
#include <atomic>
#include <cstdlib>
#include <thread>

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "dimse/service/storage_scu.h"
#include "test/e2e/objects.h"
#include "test/support/mariadb.h"
#include "test/support/postgresql.h"
#include "test/support/router.h"
#include "test/support/scu_client.h"
#include "test/support/tcp_gate.h"

namespace dr::test {
namespace {

using std::chrono::seconds;

/// DR_AUDIT_EVENTS asks for fewer or more.
std::size_t chosen_events() {
  const char* const given = std::getenv("DR_AUDIT_EVENTS");
  return given != nullptr ? std::stoul(given) : 200'000;
}

/// Sends `count` new small objects over one association; the first of 64 is an MR.
asio::awaitable<void> send_objects(asio::any_io_executor executor, std::uint16_t port,
                                   std::size_t count, std::atomic<std::size_t>& acknowledged) {
  const service::ProposedContext ct{*Uid::parse(kCtImageStorage), *Uid::parse(kExplicitLe)};
  const service::ProposedContext mr{*Uid::parse(kMrImageStorage), *Uid::parse(kExplicitLe)};
  const service::Peer peer{.host = "127.0.0.1",
                           .port = port,
                           .called_ae_title = *AeTitle::parse("ROUTER"),
                           .calling_ae_title = *AeTitle::parse("LOAD")};
  std::vector<service::ProposedContext> contexts(1, ct);
  contexts.push_back(mr);
  auto scu = co_await service::StorageScu::associate(executor, peer, contexts);
  EXPECT_TRUE(scu.ok()) << (scu ? "" : scu.error().to_string());
  if (!scu) co_return;
  for (std::size_t i = 0; i < count; ++i) {
    ObjectSpec spec;
    spec.pixel_octets = 64;
    const bool is_mr = i % 64 == 0;
    if (is_mr) spec.sop_class_uid = kMrImageStorage, spec.modality = "MR";
    PiecewiseSource source({make_data_set(spec)});
    const auto outcome =
        co_await (*scu)->store(is_mr ? mr : ct, *Uid::parse(spec.sop_instance_uid), source);
    if (!outcome.error && outcome.status == 0) ++acknowledged;
  }
  co_await (*scu)->release();
}

/// How many of `count` objects were acknowledged, sent over several associations at once.
std::size_t send_objects(std::uint16_t port, std::size_t count) {
  constexpr std::size_t kAssociations = 8;
  std::atomic<std::size_t> acknowledged{0};
  asio::io_context context;
  for (std::size_t i = 0; i < kAssociations; ++i) {
    asio::co_spawn(context,
                   send_objects(context.get_executor(), port, count / kAssociations, acknowledged),
                   asio::detached);
  }
  context.run();
  return acknowledged;
}

/// A router that writes to SQLite and to two servers, by ports that may be those of gates. The
/// archive gets the MRs; what no rule matches is kept, and told of as well.
class Audited {
 public:
  Audited(const Postgresql& postgresql, const Mariadb& mariadb, std::uint16_t postgresql_port = 0,
          std::uint16_t mariadb_port = 0)
      : postgresql_(postgresql), mariadb_(mariadb) {
    ::setenv("DR_TEST_PG_PASSWORD", Postgresql::kPassword, 1);
    ::setenv("DR_TEST_MYSQL_PASSWORD", Mariadb::kPassword, 1);
    ::setenv("DR_TEST_AUDIT_KEY", "a key for tests", 1);
    router_ = std::make_unique<Router>(Router::Setup{
        .destinations = folder_destination("archive", "../archive"),
        .rules = "[[rule]]\nname = \"MR\"\nwhen = { Modality = \"MR\" }\nroute = [\"archive\"]\n",
        .more = "[keys]\naudit = \"${DR_TEST_AUDIT_KEY}\"\n[audit.postgresql]\nurl = \"" +
                postgresql.url("router", postgresql_port) +
                "\"\npassword = \"${DR_TEST_PG_PASSWORD}\"\n[audit.mysql]\nurl = \"" +
                mariadb.url("router", mariadb_port) +
                "\"\npassword = \"${DR_TEST_MYSQL_PASSWORD}\"\n"});
  }
  Router& router() { return *router_; }

  /// Records that each sink is behind.
  std::map<std::string, std::uint64_t> lags() const {
    const auto answer =
        run({"curl", "-sS",
             "http://127.0.0.1:" + std::to_string(router_->admin_port()) + "/api/v1/status"});
    const auto status = nlohmann::json::parse(answer.output);
    std::map<std::string, std::uint64_t> lags;
    for (const auto& sink : status.at("audit")) {
      lags[sink.at("sink")] = sink.at("lag_records");
    }
    return lags;
  }
  /// Until every sink has everything; whether that comes in time.
  bool drained(seconds most) const {
    const auto end = std::chrono::steady_clock::now() + most;
    while (std::chrono::steady_clock::now() < end) {
      const auto all = lags();
      if (all.size() == 3 &&
          std::ranges::all_of(all, [](const auto& sink) { return sink.second == 0; })) {
        return true;
      }
    }
    return false;
  }

  std::string sqlite(const std::string& sql) const {
    return run_or_throw(
        {"sqlite3", "-nullvalue", "NULL", (router_->folder() / "audit.sqlite").string(), sql});
  }
  /// All tables of all three have the same rows. How many those are.
  std::size_t equal_rows() const {
    std::size_t rows = 0;
    for (const auto& [table, key] : {std::pair{"association", ""},
                                     {"instance", ""},
                                     {"decision", ", rule_ordinal"},
                                     {"delivery", ""},
                                     {"instance_state", ", destination"},
                                     {"security_event", ""},
                                     {"operator_action", ""}}) {
      const std::string sql =
          std::string("SELECT * FROM ") + table + " ORDER BY node, spool_id, sequence" + key;
      const std::string there = sqlite(sql);
      // Not EXPECT_EQ, which would print both and look for the difference for minutes.
      EXPECT_TRUE(postgresql_.ask(sql) == there) << table << " in PostgreSQL";
      EXPECT_TRUE(mariadb_.ask(sql) == there) << table << " in MariaDB";
      rows += static_cast<std::size_t>(std::ranges::count(there, '\n'));
    }
    return rows;
  }

 private:
  const Postgresql& postgresql_;
  const Mariadb& mariadb_;
  std::unique_ptr<Router> router_;
};

TEST(Audit, ServersThatWereDownGetEverythingOnceAlthoughTheRouterWasKilled) {
  Postgresql postgresql;
  Mariadb mariadb;
  Audited audited(postgresql, mariadb);
  ASSERT_EQ(send_objects(audited.router().port(), 512), 512U);
  ASSERT_TRUE(audited.drained(seconds(60)));
  postgresql.stop();
  mariadb.stop();
  // An MR gives three records (object, outcome, digest), the others two.
  const std::size_t objects = chosen_events() * 64 / 129 / 1024 * 1024;
  const std::size_t half = objects / 2;
  ASSERT_EQ(send_objects(audited.router().port(), half), half);
  audited.router().kill();
  audited.router().start();
  ASSERT_EQ(send_objects(audited.router().port(), objects - half), objects - half);
  audited.router().wait_until_idle(seconds(120));
  const auto behind = audited.lags();
  EXPECT_EQ(behind.size(), 3U);
  EXPECT_GE(behind.at("postgresql"), chosen_events() / 10 * 9);
  EXPECT_GE(behind.at("mysql"), chosen_events() / 10 * 9);

  const auto started = std::chrono::steady_clock::now();
  postgresql.start();
  mariadb.start();
  ASSERT_TRUE(audited.drained(seconds(240)));
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - started;
  std::cout << behind.at("mysql") << " records behind, drained into both in " << took.count()
            << " s\n";
  ASSERT_EQ(audited.router().stop(), 0);
  const std::size_t rows = audited.equal_rows();
  std::cout << rows << " rows in each\n";
  EXPECT_EQ(audited.sqlite("SELECT count(*), count(sha256) FROM instance"),
            std::to_string(objects + 512) + "|" + std::to_string(objects + 512) + "\n");
  EXPECT_EQ(audited.sqlite("SELECT count(*) FROM instance_state WHERE state = 'delivered'"),
            std::to_string(objects / 64 + 8) + "\n");
}

TEST(Audit, WhateverComesBetweenItAndItsDatabasesTheyEndEqual) {
  const Postgresql postgresql;
  const Mariadb mariadb;
  TcpGate to_postgresql(postgresql.port());
  TcpGate to_mariadb(mariadb.port());
  Audited audited(postgresql, mariadb, to_postgresql.port(), to_mariadb.port());
  const auto both = [&](auto&& what) {
    what(to_postgresql);
    what(to_mariadb);
  };
  constexpr std::size_t kObjects = 512;
  std::size_t sent = 0;
  const auto recovers = [&](const char* after) {
    sent += send_objects(audited.router().port(), kObjects);
    both([](TcpGate& gate) { gate.open(); });
    EXPECT_TRUE(audited.drained(seconds(90))) << after;
  };
  recovers("nothing");
  both([](TcpGate& gate) { gate.refuse(); });
  recovers("refused");
  both([](TcpGate& gate) { gate.hold(); });
  recovers("held");
  both([](TcpGate& gate) { gate.delay(std::chrono::milliseconds(50)); });
  recovers("delayed");
  both([](TcpGate& gate) { gate.slice(11); });
  recovers("sliced");
  for (const std::size_t octets : {700U, 5'000U, 60'000U}) {
    both([&](TcpGate& gate) { gate.cut_after(octets); });
    recovers("cut");
  }
  const std::string uid = audited.sqlite("SELECT max(sop_instance_uid) FROM instance");
  const auto traced = audited.router().ask({"trace", uid.substr(0, uid.size() - 1)});
  EXPECT_EQ(traced.at("objects").size(), 1U);
  ASSERT_EQ(audited.router().stop(), 0);
  EXPECT_GT(audited.equal_rows(), sent);
  EXPECT_EQ(sent, 8 * kObjects);
}

/// `audit compare`, beside the running node and without it; `audit rebuild`; `audit forget`.
TEST(Audit, IsProvedRebuiltAndForgottenFromTheCommandLine) {
  const Postgresql postgresql;
  const Mariadb mariadb;
  Audited audited(postgresql, mariadb);
  Router& router = audited.router();
  ASSERT_EQ(send_objects(router.port(), 64), 64U);
  router.wait_until_idle();
  ASSERT_TRUE(audited.drained(seconds(60)));
  const auto compared = [&](int status) {
    const Finished finished = router.run({"audit", "compare"});
    EXPECT_EQ(finished.status, status) << finished.output;
    return finished.output;
  };
  compared(0);
  ASSERT_EQ(router.stop(), 0);
  EXPECT_NE(compared(0).find("head good"), std::string::npos);

  const std::string uid = "SELECT min(sequence) FROM instance WHERE modality = 'CT'";
  const std::string sequence = mariadb.ask(uid);
  const std::string where = " WHERE sequence = " + sequence.substr(0, sequence.size() - 1);
  mariadb.ask("UPDATE instance SET calling_ae_title = 'OTHER'" + where);
  const std::string told = compared(1);
  EXPECT_NE(told.find("mysql: instance e2e/"), std::string::npos) << told;
  EXPECT_NE(told.find("calling_ae_title"), std::string::npos) << told;
  mariadb.ask("DELETE FROM instance" + where);
  postgresql.ask("DELETE FROM instance; DELETE FROM delivery; DELETE FROM instance_state");
  compared(1);
  const Finished journal = router.run({"audit", "rebuild", "mysql"});
  EXPECT_EQ(journal.status, 0) << journal.output;
  EXPECT_NE(journal.output.find("from the journal: "), std::string::npos) << journal.output;
  const Finished other = router.run({"audit", "rebuild", "postgresql", "--from", "mysql"});
  EXPECT_EQ(other.status, 0) << other.output;
  EXPECT_NE(other.output.find("from mysql: "), std::string::npos) << other.output;
  compared(0);
  audited.equal_rows();

  router.start();
  const std::string patient = ObjectSpec().patient_id;
  EXPECT_EQ(router.run({"audit", "forget", patient}).status, 0);
  ASSERT_TRUE(audited.drained(seconds(60)));
  EXPECT_EQ(postgresql.ask("SELECT count(*) FROM instance WHERE patient_key <> ''"), "0\n");
  EXPECT_EQ(mariadb.ask("SELECT count(*) FROM instance WHERE state = 'forgotten'"), "64\n");
  EXPECT_EQ(postgresql.ask("SELECT count(*) FROM operator_action WHERE action = 'forget'"), "1\n");
  ASSERT_EQ(router.stop(), 0);
  compared(0);
  audited.equal_rows();
}

/// With the database that `trace` asks first gone, another one answers; with all gone, the journal.
TEST(Audit, TraceAsksWhoeverAnswers) {
  const Postgresql postgresql;
  Mariadb mariadb;
  TcpGate to_postgresql(postgresql.port());
  Audited audited(postgresql, mariadb, to_postgresql.port());
  ASSERT_EQ(send_objects(audited.router().port(), 8), 8U);
  ASSERT_TRUE(audited.drained(seconds(60)));
  audited.router().wait_until_idle();
  const std::string uid =
      audited.sqlite("SELECT sop_instance_uid FROM instance WHERE modality = 'MR' LIMIT 1");
  const auto trace = [&] { return audited.router().ask({"trace", uid.substr(0, uid.size() - 1)}); };
  const auto expected = trace();
  ASSERT_EQ(expected.at("objects").size(), 1U);
  EXPECT_EQ(expected["objects"][0]["states"]["archive"], "delivered");
  std::filesystem::remove(audited.router().folder() / "audit.sqlite");
  EXPECT_EQ(trace(), expected);
  to_postgresql.refuse();
  EXPECT_EQ(trace(), expected);
  mariadb.stop();
  EXPECT_EQ(trace(), expected);
}

}  // namespace
}  // namespace dr::test
