#include <algorithm>

#include "dimse/base/log.h"
#include "router/journal/body_reader.h"
#include "router/journal/moved_head.h"
#include "router/journal/writer.h"

/// What the writer does between groups: late syncs, markers, cursors, recycling.
namespace dr::journal {
namespace {

constexpr std::uint64_t kCheckpointRecords = 200'000;
constexpr std::uint64_t kSlice = 4U << 20;  // octets moved at a time

}  // namespace

bool Writer::fenced() const {
  const std::scoped_lock lock(state_.mutex);
  return state_.fenced.has_value();
}

void Writer::housekeep() {
  if (fenced()) return;
  const Time now = std::chrono::steady_clock::now();
  if (unsynced_since_ && now >= *unsynced_since_ + options_.idle_sync) {
    if (auto settled = settle(); !settled) return fence(settled.error());
  }
  if ((cursors_.dirty() || large_due_) &&
      now >= cursors_stored_.value_or(Time{}) + std::chrono::seconds(1)) {
    cursors_stored_ = now;
    if (auto stored = cursors_.store(epoch_); !stored) {
      log::event(log::Level::kError, "journal.cursor", {{"error", stored.error().to_string()}});
    }
    remove_large_files();
  }
  reclaim();
  keep_checkpoints();
  if (batch_.empty() && !fenced()) move_forward();
  const bool to_tell = told_group_ < last_with_records_ || synced_oldest_ < oldest_;
  if (to_tell && !unsynced_since_ && last_sync_ && now >= *last_sync_ + options_.idle_sync) {
    write_marker();
  }
}

/// A group without records: from here on damage to what is before it can not be taken for a torn
/// tail, and segments that it gives up can be recycled.
void Writer::write_marker() {
  if (segment_->capacity - offset_ < kPage) {
    auto file = pool_.take(synced_oldest_ < oldest_);
    if (!file) {
      last_sync_ = std::chrono::steady_clock::now();  // try again after another idle_sync
      return;
    }
    if (auto entered = enter_segment(std::move(*file)); !entered) return fence(entered.error());
  }
  Group group(offset_, kPage);
  auto done = write(group);
  written_.push_back({segment_, std::move(group), next_sequence_});
  if (done) done = settle();
  if (!done) fence(done.error());
}

/// Gives up segments of which nobody needs anything. The oldest in order: an outcome stands behind
/// its object, so an object never comes back without its outcomes. Any other once two checkpoints
/// know what all of its records came to: no start reads them again, even if one is damaged.
void Writer::reclaim() {
  const std::scoped_lock lock(state_.mutex);
  std::optional<Sequence> passed;
  while (state_.segments.size() > 1) {
    const std::shared_ptr<Segment>& oldest = state_.segments.oldest();
    if (oldest == segment_ || oldest->live_objects > 0 || oldest->pins > 0) break;
    if (!passed) passed = cursors_.lowest().value_or(state_.watermark);
    if (value(oldest->end_sequence()) > value(*passed) + 1) break;
    retired_.push_back(oldest);
    state_.segments.pop_oldest();
    oldest_ = state_.segments.oldest()->number;
  }
  state_.segments.erase_if([&](const std::shared_ptr<Segment>& each) {
    if (each->number >= covered_ || each == segment_ || each->live_objects > 0 || each->pins > 0 ||
        !each->file) {
      return false;
    }
    if (!passed) passed = cursors_.lowest().value_or(state_.watermark);
    if (value(each->end_sequence()) > value(*passed) + 1) return false;
    not_moved_.erase(each->number);
    pool_.give_back({each->name, std::move(each->file), each->capacity});
    return true;
  });
}

/// Once so much was written that a start would have to read long, and at the end.
void Writer::keep_checkpoints() {
  if (making_) return finish_checkpoint();
  if (octets_since_checkpoint_ < options_.checkpoint_octets &&
      records_since_checkpoint_ < kCheckpointRecords) {
    return;
  }
  begin_checkpoint();
}

/// Outcomes count in the ledger before they are written, so what is encoded here may be ahead of
/// the disk: it gets its name only after all that had been appended by now is synced.
void Writer::begin_checkpoint() {
  if (auto settled = settle(); !settled) return fence(settled.error());
  auto octets = std::make_shared<Bytes>();
  {
    const std::scoped_lock lock(state_.mutex);
    *octets = encode(CheckpointView{durable_group_, state_.watermark, oldest_, offset_,
                                    state_.segments, state_.ledger, state_.large});
  }
  octets_since_checkpoint_ = records_since_checkpoint_ = 0;
  making_.emplace();
  making_->group = durable_group_;
  making_->segment = segment_->number;
  making_->written = std::async(std::launch::async, [this, octets, group = durable_group_] {
    auto written = checkpoints_.write_aside(group, *octets);
    made_.store(true);
    wake();
    return written;
  });
}

void Writer::finish_checkpoint() {
  if (!made_.load() || !making_->all_written) return;
  if (auto settled = settle(); !settled) return fence(settled.error());
  made_.store(false);
  auto done = making_->written.get();
  if (done) done = checkpoints_.commit(making_->group);
  if (done) {
    covered_ = std::exchange(checkpoint_segment_, making_->segment);
  } else {
    log::event(log::Level::kWarning, "journal.no_checkpoint",
               {{"error", done.error().to_string()}});
  }
  making_.reset();
}

/// Everything is written and synced. A short journal is read faster than a checkpoint is written.
void Writer::last_checkpoint() {
  const auto finish = [this] {
    making_->written.wait();
    making_->all_written = true;
    finish_checkpoint();
  };
  if (making_) finish();
  if (octets_since_checkpoint_ < options_.checkpoint_octets / 16) return;
  begin_checkpoint();
  finish();
}

/// A segment to be emptied, while more is kept than a tenth above what waits: of those that can be
/// given up afterwards, the one in which least waits.
std::shared_ptr<Segment> Writer::worth_moving() {
  constexpr std::uint64_t kSlack = 2;  // segments
  const std::scoped_lock lock(state_.mutex);
  const Sequence passed = cursors_.lowest().value_or(state_.watermark);
  std::uint64_t kept = 0;
  std::uint64_t live = 0;
  std::shared_ptr<Segment> best;
  for (const std::shared_ptr<Segment>& each : state_.segments) {
    if (each == segment_ || !each->file) continue;
    kept += each->capacity;
    live += each->live_octets;
    const bool first = each == state_.segments.oldest();
    if ((!first && each->number >= covered_) || each->live_objects == 0 ||
        value(each->end_sequence()) > value(passed) + 1 || not_moved_.contains(each->number)) {
      continue;
    }
    if (!best || each->live_octets < best->live_octets) best = each;
  }
  const std::uint64_t most = live + live / (moving_ ? 20 : 10) + kSlack * options_.segment_octets;
  if (!best || kept <= most || best->live_octets > best->capacity / 10 * 9) return nullptr;
  return best;
}

/// Never into the reserve.
bool Writer::may_move() const {
  const auto free = files_.free_octets();
  const bool room = pool_.size() > 1 || (free && *free > 2 * options_.segment_octets);
  return room && !refusing();
}

/// Writes what still waits in a segment again, at the end. The states are those of now, and every
/// outcome that is appended from now on stands behind the copy (the batch is empty): read in order,
/// the records come to the same. Until the copy is durable the ledger leads to the original. Done
/// in slices, between which senders get their turn.
void Writer::move_forward() {
  const std::shared_ptr<Segment> from = worth_moving();
  moving_ = from != nullptr && may_move();
  if (!moving_) return;
  std::vector<Sequence> instances;
  {
    const std::scoped_lock lock(state_.mutex);
    instances = state_.ledger.in_segment(*from);
  }
  std::uint64_t octets = 0;
  for (const Sequence instance : instances) {
    if (octets >= kSlice) break;
    auto pending = moved(instance, *from);
    if (pending) {
      octets += pending->header.total_octets();
      batch_.push_back(std::move(*pending));
      continue;
    }
    log::event(log::Level::kError, "journal.not_moved", {{"error", pending.error().to_string()}});
    not_moved_.insert(from->number);
  }
  write_batch();
  if (fenced()) return;
  if (auto settled = settle(); !settled) return fence(settled.error());
  reclaim();
}

Result<Pending> Writer::moved(Sequence instance, const Segment& from) const {
  std::vector<OutcomeRecord> states;
  std::uint64_t offset = 0;
  {
    const std::scoped_lock lock(state_.mutex);
    const auto place = state_.ledger.place(instance);
    if (!place) return Error{Errc::kNotFound, "finished meanwhile"};
    offset = place->offset;
    states = state_.ledger.states(instance);
  }
  auto stored = read_stored(from, offset, from.epoch_at(offset), instance);
  if (!stored) return std::move(stored).error();
  ByteSpan object(stored->head);
  if (stored->header.type == RecordType::kMoved) {
    auto before = decode_moved(stored->head);
    if (!before) return std::move(before).error();
    object = before->object;
  }
  Bytes body(static_cast<std::size_t>(stored->header.body_octets));
  auto n = from.file->read_at(stored->body_offset, body);
  if (!n) return std::move(n).error();
  Pending pending(RecordType::kMoved, encode_moved(object, states), head_seed(epoch_));
  pending.header.sequence = instance;
  pending.header.flags = stored->header.flags;
  pending.set_body(std::move(body), stored->header.body_crc);
  return pending;
}

/// A file is written again only after a synced header says that its segment is given up: a crash
/// in between brings back neither its objects nor, without them, what later segments say of them.
void Writer::recycle_announced() {
  std::erase_if(retired_, [this](const std::shared_ptr<Segment>& segment) {
    if (segment->number >= synced_oldest_) return false;
    pool_.give_back({segment->name, std::move(segment->file), segment->capacity});
    return true;
  });
}

/// Files of large objects that are finished (durably: the ledger forgets them only then) and that
/// every cursor has passed.
void Writer::remove_large_files() {
  large_due_ = false;
  std::vector<std::string> gone;
  const std::optional<Sequence> lowest = cursors_.lowest();
  {
    const std::scoped_lock lock(state_.mutex);
    std::erase_if(state_.large, [&](const LargeFile& file) {
      if (state_.ledger.contains(file.instance)) return false;
      if (lowest && file.instance > *lowest) {
        large_due_ = true;
        return false;
      }
      gone.push_back(file.name);
      return true;
    });
  }
  for (const std::string& name : gone) {
    auto removed = files_.unlink(name);
    if (!removed && removed.error().code != Errc::kNotFound) {
      log::event(log::Level::kWarning, "journal.unlink", {{"error", removed.error().to_string()}});
    }
  }
}

}  // namespace dr::journal
