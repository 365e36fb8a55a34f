// kill -9 at two hundred random instants under load: what was acknowledged is nowhere missing, and
// nothing anywhere is corrupt; only what was in flight at a kill comes twice.
#include <atomic>
#include <cstdlib>
#include <mutex>
#include <random>
#include <thread>

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#include <gtest/gtest.h>

#include "dimse/service/storage_scu.h"
#include "test/e2e/objects.h"
#include "test/support/router.h"
#include "test/support/scu_client.h"
#include "test/support/storescp.h"

namespace dr::test {
namespace {

constexpr std::size_t kSmall = 6'000;
constexpr std::size_t kLarge = 5U << 20;  // above the journal's inline limit

/// A modality that never gives up: it sends new objects one after another, associates again
/// whenever the connection breaks, and remembers what was acknowledged. On a thread of its own.
class Load {
 public:
  Load(std::uint16_t port, bool with_large) : port_(port), with_large_(with_large) {
    thread_ = std::thread([this] {
      asio::io_context context;
      asio::co_spawn(context, run(context.get_executor()), asio::detached);
      context.run();
    });
  }
  ~Load() { stop(); }
  void stop() {
    stopping_ = true;
    if (thread_.joinable()) thread_.join();
  }
  std::size_t count() const {
    const std::lock_guard lock(mutex_);
    return acknowledged_.size();
  }
  /// After stop().
  const std::vector<ObjectSpec>& acknowledged() const { return acknowledged_; }

 private:
  asio::awaitable<void> run(asio::any_io_executor executor) {
    const service::ProposedContext context{*Uid::parse(kCtImageStorage), *Uid::parse(kExplicitLe)};
    const service::Peer peer{.host = "127.0.0.1",
                             .port = port_,
                             .called_ae_title = *AeTitle::parse("ROUTER"),
                             .calling_ae_title = *AeTitle::parse("LOAD")};
    while (!stopping_) {
      auto scu = co_await service::StorageScu::associate(executor, peer, std::vector(1, context));
      if (!scu) continue;  // not up yet
      while (!stopping_ && (*scu)->open()) co_await send_one(**scu, context);
      if ((*scu)->open()) co_await (*scu)->release();
    }
  }

  asio::awaitable<void> send_one(service::StorageScu& scu,
                                 const service::ProposedContext& context) {
    ObjectSpec spec;
    spec.pixel_octets = with_large_ && ++sent_ % 20 == 0 ? kLarge : kSmall;
    PiecewiseSource source({make_data_set(spec)});
    const auto outcome = co_await scu.store(context, *Uid::parse(spec.sop_instance_uid), source);
    if (outcome.error || outcome.status != 0) co_return;
    const std::lock_guard lock(mutex_);
    acknowledged_.push_back(spec);
  }

  const std::uint16_t port_;
  const bool with_large_;
  std::uint64_t sent_ = 0;
  std::atomic<bool> stopping_{false};
  mutable std::mutex mutex_;
  std::vector<ObjectSpec> acknowledged_;
  std::thread thread_;
};

/// DR_KILL_SEED repeats a run.
unsigned chosen_seed() {
  const char* const given = std::getenv("DR_KILL_SEED");
  return given != nullptr ? static_cast<unsigned>(std::stoul(given)) : std::random_device()();
}

/// DR_KILLS asks for more.
int chosen_kills() {
  const char* const given = std::getenv("DR_KILLS");
  return given != nullptr ? std::stoi(given) : 200;
}

/// C-STOREs that storescp has answered.
std::size_t stores_at(Storescp& storescp) {
  const std::string output = storescp.process().output();
  const std::string_view line = "Received Store Request";
  std::size_t count = 0;
  for (auto at = output.find(line); at != output.npos; at = output.find(line, at + 1)) ++count;
  return count;
}

TEST(Kill, LosesNothingThatWasAcknowledged) {
  const int kills = chosen_kills();
  const unsigned seed = chosen_seed();
  std::cout << "seed " << seed << " (DR_KILL_SEED=" << seed << " repeats it)\n";
  std::mt19937 random(seed);
  Storescp storescp({"--verbose"});
  Router router({.destinations = dimse_destination("storescp", storescp.port()) +
                                 folder_destination("archive", "../archive"),
                 .rules = route_all({"storescp", "archive"})});
  Load small(router.port(), false);
  Load mixed(router.port(), true);
  for (int kill = 0; kill < kills; ++kill) {
    // The instant: so long after the next acknowledgement, or a little while when none comes.
    const std::size_t before = small.count();
    const auto delay = std::chrono::microseconds(std::uniform_int_distribution(0, 60'000)(random));
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (small.count() == before && std::chrono::steady_clock::now() < give_up) {
      std::this_thread::sleep_for(std::chrono::microseconds(100));
    }
    ASSERT_GT(small.count(), before) << "kill " << kill << "\n" << router.log();
    EXPECT_FALSE(
        router.process().wait(std::chrono::duration_cast<std::chrono::milliseconds>(delay)));
    router.kill();
    router.start();
  }
  small.stop();
  mixed.stop();
  router.wait_until_idle(std::chrono::seconds(120));
  for (const auto& item : router.ask({"queue", "list"})) ADD_FAILURE() << item.dump();

  const auto at_storescp = stored(storescp.folder());
  const auto in_archive = stored(router.folder() / "archive");
  std::size_t count = 0;
  for (const Load* load : {&small, &mixed}) {
    for (const ObjectSpec& spec : load->acknowledged()) {
      const Bytes octets = make_data_set(spec);
      EXPECT_TRUE(holds(at_storescp, spec.sop_instance_uid, octets)) << spec.sop_instance_uid;
      EXPECT_TRUE(holds(in_archive, spec.sop_instance_uid, octets)) << spec.sop_instance_uid;
      ++count;
    }
  }
  // What nobody was told about may have arrived as well, but whole, and only once.
  for (const auto* all : {&at_storescp, &in_archive}) {
    for (auto it = all->begin(); it != all->end(); ++it) {
      EXPECT_EQ(all->count(it->first), 1U) << it->first;
    }
  }
  // storescp serves one association at a time: one C-STORE is in flight there.
  const std::size_t stores = stores_at(storescp);
  const std::size_t twice = stores - at_storescp.size();
  EXPECT_LE(twice, static_cast<std::size_t>(kills));
  std::cout << kills << " kills, " << twice << " C-STOREs repeated\n";
  std::cout << count << " objects acknowledged, " << in_archive.size() << " in the archive\n";
  EXPECT_GT(count, static_cast<std::size_t>(kills));

  EXPECT_EQ(router.stop(), 0);
  router.start();
  EXPECT_TRUE(router.ask({"queue", "list"}).empty());
  EXPECT_EQ(router.stop(), 0);
  EXPECT_EQ(stores_at(storescp), stores) << "repeated without a kill";
  const auto verified = router.ask({"journal", "verify"});
  EXPECT_EQ(verified.at("good"), true) << verified.dump(2);
}

}  // namespace
}  // namespace dr::test
