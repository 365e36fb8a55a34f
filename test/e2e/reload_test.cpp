// Rules are exchanged a hundred times under the load of sixteen senders, every other time by ones
// that are broken: no object is left undecided, none is decided by a mixture of two rule sets.
#include <atomic>
#include <fstream>
#include <map>
#include <thread>

#include <SQLiteCpp/SQLiteCpp.h>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#include <gtest/gtest.h>

#include "dimse/service/storage_scu.h"
#include "test/e2e/asking.h"
#include "test/e2e/objects.h"
#include "test/support/scu_client.h"

namespace dr::test {
namespace {

namespace fs = std::filesystem;

constexpr int kSenders = 16;
constexpr int kReloads = 100;

/// One sender on a thread of its own: object after object on one association.
class Sender {
 public:
  explicit Sender(std::uint16_t port) : port_(port) {
    thread_ = std::thread([this] {
      asio::io_context context;
      asio::co_spawn(context, run(context.get_executor()), asio::detached);
      context.run();
    });
  }
  void stop() {
    stopping_ = true;
    thread_.join();
  }
  std::size_t count() const { return count_; }
  /// After stop().
  const std::vector<std::string>& acknowledged() const { return acknowledged_; }

 private:
  asio::awaitable<void> run(asio::any_io_executor executor) {
    const service::ProposedContext context{*Uid::parse(kCtImageStorage), *Uid::parse(kExplicitLe)};
    const service::Peer peer{.host = "127.0.0.1",
                             .port = port_,
                             .called_ae_title = *AeTitle::parse("ROUTER"),
                             .calling_ae_title = *AeTitle::parse("LOAD")};
    auto scu = co_await service::StorageScu::associate(executor, peer, std::vector(1, context));
    if (!scu) co_return;
    while (!stopping_ && (*scu)->open()) {
      const ObjectSpec spec;
      PiecewiseSource source({make_data_set(spec)});
      const auto outcome =
          co_await (*scu)->store(context, *Uid::parse(spec.sop_instance_uid), source);
      if (outcome.error || outcome.status != 0) continue;
      acknowledged_.push_back(spec.sop_instance_uid);
      ++count_;
    }
    if ((*scu)->open()) co_await (*scu)->release();
  }

  const std::uint16_t port_;
  std::atomic<bool> stopping_{false};
  std::atomic<std::size_t> count_{0};
  std::vector<std::string> acknowledged_;
  std::thread thread_;
};

/// Folders of rules, and the link that the router reads: it is exchanged in one step.
class Versions {
 public:
  explicit Versions(const Router& router) : conf_(router.folder() / "conf") {}

  /// Rules named after the version, two files of them; the second is broken where `broken`.
  void put(int version, bool broken) const {
    const std::string number = std::to_string(version);
    const fs::path folder = conf_ / ("version-" + number);
    write(folder / "10-first.toml", rule("first-" + number, "first"));
    write(folder / "20-second.toml", broken
                                         ? "[[rule]]\nname = \"second-" + number + "\"\nwhne = {}\n"
                                         : rule("second-" + number, "second"));
    fs::create_directory_symlink(folder, conf_ / "next");
    fs::rename(conf_ / "next", conf_ / "rules.d");
  }
  void replace_folder() const {
    fs::remove_all(conf_ / "rules.d");
    put(0, false);
  }

 private:
  static std::string rule(const std::string& name, const std::string& destination) {
    return "[[rule]]\nname = \"" + name + "\"\nwhen = {}\nroute = [\"" + destination + "\"]\n";
  }
  static void write(const fs::path& file, const std::string& text) {
    fs::create_directories(file.parent_path());
    std::ofstream(file) << text;
  }
  const fs::path conf_;
};

TEST(Reload, UnderLoadLeavesNothingUndecidedAndMixesNothing) {
  Router router({.destinations = folder_destination("first", "../first") +
                                 folder_destination("second", "../second"),
                 .rules = route_all({"first"})});
  EXPECT_EQ(router.stop(), 0);
  const Versions versions(router);
  versions.replace_folder();
  router.start();
  std::vector<std::unique_ptr<Sender>> senders;
  for (int i = 0; i < kSenders; ++i) senders.push_back(std::make_unique<Sender>(router.port()));
  for (int version = 1; version <= kReloads; ++version) {
    const bool broken = version % 2 == 1;
    versions.put(version, broken);
    if (version % 4 < 2) router.process().send_signal(SIGHUP);  // else: the folder is watched
    ASSERT_TRUE(soon([&] {
      return metric(router, "dicom_router_rules_reload_success") == (broken ? "0" : "1");
    })) << version
        << router.log();
  }
  std::vector<std::string> acknowledged;
  for (const auto& sender : senders) {
    sender->stop();
    EXPECT_GT(sender->count(), 0U);
    acknowledged.insert(acknowledged.end(), sender->acknowledged().begin(),
                        sender->acknowledged().end());
  }
  EXPECT_TRUE(
      soon([&] { return metric(router, "dicom_router_audit_lag_records{sink=\"sqlite\"}") == "0"; },
           std::chrono::minutes(2)));
  EXPECT_EQ(router.stop(), 0);

  SQLite::Database audit((router.folder() / "audit.sqlite").string());
  struct Decided {
    std::string state;
    std::vector<std::string> rules;
    std::set<std::string> digests;
  };
  std::map<std::string, Decided> decided;
  SQLite::Statement rows(audit,
                         "SELECT i.sop_instance_uid, i.state, i.rules_sha256, d.rule, d.file, "
                         "d.line, d.rules_sha256 FROM instance i LEFT JOIN decision d USING "
                         "(node, spool_id, sequence) ORDER BY i.sequence, d.rule_ordinal");
  while (rows.executeStep()) {
    Decided& one = decided[rows.getColumn(0).getString()];
    one.state = rows.getColumn(1).getString();
    one.rules.push_back(rows.getColumn(3).getString());
    one.digests.insert(rows.getColumn(2).getString());
    one.digests.insert(rows.getColumn(6).getString());
    EXPECT_EQ(rows.getColumn(4).getString(),
              one.rules.size() == 1 ? "10-first.toml" : "20-second.toml");
    EXPECT_EQ(rows.getColumn(5).getInt(), 1);
  }
  std::map<std::string, std::string> digest_of;  // a version's
  for (const std::string& uid : acknowledged) {
    ASSERT_TRUE(decided.contains(uid)) << "undecided";
    const Decided& one = decided.at(uid);
    EXPECT_EQ(one.state, "routed");
    ASSERT_EQ(one.rules.size(), 2U) << one.rules[0];
    const std::string version = one.rules[0].substr(one.rules[0].find('-'));
    EXPECT_EQ(one.rules[0], "first" + version);
    EXPECT_EQ(one.rules[1], "second" + version);
    EXPECT_EQ(std::stoi(version.substr(1)) % 2, 0) << "broken rules decided";
    ASSERT_EQ(one.digests.size(), 1U);
    const auto [at, fresh] = digest_of.try_emplace(version, *one.digests.begin());
    EXPECT_EQ(at->second, *one.digests.begin()) << version;
  }
  std::cout << acknowledged.size() << " objects, decided by " << digest_of.size()
            << " rule sets of " << kReloads << " reloads\n";
  EXPECT_GT(digest_of.size(), 10U) << "hardly any rule set saw an object";

  // Each that was asked for is on record, with what was read.
  EXPECT_GE(audit
                .execAndGet("SELECT count(*) FROM operator_action WHERE action = 'reload' AND "
                            "detail LIKE 'sha256=%; 10-first.toml=%'")
                .getInt(),
            kReloads / 2);
  EXPECT_GE(audit
                .execAndGet("SELECT count(*) FROM operator_action WHERE action = 'reload' AND "
                            "detail LIKE 'refused%; 20-second.toml=%'")
                .getInt(),
            kReloads / 2);
  EXPECT_GT(audit.execAndGet("SELECT count(*) FROM operator_action WHERE who = 'folder'").getInt(),
            0);
  EXPECT_NE(router.log().find("20-second.toml:3:1: "), std::string::npos);
}

}  // namespace
}  // namespace dr::test
