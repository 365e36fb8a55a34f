#include <algorithm>

#include "dimse/base/log.h"
#include "router/journal/body_reader.h"
#include "router/journal/moved_head.h"
#include "router/journal/writer.h"

/// What the writer does between groups: late syncs, markers, cursors, recycling.
namespace dr::journal {

bool Writer::fenced() const {
  const std::scoped_lock lock(state_.mutex);
  return state_.fenced.has_value();
}

void Writer::housekeep() {
  if (fenced()) return;
  const Time now = std::chrono::steady_clock::now();
  if (unsynced_since_ && now >= *unsynced_since_ + options_.idle_sync) {
    if (auto synced = sync(); !synced) return fence(synced.error());
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
  if (batch_.empty()) move_forward();
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
  if (done) done = sync();
  if (!done) fence(done.error());
}

/// Gives up the oldest segments in order, while nobody needs anything in them. Order matters: an
/// outcome stands behind its object, so an object never comes back without its outcomes.
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
}

/// The oldest segment, where a few waiting objects are all that keeps it.
std::shared_ptr<Segment> Writer::nearly_empty() const {
  constexpr std::uint64_t kFew = 4;  // at most a quarter of it
  const std::scoped_lock lock(state_.mutex);
  if (state_.segments.size() < 2) return nullptr;
  const std::shared_ptr<Segment>& oldest = state_.segments.oldest();
  if (oldest == segment_ || oldest->number == moved_from_ || oldest->live_objects == 0 ||
      oldest->live_octets > oldest->capacity / kFew) {
    return nullptr;
  }
  const Sequence passed = cursors_.lowest().value_or(state_.watermark);
  return value(oldest->end_sequence()) > value(passed) + 1 ? nullptr : oldest;
}

/// Writes what still waits in the oldest segment again, at the end. The states are those of now,
/// and every outcome that is appended from now on stands behind the copy (the batch is empty): read
/// in order, the records come to the same. Until the copy is durable the ledger leads to the
/// original.
void Writer::move_forward() {
  const std::shared_ptr<Segment> from = nearly_empty();
  if (!from) return;
  moved_from_ = from->number;
  std::vector<Sequence> instances;
  {
    const std::scoped_lock lock(state_.mutex);
    instances = state_.ledger.in_segment(*from);
  }
  for (const Sequence instance : instances) {
    if (auto pending = moved(instance, *from)) {
      batch_.push_back(std::move(*pending));
    } else {
      log::event(log::Level::kError, "journal.not_moved", {{"error", pending.error().to_string()}});
    }
  }
  write_batch();
  if (!fenced()) reclaim();
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
