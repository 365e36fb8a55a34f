#include "router/extraction/extractor.h"

#include <algorithm>
#include <condition_variable>
#include <future>
#include <mutex>
#include <optional>
#include <set>
#include <thread>
#include <utility>

#include <sys/resource.h>

#include "dimse/base/log.h"
#include "dimse/base/thread_name.h"
#include "router/audit/wake.h"
#include "router/extraction/passing.h"
#include "router/extraction/publish.h"
#include "router/extraction/schedule.h"

namespace dr::extraction {
namespace {

using journal::Sequence;
using std::chrono::milliseconds;

constexpr int kNice = 10;  // behind the acknowledgement and the deliveries
constexpr std::size_t kBatch = 1'000;
// One commit syncs once: gathering keeps that from taking the disk from the journal.
constexpr milliseconds kGather{200};
constexpr milliseconds kLongest{60'000};
constexpr milliseconds kNoWorker{5'000};
constexpr std::chrono::hours kPurgeEvery{1};
constexpr std::string_view kNotStarted = "worker not started";

}  // namespace

class Extractor::Impl {
 public:
  Impl(journal::Journal& journal, const Clock& clock, BlockPool& blocks, Settings settings,
       Hooks hooks)
      : journal_(journal),
        clock_(clock),
        settings_(std::move(settings)),
        hooks_(std::move(hooks)),
        inputs_(settings_.spool + "/extraction"),
        publisher_(journal, blocks, hooks_),
        cursor_(journal.cursor("extraction")),
        watermark_(journal.watermark()) {}
  ~Impl() { stop(); }

  Result<void> start() {
    if (auto made = inputs_.prepare(); !made) return made;
    for (auto* store : {&store_, &asked_}) {
      auto opened = Store::open(store_file(settings_.spool));
      if (!opened) return std::move(opened).error();
      *store = *std::move(opened);
    }
    schedule_.emplace(*store_, settings_, hooks_);
    passing_.emplace(
        journal_, *store_, inputs_,
        Passing::Told{[this](Job job) { schedule_->added(std::move(job)); },
                      [this](const Uid& uid) { schedule_->passed(uid); },
                      [this](const Linked& linked) { return schedule_->linked(linked); }});
    tasks_.emplace(inputs_, clock_, settings_.workers, [this](Finished finished) {
      const std::scoped_lock lock(mutex_);
      finished_.push_back(std::move(finished));
      changed_.notify_one();
    });
    caught_up_at_ = watermark_;
    thread_ = std::thread([this] { run(); });
    return {};
  }

  void stop() {
    {
      const std::scoped_lock lock(mutex_);
      stopping_ = true;
      changed_.notify_one();
    }
    if (tasks_) tasks_->stop();
    if (thread_.joinable()) thread_.join();
  }

  void advanced(Sequence watermark) {
    const std::scoped_lock lock(mutex_);
    watermark_ = std::max(watermark_, watermark);
    changed_.notify_one();
  }

  Result<Told> find(const Uid& uid) {
    const std::scoped_lock lock(asked_mutex_);
    auto job = asked_->find(uid);
    if (!job) return job.error();
    if (!*job) return Error{Errc::kNotFound, "no structure set of this UID was to be extracted"};
    auto json = asked_->result((*job)->instance);
    if (!json) return json.error();
    const Job& j = **job;
    return Told{*std::move(json),  std::string(name(j.state)),
                j.reason,          j.attempts,
                value(j.instance), j.received,
                j.started,         j.finished,
                j.deadline};
  }

  Result<Bytes> mask(const Uid& uid, std::int32_t roi_number) {
    std::optional<Job> job;
    Result<Site> site;
    {
      const std::scoped_lock lock(asked_mutex_);
      auto found = asked_->find(uid);
      if (!found) return found.error();
      job = *found;
      if (!job || job->state != State::kDone) return Error{Errc::kNotFound, "no result"};
      site = site_of(*asked_, *job, settings_.expectations);
    }
    if (!site) return site.error();
    return tasks_->mask(*job, *site, roi_number);
  }

  Counts counts() {
    Counts counts;
    {
      const std::scoped_lock lock(mutex_);
      counts = counts_;
    }
    const std::scoped_lock lock(asked_mutex_);
    if (const auto held = asked_->count(State::kHeld)) counts.held = *held;
    return counts;
  }

 private:
  void run() {
    name_thread("extraction");
    setpriority(PRIO_PROCESS, 0, kNice);  // on Linux, 0 is the calling thread
    for (;;) {
      const auto done = turn();
      if (done) {
        pause_.reset();
        if (!wait(next_turn())) return;
        continue;
      }
      // What was begun is taken back, and memory follows.
      store_->roll_back();
      loaded_ = begun_ = false;
      const auto length = pause_.next();
      log::event(log::Level::kWarning, "extraction.waiting",
                 {{"error", done.error().to_string()}, {"retry_ms", length.count()}});
      if (!pause(length)) return;
    }
  }

  /// False: stop.
  bool wait(milliseconds at_most) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, at_most,
                      [this] { return stopping_ || watermark_ > position_ || !finished_.empty(); });
    if (finished_.empty() && !stopping_ && !behind_) {
      changed_.wait_for(lock, kGather, [this] { return stopping_ || !finished_.empty(); });
    }
    return !stopping_;
  }
  bool pause(milliseconds length) {
    std::unique_lock lock(mutex_);
    return !changed_.wait_for(lock, length, [this] { return stopping_; });
  }
  milliseconds next_turn() const {
    if (behind_) return milliseconds(0);
    const UtcMicros now = clock_.now_utc();
    UtcMicros next = now + kLongest;
    for (const auto& each : {deadline_, not_before_}) {
      if (each) next = std::min(next, *each);
    }
    return std::chrono::ceil<milliseconds>(std::max(UtcMicros::duration(0), next - now));
  }

  Result<void> turn() {
    if (!loaded_) {
      if (auto loaded = load(); !loaded) return loaded;
    }
    if (auto followed = follow(); !followed) return followed;
    if (auto settled = settle(); !settled) return settled;
    // Until all is seen that the journal holds of earlier lives, nothing is begun: it may be there.
    if (!caught_up_) return {};
    if (auto begun = begin_due(); !begun) return begun;
    if (auto published = publish(); !published) return published;
    count();
    return purge();
  }

  Result<void> load() {
    if (auto read = schedule_->load(); !read) return read;
    const auto position = store_->position();
    if (!position) return position.error();
    position_ = std::max(*position, cursor_.position());
    loaded_ = true;
    return {};
  }

  /// A batch of the journal.
  Result<void> follow() {
    const Sequence watermark = journal_.watermark();
    Sequence end = position_;
    std::size_t read = 0;
    behind_ = false;
    for (; read < kBatch; ++read) {
      auto record = journal_.read_after(end);
      if (!record) return std::move(record).error();
      if (!*record) {
        end = std::max(end, watermark);
        break;
      }
      end = (**record).sequence;
      if (auto noted = note(**record); !noted) return noted;
    }
    behind_ = read == kBatch;
    if (std::exchange(begun_, false)) {
      if (auto set = store_->set_position(end); !set) return set;
      if (auto committed = store_->commit(); !committed) return committed;
      if (std::exchange(message_, false) && hooks_.message) hooks_.message();
    }
    {
      const std::scoped_lock lock(mutex_);
      position_ = end;
    }
    cursor_.advance(end);
    caught_up_ = caught_up_ || end >= caught_up_at_;
    return {};
  }

  /// The first record of a batch that matters opens the change: one that does not costs no sync.
  Result<void> begin_once() {
    if (begun_) return {};
    auto begun = store_->begin();
    begun_ = begun.ok();
    return begun;
  }

  Result<void> note(const journal::Record& record) {
    if (record.type == journal::RecordType::kExtraction) {
      const auto result = journal::decode_extraction(record.head);
      if (!result) return {};  // damaged: told by the journal
      message_ = message_ || (settings_.messages && result->last);
      if (result->last) publishing_.erase(result->instance);
      if (auto begun = begin_once(); !begun) return begun;
      return schedule_->published(*result, clock_.now_utc());
    }
    if (record.type == journal::RecordType::kOperator) {
      const auto action = journal::decode_operator(record.head);
      return action ? forget(*action) : Result<void>();
    }
    if (record.type != journal::RecordType::kObject) return {};
    const auto object = journal::decode_object(record.head);
    if (!object) return {};
    const bool own = object->listener == kListener;
    const bool wanted = hooks_.wanted();
    if (!own && !object->extract && !wanted) return {};
    if (auto begun = begin_once(); !begun) return begun;
    if (own) {
      return store_->drop_outgoing_object(object->sop_instance_uid);
    }
    return passing_->note(record.sequence, *object, wanted);
  }

  /// What runs for such a job comes to nothing when it ends; the octets go once that is on disk.
  Result<void> forget(const journal::OperatorRecord& action) {
    const auto keys = store_->patient_keys();
    if (!keys) return keys.error();
    for (const std::string& key : *keys) {
      if (!hooks_.forgets(action, key)) continue;
      if (auto begun = begin_once(); !begun) return begun;
      const auto jobs = store_->forget(key, action.time);
      if (!jobs) return jobs.error();
      schedule_->forgotten(*jobs);
      for (const Sequence job : *jobs) publishing_.erase(job);
      sweep_ = true;
      log::event(log::Level::kInfo, "extraction.forgotten", {{"structure_sets", jobs->size()}});
    }
    return {};
  }

  Result<void> settle() {
    std::vector<Finished> finished;
    {
      const std::scoped_lock lock(mutex_);
      finished.swap(finished_);
    }
    // Those that are not reached because the store fails are no more running: they run again.
    for (const Finished& each : finished) running_.erase(each.instance);
    for (Finished& each : finished) {
      const Error* const error = each.error();
      if (error != nullptr && error->detail.starts_with(kNotStarted)) {
        not_before_ = clock_.now_utc() + kNoWorker;  // none of this object's fault
        continue;
      }
      if (auto begun = store_->begin(); !begun) return begun;
      if (auto ended = schedule_->ended(std::move(each)); !ended) return ended;
      if (auto committed = store_->commit(); !committed) return committed;
    }
    return {};
  }

  Result<void> begin_due() {
    if (not_before_ && clock_.now_utc() < *not_before_) return {};
    not_before_.reset();
    if (auto begun = store_->begin(); !begun) return begun;
    auto next = schedule_->due(clock_.now_utc());
    if (!next) return std::move(next).error();
    deadline_ = *next;
    for (const State state : {State::kNew, State::kReady}) {
      for (const Sequence instance : schedule_->in(state)) {
        if (running_.size() >= 2 * settings_.workers.workers) break;
        if (running_.contains(instance)) continue;
        if (auto begun = begin(schedule_->job(instance)); !begun) return begun;
      }
    }
    return store_->commit();
  }

  Result<void> begin(Job job) {
    Result<void> begun;
    if (job.state == State::kNew) {
      if (!job.reason.empty() && job.attempts == 0) {
        return schedule_->unreadable(job.instance, job.reason, clock_.now_utc());
      }
      begun = tasks_->begin_references(job);
    } else {
      const auto site = schedule_->site(job);
      if (!site) return site.error();
      const auto doses = schedule_->doses(job);
      if (!doses) return doses.error();
      if (auto set = schedule_->set_doses(job.instance, text_of(*doses)); !set) return set;
      const bool first = !job.objects_made;
      begun = tasks_->begin_extract(job, *site, *doses,
                                    {first && settings_.segmentation, first && settings_.report});
    }
    if (begun) {
      running_.insert(job.instance);
    } else if (begun.error().code == Errc::kNotFound) {
      return schedule_->unreadable(job.instance, begun.error().detail, clock_.now_utc());
    } else if (begun.error().code == Errc::kCancelled) {
      return {};  // stopping
    }
    return begun;
  }

  /// What is ready goes to the journal, once in this life; that it is there is seen when it comes
  /// by.
  Result<void> publish() {
    for (const Sequence instance : schedule_->in(State::kPublishing)) {
      if (publishing_.contains(instance)) continue;
      const auto outgoing = store_->outgoing(instance);
      if (!outgoing) return outgoing.error();
      if (auto published = publisher_.publish(instance, *outgoing, *store_); !published) {
        return published;
      }
      publishing_.insert(instance);
    }
    return {};
  }

  void count() {
    Counts counts;
    counts.running = running_.size();
    counts.waiting = schedule_->size() - std::min(schedule_->size(), running_.size());
    const std::scoped_lock lock(mutex_);
    counts_ = counts;
  }

  Result<void> purge() {
    const SteadyTime now = clock_.now_steady();
    if (purged_ && now - *purged_ < kPurgeEvery && !sweep_) return {};
    purged_ = now;
    if (auto begun = store_->begin(); !begun) return begun;
    if (auto gone = store_->purge(clock_.now_utc() - settings_.keep); !gone) return gone;
    if (auto committed = store_->commit(); !committed) return committed;
    const auto needed = store_->inputs();
    if (!needed) return needed.error();
    inputs_.sweep(*needed, position_);
    sweep_ = false;
    return {};
  }

  journal::Journal& journal_;
  const Clock& clock_;
  const Settings settings_;
  const Hooks hooks_;
  const Inputs inputs_;
  Publisher publisher_;
  journal::Cursor& cursor_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  Sequence watermark_{};  // guarded by mutex_, as are
  bool stopping_ = false;
  std::vector<Finished> finished_;
  Counts counts_;

  std::mutex asked_mutex_;
  std::unique_ptr<Store> asked_;  // guarded by asked_mutex_

  // Of the thread.
  std::unique_ptr<Store> store_;
  std::optional<Schedule> schedule_;
  std::optional<Passing> passing_;
  Sequence position_{}, caught_up_at_{};
  bool loaded_ = false, caught_up_ = false, behind_ = false, message_ = false, begun_ = false;
  bool sweep_ = false;  // octets are to go
  std::set<Sequence> running_, publishing_;
  std::optional<UtcMicros> deadline_, not_before_;
  std::optional<SteadyTime> purged_;
  audit::Pause pause_;

  std::optional<Tasks> tasks_;
  std::thread thread_;
};

Result<std::unique_ptr<Extractor>> Extractor::start(journal::Journal& journal, const Clock& clock,
                                                    BlockPool& blocks, Settings settings,
                                                    Hooks hooks) {
  auto impl = std::make_unique<Impl>(journal, clock, blocks, std::move(settings), std::move(hooks));
  if (auto started = impl->start(); !started) return std::move(started).error();
  return std::unique_ptr<Extractor>(new Extractor(std::move(impl)));
}

Extractor::Extractor(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Extractor::~Extractor() = default;
void Extractor::advanced(Sequence watermark) { impl_->advanced(watermark); }
void Extractor::stop() { impl_->stop(); }
Result<Told> Extractor::find(const Uid& uid) { return impl_->find(uid); }
Result<Bytes> Extractor::mask(const Uid& uid, std::int32_t roi_number) {
  return impl_->mask(uid, roi_number);
}
Counts Extractor::counts() { return impl_->counts(); }

}  // namespace dr::extraction
