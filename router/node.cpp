#include "router/node.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <asio/thread_pool.hpp>
#include <nlohmann/json.hpp>

#include "dimse/base/log.h"
#include "dimse/base/thread_name.h"
#include "router/admin/api.h"
#include "router/admin/explain_stored.h"
#include "router/admin/http_server.h"
#include "router/admin/socket_server.h"
#include "router/admin/trace_json.h"
#include "router/audit/chain.h"
#include "router/audit/digester.h"
#include "router/audit/feed.h"
#include "router/audit/forget.h"
#include "router/audit/journal_trace.h"
#include "router/delivery/engine.h"
#include "router/delivery/transformer.h"
#include "router/intake.h"
#include "router/journal/scrubber.h"
#include "router/journal/self_test.h"
#include "router/node_events.h"
#include "router/replay/snapshot_feed.h"
#include "router/replay/snapshot_store.h"
#include "router/rule_reload.h"
#include "router/rule_watcher.h"
#include "router/version.h"

namespace dr {
namespace {

using std::chrono::milliseconds;

// What SIGTERM waits for: within the 90 s that systemd gives by default.
constexpr std::size_t kMaxTransformResult = 64U << 20;  // octets: the UIDs of a reversible remap
constexpr std::size_t kMaxTransforms = 65536;           // that wait for a worker
constexpr milliseconds kDrainAssociations{20'000};
constexpr milliseconds kDrainDeliveries{10'000};
constexpr milliseconds kDrainAudit{5'000};
constexpr milliseconds kTraceWaits{1'000};
constexpr std::size_t kMostTraced = 1'000;
constexpr unsigned kDiskThreads = 4;

/// One io_context for each core, each run by one thread.
class IoThreads {
 public:
  explicit IoThreads(unsigned count) {
    for (unsigned i = 0; i < count; ++i) {
      contexts_.push_back(std::make_unique<asio::io_context>(1));
      guards_.push_back(asio::make_work_guard(*contexts_.back()));
      threads_.emplace_back([context = contexts_.back().get()] {
        name_thread("io");
        context->run();
      });
    }
  }
  ~IoThreads() {
    guards_.clear();
    for (const auto& context : contexts_) context->stop();
    for (std::thread& thread : threads_) thread.join();
  }
  IoThreads(const IoThreads&) = delete;
  IoThreads& operator=(const IoThreads&) = delete;

  std::vector<asio::io_context*> contexts() const {
    std::vector<asio::io_context*> all;
    for (const auto& context : contexts_) all.push_back(context.get());
    return all;
  }
  std::vector<asio::any_io_executor> executors() const {
    std::vector<asio::any_io_executor> all;
    for (const auto& context : contexts_) all.emplace_back(context->get_executor());
    return all;
  }

 private:
  std::vector<std::unique_ptr<asio::io_context>> contexts_;
  std::vector<asio::executor_work_guard<asio::io_context::executor_type>> guards_;
  std::vector<std::thread> threads_;
};

}  // namespace

/// Members stand in the order in which they are started; they are destroyed in reverse.
class Node::Impl final : public admin::NodeView {
 public:
  Impl(Config config, std::shared_ptr<const rules::RuleSet> rules, const Clock& clock)
      : config_(std::move(config)),
        clock_(clock),
        started_(clock.now_utc()),
        rules_(std::move(rules)),
        patient_key_(config_.patient_data, config_.audit_key),
        sealer_(config_.audit_key),
        access_(config_.access),
        blocks_(config_.memory),
        metrics_(kVersion, kCommit),
        reload_(rules_, config_.rules, config_.site(), metrics_, clock_),
        events_(metrics_, static_cast<std::uint64_t>(to_micros(started_))),
        api_(*this) {}

  ~Impl() override { stop(); }

  Result<void> start() {
    if (auto opened = open_journal(); !opened) return opened;
    disk_ = std::make_unique<asio::thread_pool>(kDiskThreads);
    io_ = std::make_unique<IoThreads>(std::max(2U, std::thread::hardware_concurrency()));
    start_consumers();
    if (auto listening = open_listeners(); !listening) return listening;
    metrics_.rules_reloaded(true, clock_.now_utc());
    watch_rules();
    return open_admin();
  }

  void stop() {
    {
      const std::lock_guard lock(state_mutex_);
      if (stopping_) return;
      stopping_ = true;
    }
    log::event(log::Level::kInfo, "node.stopping", {});
    watcher_.reset();
    stop_listeners();
    if (scrubber_) scrubber_->stop();
    if (transformer_) transformer_->stop();  // a copy in the making is made again
    if (engine_) engine_->stop(kDrainDeliveries);
    for (const auto& feed : feeds_) feed->stop(kDrainAudit);
    if (chain_) chain_->stop(kDrainAudit);
    if (digester_) digester_->stop();
    if (snapshots_) snapshots_->stop();
    if (http_) http_->stop();
    if (socket_) socket_->stop();
    events_.detach();
    if (journal_) journal_->close();
    listeners_.clear();
    // What still runs on a disk thread comes back to an io_context, whose coroutines know intake.
    if (disk_) disk_->join();
    io_.reset();
    intake_.reset();
    engine_.reset();
    log::event(log::Level::kInfo, "node.stopped", {});
  }

  std::vector<Endpoint> endpoints() const {
    std::vector<Endpoint> all;
    for (std::size_t i = 0; i < listeners_.size(); ++i) {
      const auto& settings = config_.listeners[i];
      all.push_back({settings.name, settings.address, listeners_[i]->port()});
    }
    if (http_) all.push_back({"admin", config_.admin.address, http_->port()});
    return all;
  }

  void reload_rules(const std::string& who) { reload_.asked(who, *journal_); }

  // --- admin::NodeView ---------------------------------------------------------------------------

  admin::Readiness readiness() override {
    admin::Readiness readiness;
    {
      const std::lock_guard lock(state_mutex_);
      if (stopping_) readiness.reasons.emplace_back("stopping");
    }
    if (const auto why = journal_->refusing()) readiness.reasons.push_back(why->to_string());
    readiness.ready = readiness.reasons.empty();
    return readiness;
  }

  nlohmann::json status() override;

  std::string metrics_text() override {
    admin::Gauges gauges;
    gauges.journal = journal_->stats();
    if (const auto free = files_->free_octets()) gauges.disk_free_octets = *free;
    gauges.unrouted_objects = journal_->unrouted_objects();
    gauges.sync_probe_seconds = sync_probe_seconds_;
    if (scrubber_) gauges.scrub = scrubber_->progress();
    gauges.destinations = engine_->status();
    for (const auto& feed : feeds_) gauges.audit_sinks.push_back({feed->sink(), feed->lag()});
    return metrics_.text(gauges);
  }

  Result<std::vector<db::TracedObject>> trace(const std::string& uid, std::size_t limit) override {
    // Who asks for what was just received gets it: the audit is written a moment later.
    if (!feeds_.empty()) journal_->flush(kTraceWaits);
    const journal::Sequence now = journal_->watermark();
    for (std::size_t i = 0; i < feeds_.size(); ++i) {
      const bool complete = feeds_[i]->wait_written(now, i == 0 ? kTraceWaits : milliseconds(0));
      auto stored = trace_audit(i, uid, limit);
      if (!stored) continue;  // another one may answer
      if (complete) return stored;
      auto kept = audit::trace_journal(*journal_, config_.node, uid, limit);
      if (!kept) return kept;
      return audit::merge(*std::move(kept), *std::move(stored), limit);
    }
    return audit::trace_journal(*journal_, config_.node, uid, limit);
  }

  Result<void> forget(const std::string& patient_id, const std::string& who) override {
    auto record = audit::forget_record(sealer_, patient_key_.of(patient_id), who, clock_.now_utc());
    if (!record) return std::move(record).error();
    if (auto appended = journal_->append(*record); !appended) return appended;
    journal_->flush(kTraceWaits);
    return {};
  }

  std::vector<delivery::QueueItem> queue(
      const delivery::QueueFilter& filter, std::size_t limit,
      const std::optional<delivery::QueuePosition>& after) override {
    return engine_->queue_list(filter, limit, after);
  }

  std::shared_ptr<const rules::RuleSet> rules() override { return rules_.load(); }

  admin::Sender unnamed_sender() override { return dr::unnamed_sender(config_, clock_); }

  Result<nlohmann::json> explain(const std::string& uid) override {
    auto traced = trace(uid, kMostTraced);
    if (!traced) return std::move(traced).error();
    return admin::explain_stored(*journal_, rules_.load(), *traced, uid);
  }

  std::vector<delivery::DestinationStatus> destinations() override { return engine_->status(); }

  bool has_destination(const std::string& name) override {
    return config_.targets().contains(name);
  }

 private:
  /// Out of the database of one feed.
  Result<std::vector<db::TracedObject>> trace_audit(std::size_t feed, const std::string& uid,
                                                    std::size_t limit) {
    // A connection of its own: no reader waits for the writer.
    const std::lock_guard lock(trace_mutex_);
    auto& store = trace_stores_[feed];
    if (!store) {
      auto opened = databases_[feed].open();
      if (!opened) return std::move(opened).error();
      store = *std::move(opened);
    }
    auto found = store->trace(uid, limit);
    if (!found) {
      store.reset();  // a connection that has failed is never used again
      log::event(log::Level::kWarning, "trace.failed",
                 {{"sink", databases_[feed].sink}, {"error", found.error().to_string()}});
    }
    return found;
  }

  Result<void> open_journal() {
    auto files = open_posix_file_system(config_.spool.string());
    if (!files) return files.error();
    files_ = *std::move(files);
    if (auto local = journal::refuse_network(*files_); !local) {
      return Error{local.error().code, config_.spool.string() + ": " + local.error().detail};
    }
    journal::Options options;
    options.disk_reserve = config_.disk_reserve;
    options.inline_limit = kInlineLimit;
    auto journal = journal::Journal::open(*files_, clock_, options, &events_);
    if (!journal) return journal.error();
    journal_ = *std::move(journal);
    const journal::RecoveryReport& report = journal_->recovery();
    log::event(report.damaged_records > 0 ? log::Level::kError : log::Level::kInfo,
               "journal.opened",
               {{"records", report.records},
                {"tail", value(report.tail)},
                {"cut_octets", report.cut_octets},
                {"damaged_records", report.damaged_records}});
    for (const std::string& finding : report.findings) {
      log::event(log::Level::kWarning, "journal.finding", {{"what", finding}});
      if (report.damaged_records > 0) record_damage(finding);
    }
    return test_spool();
  }

  /// What a start finds damaged is in the audit as what is found later.
  void record_damage(const std::string& finding) {
    journal::SecurityRecord record;
    record.time = clock_.now_utc();
    record.kind = "journal-damaged";
    record.detail = finding;
    if (const auto appended = journal_->append(record); !appended) {
      log::event(log::Level::kError, "audit.lost", {{"error", appended.error().to_string()}});
    }
  }

  /// A disk that is full now may have space later: that is no reason not to start.
  Result<void> test_spool() {
    std::ifstream maps("/proc/self/maps");
    const std::string mapped{std::istreambuf_iterator<char>(maps), {}};
    auto tested = journal::self_test(*files_, clock_, mapped);
    if (!tested && tested.error().code != Errc::kNoSpace) return tested.error();
    if (!tested) return {};
    sync_probe_seconds_ = tested->sync_seconds;
    log::event(log::Level::kInfo, "spool.tested",
               {{"sync_us", static_cast<std::uint64_t>(tested->sync_seconds * 1e6)}});
    for (const std::string& warning : tested->warnings) {
      log::event(log::Level::kWarning, "spool.warning", {{"what", warning}});
    }
    return {};
  }

  void start_consumers() {
    transformer_ = std::make_unique<delivery::Transformer>(transformer_settings());
    delivery::EngineContext context{*journal_, clock_, blocks_, events_, io_->executors()};
    context.spool = files_.get();
    context.transformer = transformer_.get();
    engine_ = std::make_unique<delivery::DeliveryEngine>(std::move(context), config_.destinations);
    digester_ = std::make_unique<audit::Digester>(*journal_);
    start_feeds();
    if (config_.snapshots) {
      const auto file = config_.spool / replay::kSnapshotFile;
      snapshots_ = std::make_unique<replay::SnapshotFeed>(*journal_, clock_, file.string(),
                                                          *config_.snapshots);
    } else {
      journal_->drop_cursor(replay::SnapshotFeed::kCursor);
    }
    NodeEvents::Hooks hooks;
    if (snapshots_) {
      hooks.advanced.emplace_back([this](journal::Sequence s) { snapshots_->advanced(s); });
    }
    // What is not sent matters to deliveries, too, only not at once: their cursor moves on.
    hooks.advanced.emplace_back([this](journal::Sequence s) {
      if (value(s) - value(engine_told_) > kEngineBehind) tell_engine(s);
    });
    hooks.advanced.emplace_back([this](journal::Sequence s) { digester_->advanced(s); });
    for (const auto& feed : feeds_) {
      hooks.advanced.emplace_back([raw = feed.get()](journal::Sequence s) { raw->advanced(s); });
    }
    hooks.synced = [this](const journal::SyncStats& stats) {
      if (stats.routed != journal::Sequence::kNone) tell_engine(stats.routed);
      if (stats.objects == 0) return;
      digester_->received(stats.octets);
      if (snapshots_) snapshots_->received(stats.octets);
    };
    hooks.damaged = [this](journal::Sequence s, const Error& why) { engine_->damaged(s, why); };
    if (chain_) {
      hooks.advanced.emplace_back([this](journal::Sequence s) { chain_->advanced(s); });
    }
    events_.attach(*journal_, std::move(hooks));
    engine_->start();
    if (config_.scrub.octets_per_second > 0) {
      scrubber_ = std::make_unique<journal::Scrubber>(*journal_, clock_, config_.scrub);
    }
  }

  /// A feed for each database that is configured; what no longer is keeps nothing in the spool.
  void start_feeds() {
    if (config_.sqlite) {
      databases_.push_back(
          {"sqlite", [path = config_.sqlite->string()] { return db::open_sqlite(path); }});
    }
    if (config_.postgresql) {
      databases_.push_back({"postgresql", [settings = *config_.postgresql] {
                              return db::open_postgresql(settings);
                            }});
    }
    if (config_.mysql) {
      databases_.push_back(
          {"mysql", [settings = *config_.mysql] { return db::open_mysql(settings); }});
    }
    trace_stores_.resize(databases_.size());
    for (const char* sink : {"sqlite", "postgresql", "mysql"}) {
      if (std::ranges::find(databases_, sink, &Database::sink) == databases_.end()) {
        journal_->drop_cursor(std::string("audit-") + sink);
      }
    }
    for (const Database& database : databases_) {
      audit::FeedEvents told;
      told.written = [this](const std::string& sink, std::size_t rows) {
        metrics_.audit_written(sink, rows);
      };
      told.refused = [this](const std::string& sink, std::size_t rows) {
        metrics_.audit_refused(sink, rows);
      };
      feeds_.push_back(std::make_unique<audit::Feed>(database.sink, database.open, *journal_,
                                                     config_.node, std::move(told), &sealer_));
    }
    if (sealer_.has_key() && !feeds_.empty()) {
      chain_ = std::make_unique<audit::ChainKeeper>(*journal_, *files_, sealer_, config_.node);
    } else {
      journal_->drop_cursor("audit-chain");
    }
  }

  delivery::TransformerSettings transformer_settings() const {
    delivery::TransformerSettings settings;
    settings.pseudonym_key = config_.pseudonym_key;
    settings.system = config_.ae_title.view();
    settings.folder = config_.spool.string();
    settings.workers.limits.result = kMaxTransformResult;
    settings.workers.waiting = kMaxTransforms;
    return settings;
  }

  Result<void> open_listeners() {
    intake_ = std::make_unique<Intake>(IntakeContext{
        config_.node, static_cast<std::uint64_t>(to_micros(started_)), kInlineLimit, *journal_,
        blocks_, clock_, rules_, patient_key_, access_, metrics_, disk_->get_executor()});
    for (const service::ListenerConfig& settings : config_.listeners) {
      auto listener = service::Listener::open(settings, io_->contexts(), *intake_, clock_);
      if (!listener) {
        return Error{listener.error().code,
                     "listener '" + settings.name + "': " + listener.error().detail};
      }
      listeners_.push_back(*std::move(listener));
    }
    return {};
  }

  Result<void> open_admin() {
    auto http = admin::HttpServer::open(
        config_.admin, api_, [this](const std::string& peer, const std::string& detail) {
          journal::SecurityRecord record;
          record.time = clock_.now_utc();
          record.kind = "admin-login-failed";
          record.listener = "admin";
          record.peer_address = peer;
          record.detail = detail;
          if (const auto appended = journal_->append(record); !appended) {
            log::event(log::Level::kError, "audit.lost", {{"error", appended.error().to_string()}});
          }
        });
    if (!http) return http.error();
    http_ = *std::move(http);
    http_->start();
    auto socket = admin::SocketServer::open(admin_socket(config_), api_);
    if (!socket) return socket.error();
    socket_ = *std::move(socket);
    socket_->start();
    return {};
  }

  /// On the journal's writer thread.
  void tell_engine(journal::Sequence durable) {
    engine_told_ = durable;
    engine_->advanced(durable);
  }

  /// Without inotify the rules are read again at SIGHUP only.
  void watch_rules() {
    auto watcher = RuleWatcher::start(config_.rules, [this] { reload_.folder_changed(*journal_); });
    if (watcher) {
      watcher_ = *std::move(watcher);
      reload_.folder_changed(*journal_);  // what has changed since the rules were read
    } else {
      log::event(log::Level::kWarning, "rules.not_watched",
                 {{"error", watcher.error().to_string()}});
    }
  }

  void stop_listeners() {
    for (const auto& listener : listeners_) listener->stop();
    for (const auto& listener : listeners_) {
      if (listener->wait_until_closed(kDrainAssociations)) continue;
      listener->stop_now();
      listener->wait_until_closed(kDrainAssociations);
    }
  }

  static constexpr std::uint64_t kInlineLimit = 4U << 20;
  static constexpr std::uint64_t kEngineBehind = 10'000;  // records

  const Config config_;
  const Clock& clock_;
  const UtcMicros started_;
  CurrentRules rules_;
  const PatientKey patient_key_;
  const audit::Sealer sealer_;
  Access access_;
  BlockPool blocks_;
  admin::Metrics metrics_;
  RuleReload reload_;
  NodeEvents events_;
  admin::Api api_;
  std::mutex state_mutex_;
  bool stopping_ = false;

  std::unique_ptr<FileSystem> files_;
  std::unique_ptr<journal::Journal> journal_;
  std::unique_ptr<asio::thread_pool> disk_;
  std::unique_ptr<IoThreads> io_;
  std::unique_ptr<delivery::Transformer> transformer_;
  std::unique_ptr<delivery::DeliveryEngine> engine_;
  journal::Sequence engine_told_{};  // of the journal's writer thread
  std::unique_ptr<audit::Digester> digester_;
  /// An audit database that is configured.
  struct Database {
    std::string sink;
    audit::Feed::Open open;
  };
  std::vector<Database> databases_;
  std::vector<std::unique_ptr<audit::Feed>> feeds_;  // in the order of databases_
  std::unique_ptr<audit::ChainKeeper> chain_;
  std::unique_ptr<replay::SnapshotFeed> snapshots_;
  std::unique_ptr<journal::Scrubber> scrubber_;
  double sync_probe_seconds_ = 0;  // set once, before anybody asks
  std::mutex trace_mutex_;
  std::vector<std::unique_ptr<db::AuditStore>> trace_stores_;  // one for each feed
  std::unique_ptr<Intake> intake_;
  std::vector<std::unique_ptr<service::Listener>> listeners_;
  std::unique_ptr<RuleWatcher> watcher_;
  std::unique_ptr<admin::HttpServer> http_;
  std::unique_ptr<admin::SocketServer> socket_;
};

nlohmann::json Node::Impl::status() {
  nlohmann::json status;
  const admin::Readiness ready = readiness();
  status["node"] = config_.node;
  status["version"] = kVersion;
  status["started"] = admin::utc_text(started_);
  status["ready"] = ready.ready;
  status["reasons"] = ready.reasons;
  status["associations"] = access_.open();
  status["listeners"] = nlohmann::json::array();
  for (std::size_t i = 0; i < listeners_.size(); ++i) {
    status["listeners"].push_back({{"name", config_.listeners[i].name},
                                   {"address", config_.listeners[i].address},
                                   {"port", listeners_[i]->port()},
                                   {"associations", listeners_[i]->open_associations()}});
  }
  status["rules"] = reload_.status();
  const journal::Stats journal = journal_->stats();
  status["journal"] = {
      {"spool_id", journal_->spool_id()},      {"octets", journal.octets},
      {"segments", journal.segments},          {"segments_free", journal.segments_free},
      {"live_objects", journal.live_objects},  {"damaged_records", journal.damaged_records},
      {"watermark", value(journal.watermark)}, {"fenced", journal.fenced}};
  status["unrouted_objects"] = journal_->unrouted_objects();
  status["destinations"] = nlohmann::json::array();
  for (const delivery::DestinationStatus& d : engine_->status()) {
    nlohmann::json oldest;
    if (d.oldest) oldest = admin::utc_text(*d.oldest);
    status["destinations"].push_back({{"name", d.name},
                                      {"up", d.up},
                                      {"reason", d.reason},
                                      {"waiting", d.counts.waiting},
                                      {"sending", d.counts.sending},
                                      {"unknown", d.counts.unknown},
                                      {"held", d.counts.held},
                                      {"damaged", d.counts.damaged},
                                      {"oldest", oldest},
                                      {"associations", d.associations}});
  }
  status["audit"] = nlohmann::json::array();
  for (const auto& feed : feeds_) {
    status["audit"].push_back({{"sink", feed->sink()}, {"lag_records", feed->lag()}});
  }
  return status;
}

Node::Node(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Node::~Node() = default;

Result<std::unique_ptr<Node>> Node::start(Config config,
                                          std::shared_ptr<const rules::RuleSet> rules,
                                          const Clock& clock) {
  auto impl = std::make_unique<Impl>(std::move(config), std::move(rules), clock);
  if (auto started = impl->start(); !started) return started.error();
  return std::unique_ptr<Node>(new Node(std::move(impl)));
}

std::vector<Endpoint> Node::endpoints() const { return impl_->endpoints(); }
void Node::reload_rules(const std::string& who) { impl_->reload_rules(who); }
void Node::stop() { impl_->stop(); }

std::filesystem::path admin_socket(const Config& config) { return config.spool / "admin.sock"; }

}  // namespace dr
