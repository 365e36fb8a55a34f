#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <sstream>

#include <gtest/gtest.h>

#include "db/audit_store.h"
#include "router/audit/feed.h"
#include "test/router/journal/journal_fixture.h"
#include "test/support/temp_dir.h"

namespace dr::audit {

using journal::DeliveryState;
using journal::Sequence;

constexpr std::chrono::seconds kPatience{60};

/// Passes the watermark on to whoever follows, as the node does.
class Forward final : public journal::Listener {
 public:
  void advanced(Sequence watermark) override {
    const std::scoped_lock lock(mutex_);
    if (follower_) follower_(watermark);
  }
  void synced(const journal::SyncStats&) override {}
  void fenced(const Error&) override {}
  void to(std::function<void(Sequence)> follower) {
    const std::scoped_lock lock(mutex_);
    follower_ = std::move(follower);
  }

 private:
  std::mutex mutex_;
  std::function<void(Sequence)> follower_;
};

/// Nobody is told anything any more once the follower goes.
struct Unhook {
  Forward* forward = nullptr;
  void operator()(auto* follower) const {
    forward->to({});
    delete follower;
  }
};
template <class T>
using Following = std::unique_ptr<T, Unhook>;

/// A number that other threads raise and a test waits for.
class Count {
 public:
  void add(std::size_t n) {
    const std::scoped_lock lock(mutex_);
    count_ += n;
    changed_.notify_all();
  }
  bool reaches(std::size_t n) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kPatience, [&] { return count_ >= n; });
  }
  std::size_t now() const {
    const std::scoped_lock lock(mutex_);
    return count_;
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t count_ = 0;
};

inline std::string text_of(const db::TracedObject& o) {
  std::ostringstream out;
  const auto time = [](std::optional<UtcMicros> t) { return t ? to_micros(*t) : -1; };
  const auto key = [&](const db::Key& k) -> std::ostream& {
    return out << k.node << ' ' << k.spool_id << ' ' << k.sequence << ' ';
  };
  const db::InstanceRow& i = o.instance;
  key(i.key) << i.sop_instance_uid << ' ' << i.sop_class_uid << ' ' << i.transfer_syntax_uid << ' '
             << i.study_instance_uid << ' ' << i.series_instance_uid << ' ' << i.modality << ' '
             << i.patient_key << ' ' << i.octets << ' ' << i.process_start << ' ' << i.association
             << ' ' << i.listener << ' ' << i.peer_address << ' ' << i.calling_ae_title << ' '
             << i.called_ae_title << ' ' << time(i.received) << ' ' << time(i.durable) << ' '
             << i.status << ' ' << i.state << ' ' << i.rules_sha256 << ' ' << i.extract << ' '
             << o.sha256 << '\n';
  for (const auto& d : o.decisions) {
    key(d.key) << d.rule_ordinal << ' ' << d.rule << ' ' << d.file << ' ' << d.line << ' '
               << d.destinations << ' ' << d.transform << ' ' << d.rules_sha256 << '\n';
  }
  for (const auto& d : o.deliveries) {
    key(d.key) << d.instance_sequence << ' ' << d.destination << ' ' << d.attempt << ' '
               << time(d.started) << ' ' << time(d.finished) << ' ' << d.outcome << ' '
               << (d.status ? std::to_string(*d.status) : "none") << ' ' << d.comment << ' '
               << d.octets << ' ' << d.transfer_syntax_uid << '\n';
  }
  for (const auto& s : o.states) {
    key(s.key) << s.destination << ' ' << s.state << ' ' << s.reason << ' ' << s.attempts << ' '
               << time(s.next_attempt) << ' ' << time(s.changed) << ' ' << s.changed_sequence
               << '\n';
  }
  return out.str();
}

inline std::string text_of(const std::vector<db::TracedObject>& objects) {
  std::string text;
  for (const auto& object : objects) text += text_of(object);
  return text;
}

/// A real journal on a real disk, and a SQLite file beside it.
class AuditTest : public journal::JournalTest {
 protected:
  void SetUp() override {
    auto files = open_posix_file_system((folder_ / "spool").string());
    ASSERT_TRUE(files.ok());
    files_ = std::move(*files);
    options_ = journal::small_options();
    options_.segment_octets = 1 << 20;
    options_.inline_limit = 256 << 10;
    options_.idle_sync = std::chrono::milliseconds(5);
    reopen();
  }
  void reopen() {
    journal_.reset();
    journal_ = JournalTest::open(*files_, options_, &forward_);
    ASSERT_TRUE(journal_);
  }

  journal::ObjectRecord object(unsigned number, std::vector<std::string> destinations) {
    auto record = journal::object_record(destinations);
    record.sop_instance_uid = uid_literal("1.2.3." + std::to_string(number));
    record.series_instance_uid = uid_literal("1.2.3");
    record.study_instance_uid = uid_literal("1.2");
    record.sop_class_uid = uid_literal("1.2.840.10008.5.1.4.1.1.2");
    record.transfer_syntax_uid = uid_literal("1.2.840.10008.1.2.1");
    record.modality = "CT";
    record.received = from_micros(1'700'000'000'000'000 + number);
    record.rules_sha256 = std::string(64, 'a');
    record.decisions = {{"all", "10-all.toml", 3, 1, std::move(destinations), ""}};
    return record;
  }
  Sequence append_record(journal::ObjectRecord record, std::string_view text = "data set") {
    std::promise<Result<Sequence>> promise;
    journal_->append_object(std::move(record), chain(text),
                            [&promise](Result<Sequence> r) { promise.set_value(std::move(r)); });
    auto sequence = promise.get_future().get();
    EXPECT_TRUE(sequence.ok()) << (sequence ? "" : sequence.error().to_string());
    return sequence ? *sequence : Sequence::kNone;
  }
  Sequence append_object(unsigned number, std::vector<std::string> destinations = {"archive"}) {
    return append_record(object(number, std::move(destinations)));
  }
  void append_outcome(Sequence instance, const std::string& destination, DeliveryState state) {
    auto record = journal::outcome(instance, destination, state);
    record.started = from_micros(1'700'000'001'000'000);
    record.finished = from_micros(1'700'000'002'000'000);
    record.outcome = "refused";
    record.has_status = true;
    record.status = 0xA700;
    record.reason = state == DeliveryState::kHeld ? "conflicting_transforms" : "";
    record.next_attempt = from_micros(1'700'000'003'000'000);
    ASSERT_TRUE(journal_->append(record).ok());
  }
  /// All that was appended is readable: an object behind it is durable.
  void settle() { (void)append_object(999'999, {}); }

  std::string database() const { return (folder_ / "audit.sqlite").string(); }
  Feed::Open opener() const {
    return [path = database()] { return db::open_sqlite(path); };
  }
  FeedEvents events() {
    return {[this](const std::string&, std::size_t n) { written_.add(n); },
            [this](const std::string&, std::size_t n) { refused_.add(n); }};
  }
  Following<Feed> feed(Feed::Open open) {
    auto* made = new Feed("sqlite", std::move(open), *journal_, "router-1", events());
    forward_.to([made](Sequence watermark) { made->advanced(watermark); });
    return Following<Feed>(made, Unhook{&forward_});
  }
  /// Ends it once it has written what is durable.
  void finish(Feed& feed) {
    feed.stop(kPatience);
    EXPECT_EQ(feed.lag(), 0U);
  }
  std::vector<db::TracedObject> stored(const std::string& uid) const {
    auto store = db::open_sqlite(database());
    EXPECT_TRUE(store.ok());
    auto found = (*store)->trace(uid, 100'000);
    EXPECT_TRUE(found.ok());
    return found ? std::move(*found) : std::vector<db::TracedObject>{};
  }

  test::TempDir folder_;
  Forward forward_;
  Count written_;
  Count refused_;
  journal::Options options_;
  std::unique_ptr<FileSystem> files_;
  std::unique_ptr<journal::Journal> journal_;
};

}  // namespace dr::audit
