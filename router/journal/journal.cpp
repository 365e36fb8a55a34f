#include "router/journal/journal.h"

#include <algorithm>
#include <functional>
#include <map>
#include <numeric>
#include <set>

#include "dimse/base/log.h"
#include "router/journal/body_reader.h"
#include "router/journal/moved_head.h"
#include "router/journal/outcome_ring.h"
#include "router/journal/random_id.h"
#include "router/journal/spool.h"
#include "router/journal/writer.h"

namespace dr::journal {
namespace {

/// Tells when the octets prove to be damaged.
class WatchedBody final : public BodyReader {
 public:
  using Damaged = std::function<void(const Error&)>;
  WatchedBody(std::unique_ptr<BodyReader> body, Damaged damaged)
      : body_(std::move(body)), damaged_(std::move(damaged)) {}

  std::uint64_t size() const override { return body_->size(); }
  Result<std::size_t> read(MutableByteSpan into) override {
    auto n = body_->read(into);
    if (!n && n.error().code == Errc::kCorrupt) damaged_(n.error());
    return n;
  }
  void forget() const override { body_->forget(); }

 private:
  const std::unique_ptr<BodyReader> body_;
  const Damaged damaged_;
};

class SpoolJournal final : public Journal {
 public:
  SpoolJournal(FileSystem& files, const Clock& clock, const Options& options, Listener* listener)
      : files_(files),
        clock_(clock),
        options_(options),
        listener_(listener),
        pool_(files, {options_.segment_octets, options_.ahead_octets, options_.ahead_most}),
        cursors_(files, [this] { writer_.wake(); }),
        recent_(options_.recent_octets),
        writer_(files, clock, options_, listener, state_, pool_, cursors_, recent_) {}

  ~SpoolJournal() override { close(); }

  /// The order is the point: nothing on disk changes before everything is read and understood; what
  /// was read is synced before anything new says that it is durable; and only the new epoch's
  /// synced header makes a cut final, so that files without a record can go.
  Result<void> start(UtcMicros now) {
    auto spool = open_spool(files_);
    if (!spool) return std::move(spool).error();
    spool_ = std::move(*spool);
    auto recovered = recover(files_, now);
    if (!recovered) return std::move(recovered).error();
    report_ = std::move(recovered->report);
    if (auto loaded = cursors_.load(report_.tail, report_.findings); !loaded) return loaded;
    for (const auto& segment : recovered->segments) {
      if (segment->number < recovered->first_unsynced_segment) continue;
      if (auto synced = segment->file->sync(); !synced) return synced;
    }
    if (auto synced = files_.sync_dir(kJournalDir); !synced) return synced;
    if (auto upgraded = upgrade_spool(files_, spool_); !upgraded) return upgraded;
    auto random = random_id();
    if (!random) return std::move(random).error();
    epoch_ = Epoch{load_le<std::uint64_t>(random->data())};
    head_seed_ = head_seed(epoch_);
    if (auto ready = pool_.start(std::move(recovered->free)); !ready) return ready;
    auto unwritten = read_ring(recovered->segments);
    if (!unwritten) return std::move(unwritten).error();
    if (auto opened = open_epoch(std::move(*recovered)); !opened) return opened;
    return append_unwritten(*unwritten);
  }

  const RecoveryReport& recovery() const override { return report_; }
  const std::string& spool_id() const override { return spool_.id; }

  void append_object(ObjectRecord record, BlockChain data, Done done) override {
    Pending pending(RecordType::kObject, encode(record), head_seed_);
    pending.routes = std::move(record.routes);
    pending.set_body(std::move(data));
    pending.done = std::move(done);
    push_object(std::move(pending));
  }

  Result<std::unique_ptr<LargeObject>> create_large() override {
    if (auto why = writer_.refusing()) return std::move(*why);
    auto file = create_large_file(files_);
    if (!file) return std::move(file).error();
    return std::unique_ptr<LargeObject>(std::move(*file));
  }

  void append_large(ObjectRecord record, std::unique_ptr<LargeObject> data, Done done) override {
    std::unique_ptr<LargeWriter> large(static_cast<LargeWriter*>(data.release()));
    if (!large->sealed()) return done(Error{Errc::kInvalid, "large object is not sealed"});
    Pending pending(RecordType::kObject, encode(record), head_seed_);
    pending.routes = std::move(record.routes);
    pending.header.flags = kLargeBody;
    const LargeRefOctets ref = encode(large->ref());
    pending.set_body(Bytes(ref.begin(), ref.end()));
    pending.large = std::move(large);
    pending.done = std::move(done);
    push_object(std::move(pending));
  }

  using Journal::append;
  Result<void> append(RecordType type, Bytes head) override {
    Pending pending(type, head, head_seed_);
    if (!fits(pending)) return too_long(pending);
    if (type == RecordType::kOutcome) {
      auto outcome = decode_outcome(head);
      if (!outcome) return std::move(outcome).error();
      if (auto put = ring_.put(epoch_, head); !put) {
        log::event(log::Level::kWarning, "journal.ring", {{"error", put.error().to_string()}});
      }
      const std::scoped_lock lock(state_.mutex);
      if (state_.fenced) return *state_.fenced;
      if (state_.ledger.apply(*outcome)) pending.finishes = outcome->instance;
    } else if (auto why = fenced()) {
      return std::move(*why);
    }
    if (writer_.push(std::move(pending))) return closed();
    return {};
  }

  bool flush(std::chrono::milliseconds at_most) override { return writer_.flush(at_most); }

  Result<std::optional<Record>> read_after(Sequence after) override {
    for (;;) {
      Sequence sequence{};
      auto record = [&]() -> Result<std::optional<Record>> {
        std::unique_lock lock(state_.mutex);
        const auto found = state_.segments.first_after(after);
        if (!found) return std::optional<Record>{};
        sequence = found->first;
        auto read = read_at(found->second, sequence, lock);
        if (!read) return std::move(read).error();
        return std::optional<Record>{std::move(*read)};
      }();
      if (record || record.error().code != Errc::kCorrupt) return record;
      note_damage(sequence, record.error());
      after = sequence;
    }
  }

  Result<Record> read(Sequence instance) override {
    std::unique_lock lock(state_.mutex);
    const auto place = find(instance);
    if (!place) return not_kept(instance);
    auto record = read_at(*place, instance, lock);
    if (!record && record.error().code == Errc::kCorrupt) note_damage(instance, record.error());
    return record;
  }

  Result<std::unique_ptr<BodyReader>> open_body(Sequence instance) override {
    std::unique_lock lock(state_.mutex);
    const auto place = find(instance);
    if (!place) return not_kept(instance);
    SegmentPin pin(place->segment);
    const Epoch epoch = pin->epoch_at(place->offset);
    lock.unlock();
    auto body = stored_body(std::move(pin), place->offset, epoch, instance);
    if (!body) {
      const Error& why = body.error();
      const bool gone = why.code == Errc::kNotFound && next_live(before(instance)) == instance;
      if (gone || why.code == Errc::kCorrupt) note_damage(instance, why);
      return body;
    }
    const auto told = [this, instance](const Error& why) { note_damage(instance, why); };
    return std::unique_ptr<BodyReader>(std::make_unique<WatchedBody>(std::move(*body), told));
  }

  bool in_memory(Sequence instance) const override {
    std::unique_lock lock(state_.mutex);
    const auto place = find(instance);
    if (!place) return false;
    const std::uint64_t segment = place->segment->number;
    lock.unlock();
    const auto recent = recent_.find(segment, place->offset);
    return recent && (recent->header.flags & kLargeBody) == 0;
  }

  std::optional<Sequence> next_live(Sequence after) const override {
    const std::scoped_lock lock(state_.mutex);
    return state_.ledger.next(after);
  }

  Cursor& cursor(const std::string& name) override { return cursors_.get(name, epoch_); }
  void drop_cursor(const std::string& name) override {
    cursors_.drop(name);
    writer_.wake();
  }

  using Journal::open_deliveries;
  std::vector<OpenDelivery> open_deliveries(Sequence after, std::size_t limit) const override {
    const std::scoped_lock lock(state_.mutex);
    return state_.ledger.open_deliveries(after, limit);
  }
  std::vector<Sequence> unrouted(Sequence after, std::size_t limit) const override {
    const std::scoped_lock lock(state_.mutex);
    return state_.ledger.unrouted(after, limit);
  }
  std::vector<DestinationTally> tallies() const override {
    std::vector<DestinationTally> all;
    const std::scoped_lock lock(state_.mutex);
    for (std::size_t i = 0; i < state_.ledger.names().size(); ++i) {
      const Ledger::Tally& tally = state_.ledger.tallies()[i];
      DestinationTally& each = all.emplace_back();
      each.destination = state_.ledger.names()[i];
      std::ranges::transform(tally.here, tally.finished, each.states.begin(), std::plus<>());
    }
    return all;
  }
  std::uint64_t unrouted_objects() const override {
    const std::scoped_lock lock(state_.mutex);
    return state_.ledger.unrouted();
  }
  Sequence watermark() const override {
    const std::scoped_lock lock(state_.mutex);
    return state_.watermark;
  }

  Stats stats() const override {
    Stats stats;
    stats.segments_free = pool_.size();
    const std::scoped_lock lock(state_.mutex);
    stats.segments = state_.segments.size();
    stats.octets = (stats.segments + stats.segments_free) * options_.segment_octets;
    for (const LargeFile& file : state_.large) stats.octets += file.octets;
    stats.live_objects = state_.ledger.size();
    stats.damaged_records = state_.damaged_records;
    stats.watermark = state_.watermark;
    stats.fenced = state_.fenced.has_value();
    return stats;
  }

  std::optional<Error> refusing() const override { return writer_.refusing(); }

  void close() override {
    writer_.stop();
    pool_.stop();
  }

 private:
  /// Outcomes of the last life, some of which its writer may not have come to.
  Result<std::vector<OutcomeRecord>> read_ring(const SegmentList& segments) {
    if (auto opened = ring_.open(files_); !opened) return std::move(opened).error();
    if (segments.empty() || segments.newest()->epochs.empty()) {
      return std::vector<OutcomeRecord>{};
    }
    return ring_.read(segments.newest()->epochs.back().epoch);
  }

  Result<void> append_unwritten(const std::vector<OutcomeRecord>& outcomes) {
    // An operator's retry counts attempts from 0 again: what was before it is over.
    struct Life {
      std::size_t from = 0;
      const OutcomeRecord* last = nullptr;
    };
    std::map<std::pair<Sequence, std::string>, Life> lives;
    for (std::size_t i = 0; i < outcomes.size(); ++i) {
      Life& life = lives[{outcomes[i].instance, outcomes[i].destination}];
      if (life.last != nullptr && outcomes[i].attempt < life.last->attempt) life.from = i;
      life.last = &outcomes[i];
    }
    for (std::size_t i = 0; i < outcomes.size(); ++i) {
      const OutcomeRecord& outcome = outcomes[i];
      const Life& life = lives.at({outcome.instance, outcome.destination});
      if (i < life.from) continue;
      {
        const std::scoped_lock lock(state_.mutex);
        const bool retry = i == life.from && state_.ledger.is_before(*life.last);
        if (!retry && !state_.ledger.lacks(outcome)) continue;
      }
      if (auto appended = append(outcome); !appended) return appended;
    }
    return {};
  }

  Result<void> open_epoch(Recovered recovered) {
    Writer::Start from;
    from.epoch = epoch_;
    from.last_group = recovered.last_group;
    from.next_group = recovered.next_group;
    from.next_segment = recovered.next_segment;
    from.oldest_segment = recovered.oldest_segment;
    from.next_sequence = recovered.next_sequence;
    from.tail_offset = recovered.tail_offset;
    from.checkpoint_segment = recovered.first_unsynced_segment;
    from.records_since_checkpoint = report_.records;
    std::vector<std::string> named;
    for (const LargeFile& file : recovered.large) named.push_back(file.name);
    state_.segments = std::move(recovered.segments);
    state_.ledger = std::move(recovered.ledger);
    state_.ledger.begin_life();
    state_.large = std::move(recovered.large);
    state_.damaged_records = report_.damaged_records;
    if (auto started = writer_.start(from); !started) return started;
    for (const std::string& finding : report_.findings) {
      log::event(log::Level::kWarning, "journal.recovery", {{"finding", finding}});
    }
    return remove_unnamed_large_files(files_, named);
  }

  void push_object(Pending pending) {
    if (!fits(pending)) return pending.done(too_long(pending));
    if (auto refused = writer_.push(std::move(pending))) refused->done(closed());
  }

  bool fits(const Pending& pending) const {
    const Group whole(kFirstGroup, options_.segment_octets - kFirstGroup, options_.page_aligned);
    return pending.header.head_octets <= kMaxHead && whole.fits(pending);
  }
  Error too_long(const Pending& pending) const {
    return {Errc::kTooLong, "record length=" + std::to_string(pending.header.total_octets()) +
                                " segment=" + std::to_string(options_.segment_octets)};
  }
  static Error closed() { return {Errc::kCancelled, "the journal is closed"}; }
  static Sequence before(Sequence instance) { return Sequence{value(instance) - 1}; }
  static Error not_kept(Sequence instance) {
    return {Errc::kNotFound, "record " + std::to_string(value(instance))};
  }
  std::optional<Error> fenced() const {
    const std::scoped_lock lock(state_.mutex);
    return state_.fenced;
  }

  /// A moved object stands elsewhere than its sequence says.
  std::optional<Place> find(Sequence instance) const {
    if (auto place = state_.ledger.place(instance)) return place;
    return state_.segments.find(instance);
  }

  Result<Record> read_at(const Place& place, Sequence sequence,
                         std::unique_lock<std::mutex>& lock) {
    SegmentPin pin(place.segment);
    const Epoch epoch = pin->epoch_at(place.offset);
    Record record;
    record.sequence = sequence;
    record.durable = pin->synced_at(sequence);
    lock.unlock();
    auto stored = stored_at(*pin, place.offset, epoch, sequence);
    if (!stored) return std::move(stored).error();
    record.type = stored->header.type;
    record.body_octets = stored->header.body_octets;
    record.body_crc = stored->header.body_crc;
    record.head = std::move(stored->head);
    if (record.type == RecordType::kMoved) {
      auto moved = decode_moved(record.head);
      if (!moved) return std::move(moved).error();
      record.type = RecordType::kObject;
      record.head = Bytes(moved->object.begin(), moved->object.end());
    }
    if ((stored->header.flags & kLargeBody) != 0) {
      auto ref = read_large_ref(*pin, *stored);
      if (!ref) return std::move(ref).error();
      record.body_octets = ref->octets;
      record.body_crc = ref->crc;
    }
    return record;
  }

  Result<std::unique_ptr<BodyReader>> stored_body(SegmentPin pin, std::uint64_t offset, Epoch epoch,
                                                  Sequence instance) {
    auto recent = recent_.find(pin->number, offset);
    if (recent && (recent->header.flags & kLargeBody) == 0) {
      return recent_body(recent_, *pin, offset, std::move(recent));
    }
    auto stored = read_stored(*pin, offset, epoch, instance);
    if (!stored) return std::move(stored).error();
    return body_of(files_, std::move(pin), *stored);
  }

  /// From memory, or else from the disk.
  Result<StoredRecord> stored_at(const Segment& segment, std::uint64_t offset, Epoch epoch,
                                 Sequence sequence) const {
    const auto recent = recent_.find(segment.number, offset);
    if (!recent) return read_stored(segment, offset, epoch, sequence);
    const ByteSpan head = recent->head();
    return StoredRecord{recent->header, Bytes(head.begin(), head.end()),
                        offset + recent->header.body_offset()};
  }

  /// Whoever meets it first tells it: the log, the audit, and the listener, whose queues show it.
  void note_damage(Sequence sequence, const Error& error) {
    {
      const std::scoped_lock lock(state_.mutex);
      if (!damaged_.insert(sequence).second) return;
      ++state_.damaged_records;
      state_.ledger.mark_damaged(sequence);
    }
    const std::string what = "record " + std::to_string(value(sequence)) + ": " + error.to_string();
    log::event(log::Level::kError, "journal.damaged", {{"error", what}});
    SecurityRecord record;
    record.time = clock_.now_utc();
    record.kind = "journal-damaged";
    record.detail = what;
    if (auto told = append(record); !told) {
      log::event(log::Level::kError, "audit.lost", {{"error", told.error().to_string()}});
    }
    if (listener_ != nullptr) listener_->damaged(sequence, error);
  }

  FileSystem& files_;
  const Clock& clock_;
  const Options options_;
  Listener* const listener_;
  Spool spool_;
  RecoveryReport report_;
  Epoch epoch_{};
  std::uint32_t head_seed_ = 0;
  State state_;
  std::set<Sequence> damaged_;  // found after the start; guarded by state_.mutex
  SegmentPool pool_;
  CursorStore cursors_;
  Recent recent_;
  OutcomeRing ring_;
  Writer writer_;
};

Result<void> check(const Options& options) {
  if (options.segment_octets % kPage != 0 || options.segment_octets < kMinSegment ||
      options.segment_octets > kMaxSegment) {
    return Error{Errc::kInvalid, "segment length=" + std::to_string(options.segment_octets)};
  }
  return {};
}

}  // namespace

std::uint64_t DestinationTally::total() const {
  return std::accumulate(states.begin(), states.end(), std::uint64_t{0});
}

Result<std::unique_ptr<Journal>> Journal::open(FileSystem& files, const Clock& clock,
                                               Options options, Listener* listener) {
  if (auto good = check(options); !good) return std::move(good).error();
  auto journal = std::make_unique<SpoolJournal>(files, clock, options, listener);
  if (auto started = journal->start(clock.now_utc()); !started) return std::move(started).error();
  return std::unique_ptr<Journal>(std::move(journal));
}

}  // namespace dr::journal
