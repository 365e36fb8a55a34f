#pragma once

#include <algorithm>
#include <condition_variable>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "router/delivery/engine.h"
#include "test/support/dicom_objects.h"
#include "test/support/fault_file_system.h"
#include "test/support/manual_timers.h"
#include "test/support/memory_node.h"
#include "test/support/temp_dir.h"

namespace dr::delivery {

using journal::DeliveryState;
using journal::Sequence;

/// Remembers everything; a test waits for what must come.
class RecordingObserver final : public Observer {
 public:
  static constexpr std::chrono::seconds kPatience{60};
  using Outcomes = std::vector<journal::OutcomeRecord>;

  std::uint64_t next_association_number() override {
    const std::scoped_lock lock(mutex_);
    return ++associations_begun_;
  }
  void association_ended(const journal::AssociationRecord& record) override {
    change([&] { associations_.push_back(record); });
  }
  void attempted(const AttemptReport& report) override {
    change([&] { outcomes_.push_back(report.outcome); });
  }
  void queued(const std::string& destination, Sequence) override {
    change([&] { ++queued_[destination]; });
  }
  void destination_changed(const std::string& destination, bool up,
                           const std::string& reason) override {
    change([&] { changes_.push_back(destination + (up ? " up" : " down " + reason)); });
  }

  /// The outcomes at `destination` once there are so many.
  Outcomes wait_for_outcomes(const std::string& destination, std::size_t count) {
    Outcomes found;
    wait([&] {
      found.clear();
      for (const auto& o : outcomes_) {
        if (o.destination == destination) found.push_back(o);
      }
      return found.size() >= count;
    });
    return found;
  }
  Outcomes wait_for_state(const std::string& destination, DeliveryState state, std::size_t count) {
    Outcomes found;
    wait([&] {
      found.clear();
      for (const auto& o : outcomes_) {
        if (o.destination == destination && o.state == state) found.push_back(o);
      }
      return found.size() >= count;
    });
    return found;
  }
  std::vector<journal::AssociationRecord> wait_for_associations(std::size_t count) {
    wait([&] { return associations_.size() >= count; });
    const std::scoped_lock lock(mutex_);
    return associations_;
  }
  void wait_for_queued(const std::string& destination, std::size_t count) {
    wait([&] { return queued_[destination] >= count; });
  }
  void wait_for_change(const std::string& what) {
    wait([&] { return std::find(changes_.begin(), changes_.end(), what) != changes_.end(); });
  }
  Outcomes outcomes() {
    const std::scoped_lock lock(mutex_);
    return outcomes_;
  }

 private:
  void change(const std::function<void()>& what) {
    const std::scoped_lock lock(mutex_);
    what();
    changed_.notify_all();
  }
  template <class Predicate>
  void wait(Predicate predicate) {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, kPatience, predicate)) {
      ADD_FAILURE() << "what was waited for did not come; attempts=" << outcomes_.size()
                    << " associations=" << associations_.size();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t associations_begun_ = 0;
  std::vector<journal::AssociationRecord> associations_;
  Outcomes outcomes_;
  std::map<std::string, std::size_t> queued_;
  std::vector<std::string> changes_;
};

/// A journal, an engine on it, and what both stand on. The journal's disk is in memory, so that a
/// test may go on from any instant of it.
class DeliveryTest : public testing::Test, protected journal::Listener {
 protected:
  // Before the destructors: the journal's thread tells this object what happens.
  void TearDown() override {
    stop();
    journal_.reset();
  }

  // journal::Listener
  void advanced(Sequence watermark) override {
    const std::scoped_lock lock(engine_mutex_);
    if (engine_) engine_->advanced(watermark);
  }
  void synced(const journal::SyncStats&) override {}
  void fenced(const Error&) override {}
  void damaged(Sequence record, const Error& why) override {
    const std::scoped_lock lock(engine_mutex_);
    if (engine_) engine_->damaged(record, why);
  }

  static journal::Options options() {
    journal::Options options;
    options.segment_octets = 16U << 20;
    options.ahead_octets = 0;
    options.recent_octets = 0;  // what is read comes from the disk
    return options;
  }
  journal::Journal& journal() {
    if (!journal_) {
      auto opened = journal::Journal::open(*disk_, clock_, options(), this);
      EXPECT_TRUE(opened) << opened.error().to_string();
      journal_ = std::move(*opened);
    }
    return *journal_;
  }

  static DestinationSettings dimse(std::string name, std::uint16_t port) {
    DestinationSettings settings;
    settings.name = std::move(name);
    settings.host = "127.0.0.1";
    settings.port = port;
    settings.ae_title = *AeTitle::parse("STORESCP");
    settings.calling_ae_title = *AeTitle::parse("ROUTER");
    return settings;
  }
  static DestinationSettings folder(std::string name, const std::filesystem::path& path) {
    DestinationSettings settings;
    settings.name = std::move(name);
    settings.kind = Kind::kFolder;
    settings.path = path.string();
    return settings;
  }

  void start(std::vector<DestinationSettings> destinations) {
    EngineContext context{journal(), clock_, blocks_, *observer_, {}};
    for (asio::io_context* each : io_.contexts()) {
      context.executors.push_back(each->get_executor());
    }
    if (open_folder_) context.open_folder = open_folder_;
    if (manual_time_) context.timers = &timers_;
    context.spool = disk_.get();
    context.transformer = transformer_in_context_;
    auto engine = std::make_unique<DeliveryEngine>(std::move(context), std::move(destinations));
    engine->start();
    const std::scoped_lock lock(engine_mutex_);
    engine_ = std::move(engine);
    engine_->advanced(journal().watermark());
  }
  void stop(std::chrono::milliseconds grace = std::chrono::milliseconds(0)) {
    std::unique_ptr<DeliveryEngine> engine;
    {
      const std::scoped_lock lock(engine_mutex_);
      engine = std::move(engine_);
    }
    if (engine) engine->stop(grace);
  }
  /// The node dies now; what it had written to disk is there when it comes back.
  void die() {
    auto disk = disk_->crash(test::Survives::kEverything);
    stop();
    journal_.reset();
    observer_ = std::make_unique<RecordingObserver>();
    disk_ = std::move(disk);
  }

  /// The same, once the disk knows what has become of its objects.
  void settle_and_die() {
    ASSERT_TRUE(journal().flush(RecordingObserver::kPatience));
    die();
  }

  struct Object {
    journal::ObjectRecord record;
    Bytes data;
  };
  Object an_object(std::vector<std::string> destinations, test::ObjectSpec spec = {}) {
    Object object;
    object.data = test::make_data_set(spec);
    journal::ObjectRecord& record = object.record;
    record.received = clock_.now_utc();
    record.calling_ae_title = *AeTitle::parse("CT1");
    record.sop_class_uid = *Uid::parse(spec.sop_class_uid);
    record.sop_instance_uid = *Uid::parse(spec.sop_instance_uid);
    record.transfer_syntax_uid = *Uid::parse(spec.transfer_syntax);
    record.study_instance_uid = *Uid::parse(spec.study_instance_uid);
    record.series_instance_uid = *Uid::parse(spec.series_instance_uid);
    for (auto& destination : destinations)
      record.routes.push_back({std::move(destination), 1, {}, {}, {}});
    return object;
  }
  Sequence append(const Object& object) {
    BlockChain chain(blocks_);
    for (ByteSpan rest(object.data); !rest.empty();) {
      const MutableByteSpan space = chain.writable();
      const std::size_t n = std::min(space.size(), rest.size());
      std::copy_n(rest.begin(), n, space.begin());
      chain.commit(n);
      rest = rest.subspan(n);
    }
    std::promise<Result<Sequence>> promise;
    journal().append_object(object.record, std::move(chain),
                            [&](Result<Sequence> r) { promise.set_value(std::move(r)); });
    const auto sequence = promise.get_future().get();
    EXPECT_TRUE(sequence) << sequence.error().to_string();
    return sequence ? *sequence : Sequence::kNone;
  }
  Sequence append_large(const Object& object) {
    auto large = journal().create_large();
    EXPECT_TRUE(large);
    const ByteSpan part(object.data);
    EXPECT_TRUE((*large)->write({&part, 1}));
    EXPECT_TRUE((*large)->seal());
    std::promise<Result<Sequence>> promise;
    journal().append_large(object.record, std::move(*large),
                           [&](Result<Sequence> r) { promise.set_value(std::move(r)); });
    const auto sequence = promise.get_future().get();
    EXPECT_TRUE(sequence) << sequence.error().to_string();
    return sequence ? *sequence : Sequence::kNone;
  }

  SystemClock clock_;
  test::ManualTimers timers_;
  bool manual_time_ = false;
  Transformer* transformer_in_context_ = nullptr;
  std::function<Result<std::unique_ptr<FileSystem>>(const std::string&)> open_folder_;
  BlockPool blocks_{64U << 20};
  std::unique_ptr<RecordingObserver> observer_ = std::make_unique<RecordingObserver>();
  std::unique_ptr<test::FaultFileSystem> disk_ = std::make_unique<test::FaultFileSystem>();
  std::unique_ptr<journal::Journal> journal_;
  test::IoThreads io_{2};
  std::mutex engine_mutex_;
  std::unique_ptr<DeliveryEngine> engine_;
};

}  // namespace dr::delivery
