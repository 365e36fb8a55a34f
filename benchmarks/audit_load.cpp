// The audit databases under load: fresh servers that sync as in production take INSTANCES objects
// with all their rows (instance, decision, delivery, state, digest: three events of the journal
// each) in the feed's batches; then objects and studies are traced. Prints rates and times.
//
//   audit_load INSTANCES [sqlite] [postgresql] [mysql]
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <string>
#include <vector>

#include "benchmarks/audit_traces.h"
#include "db/audit_store.h"
#include "test/support/mariadb.h"
#include "test/support/postgresql.h"
#include "test/support/temp_dir.h"

namespace dr {
namespace {

constexpr std::uint64_t kEventsEach = 3;
constexpr std::uint64_t kObjectsOfBatch = 200;  // 1,000 rows
constexpr std::int64_t kStart = 1'700'000'000'000'000;

void add_object(std::vector<db::Row>& rows, std::uint64_t object) {
  const db::Key key{"router-1", "00000000-0000-4000-8000-000000000001", object * kEventsEach + 1};
  const auto at = [&](std::int64_t later) {
    return from_micros(kStart + static_cast<std::int64_t>(object) * 1'000 + later);
  };
  db::InstanceRow row;
  row.key = key;
  row.sop_instance_uid = instance(object);
  row.sop_class_uid = "1.2.840.10008.5.1.4.1.1.2";
  row.transfer_syntax_uid = "1.2.840.10008.1.2.1";
  row.study_instance_uid = study(object);
  row.series_instance_uid = series(object);
  row.modality = object % 3 == 0 ? "MR" : "CT";
  row.patient_key = std::string(56, 'a') + std::to_string(10'000'000 + object / 1000);
  row.octets = 525'312;
  row.listener = "modalities";
  row.peer_address = "10.1.0.9";
  row.calling_ae_title = "CT1";
  row.called_ae_title = "ROUTER";
  row.received = at(0);
  row.durable = at(300);
  row.state = "routed";
  row.rules_sha256 = std::string(64, 'b');
  row.seal = std::string(64, 'c');
  rows.emplace_back(row);
  rows.emplace_back(db::DecisionRow{.key = key,
                                    .rule_ordinal = 1,
                                    .rule = "everything",
                                    .file = "10-all.toml",
                                    .line = 3,
                                    .destinations = R"(["archive"])",
                                    .transform = "",
                                    .rules_sha256 = row.rules_sha256,
                                    .seal = row.seal});
  db::DeliveryRow attempt;
  attempt.key = {key.node, key.spool_id, key.sequence + 1};
  attempt.instance_sequence = key.sequence;
  attempt.destination = "archive";
  attempt.attempt = 1;
  attempt.started = at(400);
  attempt.finished = at(900);
  attempt.outcome = "delivered";
  attempt.status = 0;
  attempt.octets = row.octets;
  attempt.transfer_syntax_uid = row.transfer_syntax_uid;
  attempt.seal = row.seal;
  rows.emplace_back(attempt);
  db::InstanceStateRow state;
  state.key = key;
  state.destination = "archive";
  state.state = "delivered";
  state.attempts = 1;
  state.changed = at(900);
  state.changed_sequence = attempt.key.sequence;
  state.seal = row.seal;
  rows.emplace_back(state);
  rows.emplace_back(db::DigestRow{
      {key.node, key.spool_id, key.sequence + 2}, key.sequence, std::string(64, 'd'), row.seal});
}

bool measure(const std::string& name, Result<std::unique_ptr<db::AuditStore>> opened,
             std::uint64_t instances) {
  if (!opened) {
    std::cerr << name << ": " << opened.error().to_string() << '\n';
    return false;
  }
  db::AuditStore& store = **opened;
  const auto start = std::chrono::steady_clock::now();
  std::vector<db::Row> rows;
  for (std::uint64_t object = 0; object < instances; object += kObjectsOfBatch) {
    rows.clear();
    for (std::uint64_t i = object; i < std::min(object + kObjectsOfBatch, instances); ++i) {
      add_object(rows, i);
    }
    if (auto written = store.write(rows); !written) {
      std::cerr << name << ": " << written.error().to_string() << '\n';
      return false;
    }
  }
  const double took = seconds_since(start);
  const auto traced = traces(store, instances);
  if (!traced) {
    std::cerr << name << ": " << traced.error().to_string() << '\n';
    return false;
  }
  std::printf("%-11s %9.0f events/s  %9.0f rows/s  %s\n", name.c_str(),
              static_cast<double>(instances * kEventsEach) / took,
              static_cast<double>(instances * 5) / took, traced->c_str());
  std::fflush(stdout);
  return true;
}

bool run(std::uint64_t instances, const std::vector<std::string>& names) {
  const auto wanted = [&](const char* name) {
    return names.empty() || std::find(names.begin(), names.end(), name) != names.end();
  };
  std::printf("%llu instances, five rows each\n", static_cast<unsigned long long>(instances));
  bool good = true;
  if (wanted("sqlite")) {
    const test::TempDir folder;
    good = measure("sqlite", db::open_sqlite((folder / "audit.sqlite").string()), instances);
  }
  if (wanted("postgresql")) {
    const test::Postgresql server(
        {"fsync=on", "shared_buffers=256MB", "max_wal_size=4GB", "synchronous_commit=on"});
    good = measure("postgresql",
                   db::open_postgresql({.url = server.url(), .password = server.kPassword}),
                   instances) &&
           good;
  }
  if (wanted("mysql")) {
    const test::Mariadb server({"--innodb-flush-method=fsync", "--innodb-buffer-pool-size=256M",
                                "--innodb-log-file-size=512M"});
    good = measure("mysql", db::open_mysql({.url = server.url(), .password = server.kPassword}),
                   instances) &&
           good;
  }
  return good;
}

}  // namespace
}  // namespace dr

int main(int argc, char** argv) {
  if (argc < 2) {
    std::cerr << "usage: audit_load INSTANCES [sqlite] [postgresql] [mysql]\n";
    return 2;
  }
  return dr::run(std::stoull(argv[1]), {argv + 2, argv + argc}) ? 0 : 1;
}
