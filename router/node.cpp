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
#include <pwd.h>
#include <unistd.h>

#include "dimse/base/log.h"
#include "dimse/base/thread_name.h"
#include "router/admin/api.h"
#include "router/admin/explain_stored.h"
#include "router/admin/http_server.h"
#include "router/admin/socket_server.h"
#include "router/admin/trace_json.h"
#include "router/audit/atna_events.h"
#include "router/audit/digester.h"
#include "router/audit/forget.h"
#include "router/delivery/engine.h"
#include "router/delivery/transformer.h"
#include "router/extraction/extractor.h"
#include "router/extraction/store.h"
#include "router/extraction/webhook.h"
#include "router/extraction_node.h"
#include "router/intake.h"
#include "router/intake_count.h"
#include "router/journal/loss_invariant.h"
#include "router/journal/scrubber.h"
#include "router/journal/self_test.h"
#include "router/loss_report.h"
#include "router/node_audit.h"
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
constexpr milliseconds kDrainAssociations{20'000};
constexpr milliseconds kDrainDeliveries{10'000};
constexpr milliseconds kTraceWaits{1'000};
constexpr milliseconds kReportWaits{20'000};
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
    if (auto started = start_consumers(); !started) return started;
    if (auto listening = open_listeners(); !listening) return listening;
    metrics_.rules_reloaded(true, clock_.now_utc());
    watch_rules();
    if (auto opened = open_admin(); !opened) return opened;
    record_activity(audit::atna::kStart);
    told_start_ = true;
    return {};
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
    if (extractor_) extractor_->stop();  // what is being extracted is extracted again
    if (webhook_) webhook_->stop();
    if (transformer_) transformer_->stop();  // a copy in the making is made again
    if (explainer_) explainer_->stop();
    if (engine_) engine_->stop(kDrainDeliveries);
    if (told_start_) record_activity(audit::atna::kStop);
    if (audit_) audit_->stop();
    if (digester_) digester_->stop();
    if (snapshots_) snapshots_->stop();
    if (count_) count_->stop();
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
    gauges.loss = loss_->rows();
    for (const auto& [sink, lag] : audit_->lags()) gauges.audit_sinks.push_back({sink, lag});
    return metrics_.text(gauges);
  }

  Result<std::vector<db::TracedObject>> trace(const std::string& uid, std::size_t limit) override {
    return audit_->trace(uid, limit);
  }

  Result<void> forget(const std::string& patient_id, const std::string& who) override {
    auto record = audit::forget_record(sealer_, patient_key_.of(patient_id), who, clock_.now_utc());
    if (!record) return std::move(record).error();
    if (auto appended = journal_->append(*record); !appended) return appended;
    journal_->flush(kTraceWaits);
    return {};
  }

  Result<void> uids_looked_up(const std::vector<std::string>& uids,
                              const std::string& who) override {
    for (const std::string& uid : uids) {
      const journal::OperatorRecord record{clock_.now_utc(), who, "uid-lookup", uid, ""};
      if (auto appended = journal_->append(record); !appended) return appended;
    }
    journal_->flush(kTraceWaits);
    return {};
  }

  Result<nlohmann::json> loss_report(const std::string& day_text) override {
    const UtcMicros now = clock_.now_utc();
    const auto day = day_text.empty() ? Result<audit::Day>(day_of(now)) : parse_day(day_text);
    if (!day) return day.error();
    // Nothing is counted that the database then does not have.
    journal_->flush(kTraceWaits);
    const IntakeCount::Day counted = count_->day(*day);
    auto written = audit_->written_up_to(count_->position(), kReportWaits);
    if (!written) return std::move(written).error();
    return dr::loss_report(
        {config_.node, journal_->spool_id(), written->first, *day, now, count_->since()}, counted,
        *written->second, sealer_);
  }

  std::vector<delivery::QueueItem> queue(
      const delivery::QueueFilter& filter, std::size_t limit,
      const std::optional<delivery::QueuePosition>& after) override {
    return engine_->queue_list(filter, limit, after);
  }

  Result<delivery::OperationReport> operate(delivery::OperationRequest request) override {
    request.rules = rules_.load();
    return engine_->operate(request);
  }

  std::shared_ptr<const rules::RuleSet> rules() override { return rules_.load(); }

  Result<admin::Sender> sender(const std::map<std::string, std::string>& query) override {
    return sender_of(config_, clock_, query);
  }

  Result<nlohmann::json> explain(const std::string& uid) override {
    auto traced = trace(uid, kMostTraced);
    if (!traced) return std::move(traced).error();
    return admin::explain_stored(*journal_, rules_.load(), trials(), *traced, uid);
  }

  Result<worker::Descriptor> sample_file(std::uint64_t octets) override {
    if (auto room = room_for(octets); !room) return room.error();
    return explainer_->unnamed_file();
  }

  admin::TryCopy try_copies(admin::OpenSample open) override {
    return admin::try_copies(trials(), std::move(open));
  }

  std::vector<delivery::DestinationStatus> destinations() override { return engine_->status(); }

  Result<admin::StructureSetAnswer> structure_set(const Uid& uid) override {
    auto told = extractor_->find(uid);
    return told ? answer_of(*std::move(told)) : Result<admin::StructureSetAnswer>(told.error());
  }
  Result<Bytes> mask(const Uid& uid, std::int32_t roi_number) override {
    return extractor_->mask(uid, roi_number);
  }

  bool has_destination(const std::string& name) override {
    return config_.targets().contains(name);
  }

 private:
  admin::Trials trials() {
    return {*explainer_, config_.destinations,
            [this](std::uint64_t octets) { return room_for(octets); }};
  }

  Result<void> room_for(std::uint64_t octets) const {
    const auto free = files_->free_octets();
    if (!free) return free.error();
    if (*free >= config_.disk_reserve && *free - config_.disk_reserve >= octets) return {};
    return Error{Errc::kNoSpace,
                 "free=" + std::to_string(*free) + " wanted=" + std::to_string(octets)};
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

  /// That the node has started, or stops: durable before the audit's last look.
  void record_activity(const char* action) {
    journal::OperatorRecord record;
    record.time = clock_.now_utc();
    const passwd* const user = ::getpwuid(::geteuid());
    record.who = user != nullptr ? user->pw_name : std::to_string(::geteuid());
    record.action = action;
    record.target = config_.node;
    record.detail = std::string("version=") + kVersion;
    if (const auto appended = journal_->append(record); !appended) {
      log::event(log::Level::kError, "audit.lost", {{"error", appended.error().to_string()}});
      return;
    }
    journal_->flush(kTraceWaits);
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

  Result<void> start_consumers() {
    loss_ = std::make_unique<journal::LossInvariant>(*journal_);
    count_ = std::make_unique<IntakeCount>(*journal_, *files_, sealer_);
    transformer_ = std::make_unique<delivery::Transformer>(config_.transforms());
    auto explained = config_.transforms();
    explained.workers.workers = 1;
    explainer_ = std::make_unique<delivery::Transformer>(std::move(explained));
    delivery::EngineContext context{*journal_, clock_, blocks_, events_, io_->executors()};
    context.spool = files_.get();
    context.transformer = transformer_.get();
    context.routed = routed();
    engine_ = std::make_unique<delivery::DeliveryEngine>(std::move(context), config_.destinations);
    digester_ = std::make_unique<audit::Digester>(*journal_);
    audit_ = std::make_unique<NodeAudit>(config_, *journal_, *files_, clock_, sealer_, metrics_);
    if (config_.snapshots) {
      const auto file = config_.spool / replay::kSnapshotFile;
      snapshots_ = std::make_unique<replay::SnapshotFeed>(*journal_, clock_, file.string(),
                                                          *config_.snapshots);
    } else {
      journal_->drop_cursor(replay::SnapshotFeed::kCursor);
    }
    if (auto started = start_extraction(); !started) return started;
    NodeEvents::Hooks hooks;
    hooks.advanced.emplace_back([this](journal::Sequence s) {
      loss_->check();
      count_->advanced(s);
    });
    hooks.advanced.emplace_back([this](journal::Sequence s) { extractor_->advanced(s); });
    if (snapshots_) {
      hooks.advanced.emplace_back([this](journal::Sequence s) { snapshots_->advanced(s); });
    }
    // What is not sent matters to deliveries, too, only not at once: their cursor moves on.
    hooks.advanced.emplace_back([this](journal::Sequence s) {
      if (value(s) - value(engine_told_) > kEngineBehind) tell_engine(s);
    });
    hooks.advanced.emplace_back([this](journal::Sequence s) { digester_->advanced(s); });
    hooks.advanced.emplace_back([this](journal::Sequence s) { audit_->advanced(s); });
    hooks.synced = [this](const journal::SyncStats& stats) {
      if (stats.routed != journal::Sequence::kNone) tell_engine(stats.routed);
      if (stats.objects == 0) return;
      digester_->received(stats.octets);
      if (snapshots_) snapshots_->received(stats.octets);
    };
    hooks.damaged = [this](journal::Sequence s, const Error& why) { engine_->damaged(s, why); };
    events_.attach(*journal_, std::move(hooks));
    engine_->start();
    if (config_.scrub.octets_per_second > 0) {
      scrubber_ = std::make_unique<journal::Scrubber>(*journal_, clock_, config_.scrub);
    }
    return {};
  }

  Result<void> start_extraction() {
    extraction::Settings settings = config_.extraction;
    settings.spool = config_.spool.string();
    settings.node = config_.node;
    if (config_.webhook) {
      auto webhook = extraction::Webhook::start(extraction::store_file(settings.spool),
                                                *config_.webhook, journal_->spool_id(), clock_);
      if (!webhook) return webhook.error();
      webhook_ = *std::move(webhook);
    }
    extraction::Hooks hooks;
    hooks.wanted = [this] { return rules_.load()->extracts(); };
    hooks.decide = [this](journal::ObjectRecord& record, ByteSpan octets) {
      describe_made({config_.node, static_cast<std::uint64_t>(to_micros(started_)),
                     config_.ae_title, patient_key_, clock_, *rules_.load(), metrics_},
                    octets, record);
    };
    hooks.routed = routed();
    hooks.forgets = [this](const journal::OperatorRecord& action, const std::string& key) {
      return audit::forgets(sealer_, action.action, action.target, key);
    };
    hooks.ended = [this](const std::string& outcome, double seconds) {
      metrics_.extraction_ended(outcome, seconds);
    };
    if (webhook_) hooks.message = [this] { webhook_->wake(); };
    auto extractor =
        extraction::Extractor::start(*journal_, clock_, blocks_, std::move(settings), hooks);
    if (!extractor) return extractor.error();
    extractor_ = *std::move(extractor);
    return {};
  }

  Result<void> open_listeners() {
    intake_ = std::make_unique<Intake>(IntakeContext{
        config_.node, static_cast<std::uint64_t>(to_micros(started_)), kInlineLimit, *journal_,
        blocks_, clock_, rules_, patient_key_, access_, metrics_, disk_->get_executor(), routed()});
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

  /// Counts every object that is kept, on the journal's writer thread.
  delivery::Routed routed() {
    return [this](journal::Sequence instance, UtcMicros received,
                  const std::vector<std::string>& destinations) {
      loss_->routed(destinations);
      count_->routed(instance, received, destinations);
    };
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
  bool told_start_ = false;

  std::unique_ptr<FileSystem> files_;
  std::unique_ptr<journal::Journal> journal_;
  std::unique_ptr<journal::LossInvariant> loss_;
  std::unique_ptr<IntakeCount> count_;
  std::unique_ptr<asio::thread_pool> disk_;
  std::unique_ptr<IoThreads> io_;
  std::unique_ptr<delivery::Transformer> transformer_;
  std::unique_ptr<delivery::Transformer> explainer_;  // whoever asks holds up no delivery
  std::unique_ptr<delivery::DeliveryEngine> engine_;
  journal::Sequence engine_told_{};  // of the journal's writer thread
  std::unique_ptr<audit::Digester> digester_;
  std::unique_ptr<NodeAudit> audit_;
  std::unique_ptr<replay::SnapshotFeed> snapshots_;
  std::unique_ptr<extraction::Webhook> webhook_;
  std::unique_ptr<extraction::Extractor> extractor_;
  std::unique_ptr<journal::Scrubber> scrubber_;
  double sync_probe_seconds_ = 0;  // set once, before anybody asks
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
                                      {"paused", d.paused},
                                      {"waiting", d.counts.waiting},
                                      {"sending", d.counts.sending},
                                      {"unknown", d.counts.unknown},
                                      {"held", d.counts.held},
                                      {"damaged", d.counts.damaged},
                                      {"oldest", oldest},
                                      {"associations", d.associations}});
  }
  status["loss_invariant"] = nlohmann::json::array();
  for (const journal::LossInvariant::Row& row : loss_->rows()) {
    nlohmann::json states = nlohmann::json::object();
    for (std::size_t i = 0; i < row.known.states.size(); ++i) {
      const std::string state(name(journal::DeliveryState{static_cast<std::uint8_t>(i)}));
      if (row.known.states[i] > 0) states[state] = row.known.states[i];
    }
    status["loss_invariant"].push_back({{"destination", row.destination},
                                        {"routed", row.routed},
                                        {"states", std::move(states)},
                                        {"violations", row.violations}});
  }
  const extraction::Counts extractions = extractor_->counts();
  status["extractions"] = {{"waiting", extractions.waiting},
                           {"running", extractions.running},
                           {"held", extractions.held}};
  status["audit"] = nlohmann::json::array();
  for (const auto& [sink, lag] : audit_->lags()) {
    status["audit"].push_back({{"sink", sink}, {"lag_records", lag}});
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
