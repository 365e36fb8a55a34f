// What the senders notice of audit databases that are down: the time from C-STORE-RQ to its answer
// with PostgreSQL and MariaDB up, and with both down, in turn on one router; prints the ratios of
// down to up. Then how fast the router drains what both missed of DRAINED small objects, into both
// at once.
//
//   audit_ingest ROUNDS OBJECTS DRAINED
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#include <nlohmann/json.hpp>

#include "dimse/service/storage_scu.h"
#include "test/support/dicom_objects.h"
#include "test/support/mariadb.h"
#include "test/support/postgresql.h"
#include "test/support/router.h"
#include "test/support/scu_client.h"

namespace dr {
namespace {

constexpr std::size_t kAssociations = 4;
constexpr std::size_t kPixelOctets = 65'536;
constexpr std::size_t kSmall = 64;  // octets, likewise

/// Seconds that each object of one association waited for its answer.
asio::awaitable<void> send(asio::any_io_executor executor, std::uint16_t port, std::size_t objects,
                           std::size_t pixel_octets, std::vector<double>& times) {
  const service::ProposedContext ct{*Uid::parse(test::kCtImageStorage),
                                    *Uid::parse(test::kExplicitLe)};
  const service::Peer peer{.host = "127.0.0.1",
                           .port = port,
                           .called_ae_title = *AeTitle::parse("ROUTER"),
                           .calling_ae_title = *AeTitle::parse("LOAD")};
  auto scu = co_await service::StorageScu::associate(executor, peer, std::vector(1, ct));
  if (!scu) co_return;
  for (std::size_t i = 0; i < objects; ++i) {
    test::ObjectSpec spec;
    spec.pixel_octets = pixel_octets;
    test::PiecewiseSource source({test::make_data_set(spec)});
    const auto start = std::chrono::steady_clock::now();
    const auto outcome = co_await (*scu)->store(ct, *Uid::parse(spec.sop_instance_uid), source);
    if (outcome.error || outcome.status != 0) co_return;
    times.push_back(
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  co_await (*scu)->release();
}

struct Quantiles {
  double p50 = 0, p99 = 0;
};

/// Throws when not every object was acknowledged.
Quantiles ingest(std::uint16_t port, std::size_t objects, std::size_t pixel_octets = kPixelOctets) {
  std::vector<std::vector<double>> each(kAssociations);
  asio::io_context context;
  for (auto& times : each) {
    asio::co_spawn(context,
                   send(context.get_executor(), port, objects / kAssociations, pixel_octets, times),
                   asio::detached);
  }
  context.run();
  std::vector<double> all;
  for (const auto& times : each) all.insert(all.end(), times.begin(), times.end());
  if (all.size() != objects / kAssociations * kAssociations) {
    throw std::runtime_error("not every object was acknowledged");
  }
  std::sort(all.begin(), all.end());
  return {all[all.size() / 2], all[all.size() * 99 / 100]};
}

/// How many records each database is behind.
std::map<std::string, std::uint64_t> lags(const test::Router& router) {
  const auto status = nlohmann::json::parse(
      test::run({"curl", "-sS",
                 "http://127.0.0.1:" + std::to_string(router.admin_port()) + "/api/v1/status"})
          .output);
  std::map<std::string, std::uint64_t> found;
  for (const auto& sink : status.at("audit")) found[sink.at("sink")] = sink.at("lag_records");
  return found;
}

void wait_until_drained(const test::Router& router) {
  while (std::ranges::any_of(lags(router), [](const auto& lag) { return lag.second > 0; })) {
  }
}

/// Events/s of each database that is behind, from its first step until it has everything.
void measure_drain(const test::Router& router) {
  struct Drain {
    std::uint64_t first = 0;
    std::optional<std::chrono::steady_clock::time_point> begun;
    bool told = false;
  };
  std::map<std::string, Drain> drains;
  for (const auto& [sink, lag] : lags(router)) {
    if (lag > 0) drains[sink].first = lag;
  }
  for (std::size_t open = drains.size(); open > 0;) {
    for (const auto& [sink, lag] : lags(router)) {
      const auto drain = drains.find(sink);
      if (drain == drains.end() || drain->second.told) continue;
      Drain& d = drain->second;
      if (lag < d.first && !d.begun) {
        d.begun = std::chrono::steady_clock::now();
        d.first = lag;
      }
      if (lag > 0) continue;
      d.told = true;
      --open;
      const std::chrono::duration<double> took = std::chrono::steady_clock::now() - *d.begun;
      std::printf("drained %s: %.0f events/s (%llu in %.1f s)\n", sink.c_str(),
                  static_cast<double>(d.first) / took.count(),
                  static_cast<unsigned long long>(d.first), took.count());
    }
  }
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

void run(std::size_t rounds, std::size_t objects, std::size_t drained) {
  test::Postgresql postgresql({"fsync=on", "synchronous_commit=on"});
  test::Mariadb mariadb({"--innodb-flush-method=fsync", "--innodb-buffer-pool-size=256M"});
  ::setenv("DR_BENCH_PG_PASSWORD", test::Postgresql::kPassword, 1);
  ::setenv("DR_BENCH_MYSQL_PASSWORD", test::Mariadb::kPassword, 1);
  const test::Router router(test::Router::Setup{
      .destinations = test::folder_destination("archive", "../archive"),
      .rules = "[[rule]]\nname = \"none\"\nwhen = { Modality = \"MR\" }\nroute = [\"archive\"]\n",
      .more = "[audit.postgresql]\nurl = \"" + postgresql.url() +
              "\"\npassword = \"${DR_BENCH_PG_PASSWORD}\"\n[audit.mysql]\nurl = \"" +
              mariadb.url() + "\"\npassword = \"${DR_BENCH_MYSQL_PASSWORD}\"\n"});
  ingest(router.port(), objects);  // warm
  std::vector<double> p50, p99;
  for (std::size_t round = 0; round < rounds; ++round) {
    Quantiles up, down;
    const auto with_servers = [&] {
      wait_until_drained(router);
      up = ingest(router.port(), objects);
    };
    const auto without = [&] {
      postgresql.stop();
      mariadb.stop();
      down = ingest(router.port(), objects);
      postgresql.start();
      mariadb.start();
    };
    // Each goes first every other time.
    if (round % 2 == 0) with_servers();
    without();
    if (round % 2 == 1) with_servers();
    p50.push_back(down.p50 / up.p50);
    p99.push_back(down.p99 / up.p99);
    std::printf("round %zu: up p50 %.2f ms p99 %.2f ms, down p50 %.2f ms p99 %.2f ms\n", round + 1,
                up.p50 * 1e3, up.p99 * 1e3, down.p50 * 1e3, down.p99 * 1e3);
    std::fflush(stdout);
  }
  std::printf(
      "ingest with both databases down to both up: p50 ratio %.2f, p99 ratio %.2f "
      "(medians of %zu rounds)\n",
      median(p50), median(p99), rounds);
  wait_until_drained(router);
  postgresql.stop();
  mariadb.stop();
  ingest(router.port(), drained, kSmall);
  postgresql.start();
  mariadb.start();
  measure_drain(router);
}

}  // namespace
}  // namespace dr

int main(int argc, char** argv) {
  if (argc != 4) {
    std::cerr << "usage: audit_ingest ROUNDS OBJECTS DRAINED\n";
    return 2;
  }
  dr::run(std::stoul(argv[1]), std::stoul(argv[2]), std::stoul(argv[3]));
  return 0;
}
