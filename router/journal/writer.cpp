#include "router/journal/writer.h"

#include <algorithm>
#include <array>

#include "dimse/base/log.h"
#include "dimse/base/thread_name.h"

namespace dr::journal {
namespace {

constexpr std::chrono::milliseconds kStarvedRetry{200};

}  // namespace

Writer::Writer(FileSystem& files, const Clock& clock, const Options& options, Listener* listener,
               State& state, SegmentPool& pool, CursorStore& cursors, Recent& recent)
    : files_(files),
      clock_(clock),
      options_(options),
      listener_(listener),
      state_(state),
      pool_(pool),
      cursors_(cursors),
      recent_(recent),
      checkpoints_(files) {}

Writer::~Writer() { stop(); }

Result<void> Writer::start(const Start& from) {
  epoch_ = from.epoch;
  next_group_ = from.next_group;
  next_segment_ = from.next_segment;
  next_sequence_ = from.next_sequence;
  last_written_ = durable_group_ = from.last_group;
  oldest_ = from.oldest_segment;
  synced_ = clock_.now_utc();
  {
    const std::scoped_lock lock(state_.mutex);
    if (!state_.segments.empty()) segment_ = state_.segments.newest();
  }
  offset_ = from.tail_offset;
  checkpoint_segment_ = from.checkpoint_segment;
  records_since_checkpoint_ = from.records_since_checkpoint;
  if (segment_) {
    octets_since_checkpoint_ =
        (segment_->number - std::min(segment_->number, checkpoint_segment_)) * segment_->capacity;
  }
  if (!segment_ || segment_->capacity - offset_ < kPage) {
    auto file = pool_.take(true);
    if (!file) return std::move(file).error();
    if (auto entered = enter_segment(std::move(*file)); !entered) return entered;
  }
  Listener* const listener = std::exchange(listener_, nullptr);  // nobody is ready for it yet
  Group group(offset_, kPage);
  if (auto written = write(group, true); !written) return written;
  written_.push_back({segment_, std::move(group), next_sequence_});
  if (auto settled = settle(); !settled) return settled;
  listener_ = listener;
  large_due_ = true;
  thread_ = std::thread([this] { run(); });
  return {};
}

void Writer::stop() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

std::optional<Pending> Writer::push(Pending pending) {
  bool first = false;
  {
    const std::scoped_lock lock(mutex_);
    if (closed_) return pending;
    first = incoming_.empty();
    incoming_.push_back(std::move(pending));
  }
  if (first) wake_.notify_one();
  return std::nullopt;
}

bool Writer::flush(std::chrono::milliseconds at_most) {
  std::unique_lock lock(mutex_);
  if (closed_) return !broken_;
  const std::uint64_t mine = ++flush_wanted_;
  wake_.notify_one();
  const auto over = [&] { return closed_ || broken_ || flush_done_ >= mine; };
  return flushed_.wait_for(lock, at_most, over) && !broken_;
}

void Writer::wake() {
  const std::scoped_lock lock(mutex_);
  wake_.notify_one();
}

std::optional<Error> Writer::refusing() const {
  bool starved = false;
  {
    const std::scoped_lock lock(state_.mutex);
    if (state_.fenced) return state_.fenced;
    starved = state_.starved;
  }
  const std::size_t ready = pool_.size();
  if (starved && ready <= 1) return Error{Errc::kNoSpace, "no segment free"};
  if (options_.disk_reserve == 0) return std::nullopt;
  auto free = files_.free_octets();
  if (!free) return std::move(free).error();
  const std::uint64_t usable = *free + (ready > 1 ? (ready - 1) * options_.segment_octets : 0);
  if (usable >= options_.disk_reserve) return std::nullopt;
  return Error{Errc::kNoSpace, "disk free=" + std::to_string(usable) +
                                   " reserve=" + std::to_string(options_.disk_reserve)};
}

void Writer::run() {
  name_thread("journal");
  while (gather()) {
    if (auto ended = end_rounds(); !ended) fence(ended.error());
    if (!can_wait()) {
      write_batch();
      stuck_ = !batch_.empty();
      if (making_ && !stuck_) making_->all_written = true;
    }
    finish_flush();
    housekeep();
  }
  refuse_objects({Errc::kCancelled, "the journal is closed"});
  if (fenced()) return;
  if (auto settled = settle(); !settled) return fence(settled.error());
  if (told_group_ < last_with_records_) write_marker();
  if (!fenced()) last_checkpoint();
  remove_large_files();
  if (auto stored = cursors_.store(epoch_); !stored) {
    log::event(log::Level::kError, "journal.cursor", {{"error", stored.error().to_string()}});
  }
}

void Writer::finish_flush() {
  if (stuck_ || fenced()) return;
  {
    const std::scoped_lock lock(mutex_);
    if (flush_done_ >= flushing_) return;
  }
  if (auto settled = settle(); !settled) return fence(settled.error());
  const std::scoped_lock lock(mutex_);
  flush_done_ = flushing_;
  flushed_.notify_all();
}

/// Waits for records or for something that is due; takes what is queued. False: stopped, and
/// nothing is left to write.
bool Writer::gather() {
  std::unique_lock lock(mutex_);
  const auto awake = [this] {
    return stopping_ || !incoming_.empty() || flush_wanted_ > flushing_ ||
           (made_.load() && batch_.empty()) || (!rounds_.empty() && rounds_.front()->done);
  };
  if (const auto due = deadline()) {
    wake_.wait_until(lock, *due, awake);
  } else {
    wake_.wait(lock, [&] { return awake() || cursors_.dirty(); });
  }
  std::move(incoming_.begin(), incoming_.end(), std::back_inserter(batch_));
  incoming_.clear();
  flushing_ = flush_wanted_;
  hurried_ = stopping_ || flush_wanted_ > flush_done_;
  // What still found no space at the last attempt is given up.
  if (!stopping_ || (!batch_.empty() && !stuck_)) return true;
  closed_ = true;
  flushed_.notify_all();
  return false;
}

std::optional<Writer::Time> Writer::deadline() const {
  std::optional<Time> due;
  const auto consider = [&due](Time time) { due = std::min(due.value_or(time), time); };
  if (unsynced_since_) consider(*unsynced_since_ + options_.idle_sync);
  const bool to_tell = told_group_ < last_with_records_ || synced_oldest_ < oldest_;
  if (to_tell && last_sync_ && !unsynced_since_) consider(*last_sync_ + options_.idle_sync);
  if (cursors_.dirty() || large_due_)
    consider(cursors_stored_.value_or(Time{}) + std::chrono::seconds(1));
  if (!batch_.empty()) consider(std::chrono::steady_clock::now() + kStarvedRetry);
  if (moving_ && batch_.empty()) consider(Time{});  // at once, unless records wait
  return due;
}

void Writer::write_batch() {
  while (!batch_.empty()) {
    const std::optional<Error> no_space = refusing();
    if (no_space && no_space->code == Errc::kFenced) return fail_all();
    if (no_space) refuse_objects(*no_space);
    if (batch_.empty()) return;
    auto room = make_room(batch_.front());
    if (!room) return fence(room.error());
    if (!*room) {
      if (!batch_.front().is_object()) return;  // later: what nobody may refuse waits for space
      continue;                                 // now `starved`, so that objects are refused
    }
    pool_.writer_busy();
    Group group = new_group();
    while (!batch_.empty() && group.fits(batch_.front())) {
      group.add(std::move(batch_.front()));
      batch_.pop_front();
    }
    const Sequence first = next_sequence_;
    const bool wants_sync = group.wants_sync();
    auto done = write(group);
    written_.push_back({segment_, std::move(group), first});
    if (done && wants_sync) done = make_durable();
    if (!done) return fence(done.error());
  }
}

void Writer::refuse_objects(const Error& why) {
  std::deque<Pending> kept;
  for (Pending& each : batch_) {
    if (each.is_object() && each.done) {
      each.done(why);
    } else {
      kept.push_back(std::move(each));
    }
  }
  batch_ = std::move(kept);
}

/// False: there is no segment to be had now.
Result<bool> Writer::make_room(const Pending& pending) {
  if (new_group().fits(pending)) return true;
  // Groups of the old segment must be durable before any of the new one is: a header there says so.
  if (auto settled = settle(); !settled) return std::move(settled).error();
  auto file = pool_.take(!pending.is_object());
  const bool starved = !file;
  {
    const std::scoped_lock lock(state_.mutex);
    state_.starved = starved || pool_.size() == 0;
  }
  if (starved) {
    log::event(log::Level::kWarning, "journal.no_segment", {{"error", file.error().to_string()}});
    return false;
  }
  if (auto entered = enter_segment(std::move(*file)); !entered) return std::move(entered).error();
  return true;
}

Result<void> Writer::enter_segment(FreeFile file) {
  segment_ = std::make_shared<Segment>();
  segment_->name = std::move(file.name);
  segment_->file = std::move(file.file);
  segment_->capacity = file.capacity;
  segment_->number = next_segment_++;
  segment_->first_sequence = next_sequence_;
  offset_ = kFirstGroup;
  const SegmentHeader header{kFormatVersion, segment_->number, epoch_, next_group_, next_sequence_};
  std::array<std::byte, kPage> page{};
  const SegmentHeaderOctets octets = encode(header);
  std::copy(octets.begin(), octets.end(), page.begin());
  const ByteSpan part(page);
  if (auto written = segment_->file->write_at(0, std::span(&part, 1)); !written) return written;
  const std::scoped_lock lock(state_.mutex);
  state_.segments.push(segment_);
  if (state_.segments.size() == 1) oldest_ = segment_->number;
  return {};
}

Result<void> Writer::write(Group& group, bool opens_epoch) {
  GroupHeader header;
  header.opens_epoch = opens_epoch;
  header.epoch = epoch_;
  header.group = next_group_;
  header.segment = segment_->number;
  header.first_sequence = next_sequence_;
  header.durable_group = durable_group_;
  header.oldest_segment = oldest_;
  header.synced = synced_;
  for (Group::Entry& entry : group.entries()) {
    if (entry.pending.header.type == RecordType::kMoved) continue;  // keeps its own
    entry.pending.header.sequence = next_sequence_;
    next_sequence_ = next(next_sequence_);
  }
  const std::vector<ByteSpan> parts = group.seal(header);
  if (auto written = staging_.write(*segment_->file, offset_, parts); !written) return written;
  if (segment_->epochs.empty() || segment_->epochs.back().epoch != epoch_) {
    const std::scoped_lock lock(state_.mutex);
    segment_->epochs.push_back({offset_, epoch_});
  }
  offset_ += group.total_octets();
  octets_since_checkpoint_ += group.total_octets();
  records_since_checkpoint_ += group.records();
  last_written_ = next_group_++;
  if (group.records() > 0) last_with_records_ = last_written_;
  told_group_ = durable_group_;
  told_oldest_ = oldest_;
  if (!unsynced_since_) unsynced_since_ = std::chrono::steady_clock::now();
  return {};
}

/// What is durable becomes readable, then its senders are told, then its consumers.
void Writer::publish(std::vector<Written> published, UtcMicros synced, Sequence last) {
  bool advanced = false;
  {
    const std::scoped_lock lock(state_.mutex);
    for (Written& written : published) {
      Segment& segment = *written.segment;
      segment.groups.push_back(
          {static_cast<std::uint32_t>(value(written.first) - value(segment.first_sequence)),
           synced});
      for (Group::Entry& entry : written.group.entries()) publish_one(written.segment, entry);
    }
    advanced = last != std::exchange(state_.watermark, last);
  }
  for (Written& written : published) {
    for (Group::Entry& entry : written.group.entries()) {
      if (entry.pending.done) entry.pending.done(entry.pending.header.sequence);
    }
  }
  for (Written& written : published) {
    for (Group::Entry& entry : written.group.entries()) {
      recent_.keep(written.segment->number, entry.offset, std::move(entry.pending));
    }
  }
  if (listener_ != nullptr && advanced) listener_->advanced(last);
}

void Writer::publish_one(const std::shared_ptr<Segment>& segment, Group::Entry& entry) {
  Pending& pending = entry.pending;
  const RecordHeader& header = pending.header;
  if (header.type == RecordType::kMoved) {
    state_.ledger.move(header.sequence, {segment, entry.offset}, header.total_octets());
    return;
  }
  segment->add(header.sequence, entry.offset);
  if (pending.is_object()) {
    state_.ledger.add(header.sequence, pending.routes, {segment, entry.offset},
                      header.total_octets());
  }
  if (pending.large) {
    pending.large->keep();
    state_.large.push_back(
        {header.sequence, large_file_name(pending.large->ref()), pending.large->size()});
  }
  if (pending.finishes != Sequence::kNone) {
    state_.ledger.release(pending.finishes);
    large_due_ = large_due_ || !state_.large.empty();
  }
}

void Writer::fence(const Error& why) {
  log::event(log::Level::kError, "journal.fenced", {{"error", why.to_string()}});
  const Error fenced{Errc::kFenced, why.to_string()};
  {
    const std::scoped_lock lock(state_.mutex);
    state_.fenced = fenced;
  }
  std::vector<Written> failed;
  for (const auto& round : rounds_) {
    if (round->thread.joinable()) round->thread.join();
    std::move(round->written.begin(), round->written.end(), std::back_inserter(failed));
  }
  rounds_.clear();
  std::move(written_.begin(), written_.end(), std::back_inserter(failed));
  written_.clear();
  for (Written& written : failed) {
    for (Group::Entry& entry : written.group.entries()) {
      // The record may have reached the disk all the same; a restart decides.
      if (entry.pending.large) entry.pending.large->keep();
      if (entry.pending.done) entry.pending.done(fenced);
    }
  }
  unsynced_since_.reset();
  fail_all();
  {
    const std::scoped_lock lock(mutex_);
    broken_ = true;
    flushed_.notify_all();
  }
  if (listener_ != nullptr) listener_->fenced(fenced);
}

void Writer::fail_all() {
  std::optional<Error> why;
  {
    const std::scoped_lock lock(state_.mutex);
    why = state_.fenced;
  }
  for (Pending& each : batch_) {
    if (each.done) each.done(*why);
  }
  batch_.clear();
}

}  // namespace dr::journal
