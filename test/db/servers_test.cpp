// What PostgreSQL and MariaDB have beside what every store does: accounts, networks, schema changes
// by several nodes at once.
#include <atomic>
#include <thread>

#include "test/db/backends.h"
#include "test/db/store_fixture.h"
#include "test/support/tcp_gate.h"

namespace dr::db {
namespace {

using std::chrono::milliseconds;

constexpr std::uint64_t kBatch = 50;

std::vector<Row> batch(std::uint64_t number) {
  std::vector<Row> rows;
  for (std::uint64_t i = 1; i <= kBatch; ++i) rows.emplace_back(instance(number * kBatch + i));
  return rows;
}

template <class Backend>
class ServerStore : public Store<Backend> {
 protected:
  std::int64_t objects() const { return this->number("SELECT count(*) FROM instance"); }
  static auto open(const ServerSettings& settings) { return Backend::open(settings); }
};
TYPED_TEST_SUITE(ServerStore, Servers, BackendNames);

TYPED_TEST(ServerStore, ManyNodesThatStartAtOnceMakeOneSchema) {
  std::vector<std::thread> nodes;
  std::atomic<int> opened{0};
  for (int i = 0; i < 6; ++i) {
    nodes.emplace_back([&] {
      const auto store = this->backend_.open();
      EXPECT_TRUE(store.ok()) << (store ? "" : store.error().to_string());
      opened += store.ok() ? 1 : 0;
    });
  }
  for (auto& node : nodes) node.join();
  EXPECT_EQ(opened, 6);
  EXPECT_EQ(this->number("SELECT count(*) FROM schema_migration"),
            static_cast<std::int64_t>(migrations().size()));
}

TYPED_TEST(ServerStore, ANewerSchemaIsRefused) {
  ASSERT_TRUE(this->backend_.open().ok());
  this->ask("INSERT INTO schema_migration VALUES (9999, 'of the future', 0)");
  const auto store = this->backend_.open();
  ASSERT_FALSE(store.ok());
  EXPECT_EQ(store.error().code, Errc::kUnsupported);
}

TYPED_TEST(ServerStore, AnOlderDatabaseIsBroughtUpToDateWithItsRows) {
  ASSERT_TRUE(this->backend_.open().ok());
  for (const std::string& view : lines_of(this->ask(TypeParam::kViews))) {
    this->ask("DROP VIEW " + view);
  }
  for (const Table& table : tables()) {
    if (table.on_conflict != OnConflict::kDigest) {
      this->ask("ALTER TABLE " + table.name + " DROP COLUMN seal");
    }
  }
  this->ask("ALTER TABLE instance DROP COLUMN sha256_seal");
  this->ask("ALTER TABLE rt_dvh DROP COLUMN dose_link");
  const auto drop_index = [this](const std::string& index, const std::string& table) {
    this->ask("DROP INDEX " + index +
              (std::is_same_v<TypeParam, OnMariadb> ? " ON " + table : std::string()));
  };
  drop_index("instance_by_patient", "instance");
  drop_index("rt_structure_set_by_object", "rt_structure_set");
  this->ask("DELETE FROM schema_migration WHERE version > 3");
  this->ask(
      "INSERT INTO operator_action (node, spool_id, sequence, time, who, action, target, detail) "
      "VALUES ('n', 's', 1, 2, 'w', 'a', 't', 'd')");
  ASSERT_TRUE(this->backend_.open().ok());
  EXPECT_EQ(this->number("SELECT max(version) FROM schema_migration"), latest_version());
  EXPECT_EQ(this->number("SELECT count(*) FROM v_changes"), 1);
}

TYPED_TEST(ServerStore, AMigrationThatWasCutShortIsFinished) {
  ASSERT_TRUE(this->backend_.open().ok());
  this->ask("DROP VIEW v_refused");
  this->ask("DROP TABLE rt_dvh");
  // PostgreSQL takes a migration back as a whole; MariaDB keeps each statement that is through.
  if constexpr (std::is_same_v<TypeParam, OnMariadb>) {
    this->ask("DELETE FROM schema_migration WHERE version > 1");
    ASSERT_TRUE(this->backend_.open().ok());
    EXPECT_EQ(this->number("SELECT count(*) FROM rt_dvh"), 0);
    EXPECT_EQ(this->number("SELECT count(*) FROM v_refused"), 0);
  } else {
    this->ask("DELETE FROM schema_migration WHERE version > 3");
    const auto store = this->backend_.open();
    ASSERT_FALSE(store.ok()) << "the views that are still there";
    EXPECT_EQ(this->number("SELECT max(version) FROM schema_migration"), 3);
  }
}

TYPED_TEST(ServerStore, AnAccountThatMayOnlyReadAndWriteIsEnoughOnceTheSchemaIsThere) {
  ASSERT_TRUE(this->backend_.open().ok());
  if constexpr (std::is_same_v<TypeParam, OnPostgresql>) {
    this->ask("CREATE ROLE node_" + this->backend_.database() + " LOGIN PASSWORD 'n'; " +
              "GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA public TO node_" +
              this->backend_.database());
  } else {
    this->ask("CREATE USER node_" + this->backend_.database() + " IDENTIFIED BY 'n'; " +
              "GRANT SELECT, INSERT, UPDATE ON " + this->backend_.database() + ".* TO node_" +
              this->backend_.database());
  }
  auto settings = this->backend_.settings();
  settings.url.replace(settings.url.find("router@"), 6, "node_" + this->backend_.database());
  settings.password = "n";
  auto store = this->open(settings);
  ASSERT_TRUE(store.ok()) << store.error().to_string();
  EXPECT_TRUE((*store)->write(rows_of_every_kind()).ok());
  EXPECT_EQ((*store)->trace("1.2.3", 10)->size(), 2U);
}

TYPED_TEST(ServerStore, AWrongPasswordIsAnErrorThatDoesNotRepeatIt) {
  auto settings = this->backend_.settings();
  settings.password = "not-the-secret";
  const auto store = this->open(settings);
  ASSERT_FALSE(store.ok());
  EXPECT_EQ(store.error().code, Errc::kIo);
  EXPECT_EQ(store.error().detail.find("not-the-secret"), std::string::npos);
  EXPECT_NE(store.error().detail.find("router"), std::string::npos) << store.error().detail;
}

TYPED_TEST(ServerStore, AServerThatIsNotThereIsAnError) {
  const test::TcpGate gate(1);
  const auto store = this->open(this->backend_.settings(gate.port()));
  ASSERT_FALSE(store.ok());
  EXPECT_EQ(store.error().code, Errc::kIo);
}

TYPED_TEST(ServerStore, AServerThatHangsIsGivenUp) {
  test::TcpGate gate(TypeParam::running().port());
  auto settings = this->backend_.settings(gate.port());
  settings.reply = milliseconds(1000);
  auto store = this->open(settings);
  ASSERT_TRUE(store.ok()) << store.error().to_string();
  ASSERT_TRUE((*store)->write(batch(0)).ok());
  gate.hold();
  const auto hung = (*store)->write(batch(1));
  ASSERT_FALSE(hung.ok());
  EXPECT_EQ(hung.error().code, Errc::kIo);
  store = Error{Errc::kIo, "closed"};  // closing it does not hang either
  gate.open();
  auto again = this->open(settings);
  ASSERT_TRUE(again.ok()) << again.error().to_string();
  ASSERT_TRUE((*again)->write(batch(1)).ok());
  EXPECT_EQ(this->objects(), 2 * static_cast<std::int64_t>(kBatch));
}

TYPED_TEST(ServerStore, CutAtAnyOctetABatchIsWhollyThereOrNotAtAll) {
  ASSERT_TRUE(this->backend_.open().ok());
  test::TcpGate gate(TypeParam::running().port());
  std::uint64_t number = 0;
  int failed = 0;
  // From within the handshake to behind the last octet of the batch.
  for (std::size_t cut = 64; cut < 40'000; cut += cut / 3) {
    gate.open();
    gate.cut_after(cut);
    auto store = this->open(this->backend_.settings(gate.port()));
    const bool written = store && (*store)->write(batch(number)).ok();
    const std::int64_t rows = this->objects();
    EXPECT_EQ(rows % static_cast<std::int64_t>(kBatch), 0) << "cut after " << cut;
    if (!written) {
      ++failed;
      gate.open();
      auto again = this->open(this->backend_.settings(gate.port()));
      ASSERT_TRUE(again.ok()) << again.error().to_string();
      ASSERT_TRUE((*again)->write(batch(number)).ok());
    }
    ++number;
    EXPECT_EQ(this->objects(), static_cast<std::int64_t>(number * kBatch));
  }
  EXPECT_GT(failed, 5);
}

TYPED_TEST(ServerStore, SlicedAndDelayedItIsOnlySlower) {
  test::TcpGate gate(TypeParam::running().port());
  gate.slice(7);
  auto store = this->open(this->backend_.settings(gate.port()));
  ASSERT_TRUE(store.ok()) << store.error().to_string();
  ASSERT_TRUE((*store)->write(rows_of_every_kind()).ok());
  gate.open();
  gate.delay(milliseconds(20));
  ASSERT_TRUE((*store)->write(batch(1)).ok());
  EXPECT_EQ((*store)->trace("1.2.3.1", 10)->at(0).deliveries.size(), 2U);
}

TYPED_TEST(ServerStore, AfterKillNineOfTheServerEveryCommittedBatchIsThere) {
  auto store = this->backend_.open();
  ASSERT_TRUE(store.ok());
  std::atomic<std::uint64_t> written{0};
  std::thread writer([&] {
    while ((*store)->write(batch(written)).ok()) ++written;
  });
  while (written < 5) std::this_thread::yield();
  TypeParam::running().kill();
  writer.join();
  TypeParam::running().start();
  auto again = this->backend_.open();
  ASSERT_TRUE(again.ok()) << again.error().to_string();
  const auto rows = static_cast<std::uint64_t>(this->objects());
  EXPECT_EQ(rows % kBatch, 0U);
  EXPECT_GE(rows, written * kBatch);
  EXPECT_LE(rows, (written + 1) * kBatch);  // the one whose answer was lost may be through
  ASSERT_TRUE((*again)->write(batch(written)).ok());
  EXPECT_EQ(static_cast<std::uint64_t>(this->objects()), (written + 1) * kBatch);
}

/// A key, and a certificate for 127.0.0.1 that it has signed itself, as files of the server's.
void make_certificate(const test::ServerFolder& folder, const std::string& name) {
  test::run_or_throw(
      folder.as_user({"openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                      "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout",
                      (folder.data() / (name + ".key")).string(), "-out",
                      (folder.data() / (name + ".pem")).string()}));
}

TYPED_TEST(ServerStore, WithTlsOnlyTheServerThatIsMeantIsSpokenTo) {
  auto& server = TypeParam::running();
  const auto& folder = server.folder();
  make_certificate(folder, "server");
  make_certificate(folder, "other");
  const std::string key = (folder.data() / "server.key").string();
  const std::string certificate = (folder.data() / "server.pem").string();
  const std::string other = (folder.data() / "other.pem").string();
  constexpr bool kPostgresql = std::is_same_v<TypeParam, OnPostgresql>;
  server.stop();
  if constexpr (kPostgresql) {
    server.start({"ssl=on", "ssl_key_file=" + key, "ssl_cert_file=" + certificate});
  } else {
    server.start({"--ssl-key=" + key, "--ssl-cert=" + certificate});
  }
  const auto with = [&](const std::string& ca) {
    auto settings = this->backend_.settings();
    settings.url += kPostgresql ? "?sslmode=verify-full&sslrootcert=" + ca : "?ssl-ca=" + ca;
    return this->open(settings);
  };
  const auto good = with(certificate);
  ASSERT_TRUE(good.ok()) << good.error().to_string();
  EXPECT_TRUE((*good)->write(rows_of_every_kind()).ok());
  const char* const encrypted =
      kPostgresql ? "SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) "
                    "WHERE ssl AND usename = 'router'"
                  : "SELECT count(*) FROM information_schema.processlist p WHERE user = 'router' "
                    "AND tls_version <> ''";
  if constexpr (kPostgresql) {
    EXPECT_EQ(this->number(encrypted), 1);
  }
  const auto bad = with(other);
  ASSERT_FALSE(bad.ok());
  EXPECT_EQ(bad.error().code, Errc::kIo);
  server.stop();
  server.start();
  EXPECT_FALSE(with(certificate).ok()) << "never in the clear";
}

TEST(ServerUrl, WhatIsWrongIsToldWithoutThePassword) {
  for (const char* url :
       {"", "mysql://", "mysql://router", "mysql://router@host", "mysql://@host/db",
        "mysql://router:geheim@host:x/db", "mysql://router:geheim@host:70000/db",
        "mysql://router:geheim@host/db?ssl-mode=maybe", "mysql://router:geheim@host/db?color=red",
        "mysql://router:geheim%zz@host/db", "mysql://router:geheim@host/db?ssl-mode=verify-ca",
        "postgresql://router@host/db"}) {
    const auto checked = check_mysql_url(url);
    ASSERT_FALSE(checked.ok()) << url;
    EXPECT_EQ(checked.error().detail.find("geheim"), std::string::npos) << url;
  }
  EXPECT_TRUE(check_mysql_url("mysql://r%40b:p%3A%2F@db.example:3307/audit?ssl-ca=/a%20b").ok());
  for (const char* url :
       {"", "mysql://router@host/db", "postgresql://router:geheim@host/db?color=red"}) {
    const auto checked = check_postgresql_url(url);
    ASSERT_FALSE(checked.ok()) << url;
    EXPECT_EQ(checked.error().detail.find("geheim"), std::string::npos) << url;
  }
  EXPECT_TRUE(check_postgresql_url("postgresql://r@h:5432/db?sslmode=verify-full").ok());
}

}  // namespace
}  // namespace dr::db
