#include <algorithm>
#include <system_error>
#include <utility>

#include "router/journal/writer.h"

/// How what is written becomes durable: by one sync after another on a disk that answers soon. On
/// one that is slow an object that comes while a sync is under way would wait for the rest of that
/// and for the whole of the next; there several run, each begun a little after the one before.
namespace dr::journal {
namespace {

constexpr std::size_t kMostBeside = 4;
constexpr double kWeight = 0.125;  // of the newest sync, in what is typical

}  // namespace

/// What nobody waits for goes into a group with what somebody does, or is written when no sync is
/// under way: each write of its own costs the disk time.
bool Writer::can_wait() const {
  return !rounds_.empty() && !hurried_ &&
         std::none_of(batch_.begin(), batch_.end(),
                      [](const Pending& p) { return p.wants_sync(); });
}

/// Somebody waits for the group that was just written.
Result<void> Writer::make_durable() {
  if (!overlapping_) return settle();
  round_due_ = true;
  begin_round_beside();
  return {};
}

/// All that is written is durable afterwards.
Result<void> Writer::settle() {
  while (!rounds_.empty()) {
    if (auto ended = end_round(); !ended) return ended;
  }
  if (written_.empty()) return {};
  begin_round(false);
  return end_round();
}

void Writer::begin_round_beside() {
  if (!round_due_ || rounds_.size() >= kMostBeside) return;
  begin_round(true);
}

/// Syncs what is written, at once or on a thread. A sync that runs beside others has an open file
/// description of its own: the kernel reports a write-back that failed once to each of them, and
/// would tell, of two syncs on the same, the one whose octets are safe.
void Writer::begin_round(bool beside) {
  auto round = std::make_unique<Round>();
  round->written = std::exchange(written_, {});
  round->last_group = last_written_;
  round->oldest = told_oldest_;
  round->last = Sequence{value(next_sequence_) - 1};
  round_due_ = false;
  unsynced_since_.reset();
  File* file = segment_->file.get();
  if (beside) {
    auto own = files_.open(segment_->name, FileSystem::Mode::kRead);
    if (own) {
      round->file = std::move(*own);
      file = round->file.get();
    }
    beside = own.ok();
  }
  const auto sync = [this, file, &round = *round] {
    const SteadyTime before = clock_.now_steady();
    round.synced = file->sync();
    round.seconds = std::chrono::duration<double>(clock_.now_steady() - before).count();
    round.done = true;
  };
  if (beside) {
    try {
      round->thread = std::thread([this, sync] {
        sync();
        wake();
      });
    } catch (const std::system_error&) {
      beside = false;  // no more threads are to be had
    }
  }
  if (!beside) sync();
  rounds_.push_back(std::move(round));
}

/// Waits for the sync that began first. What a later one made durable is told only after it: where
/// one fails, nothing behind it counts.
Result<void> Writer::end_round() {
  Round& front = *rounds_.front();
  if (front.thread.joinable()) front.thread.join();
  if (!front.synced) return std::move(front.synced);
  const std::unique_ptr<Round> round = std::move(rounds_.front());
  rounds_.pop_front();
  sync_seconds_ += (round->seconds - sync_seconds_) * kWeight;
  const double slow = std::chrono::duration<double>(options_.overlap_syncs_from).count();
  overlapping_ = sync_seconds_ >= (overlapping_ ? slow * 2 / 3 : slow);
  // A header tells one time for all that it is the first to call durable. What ends before it is
  // written has that time from the start, so that a later life reads the same.
  if (told_group_ >= durable_group_) synced_ = clock_.now_utc();
  durable_group_ = round->last_group;
  synced_oldest_ = round->oldest;
  last_sync_ = std::chrono::steady_clock::now();
  SyncStats stats;
  stats.seconds = round->seconds;
  for (Written& written : round->written) {
    stats.octets += written.group.total_octets();
    for (Group::Entry& entry : written.group.entries()) {
      if (entry.pending.header.type == RecordType::kGathered) {
        stats.routed = entry.pending.header.sequence;
      }
      if (!entry.pending.is_object()) continue;
      ++stats.objects;
      if (!entry.pending.routes.empty()) stats.routed = entry.pending.header.sequence;
    }
  }
  publish(std::move(round->written), synced_, round->last);
  if (listener_ != nullptr) listener_->synced(stats);
  recycle_announced();
  return {};
}

/// Those that are over, in their order; then the one that waited for its turn.
Result<void> Writer::end_rounds() {
  while (!rounds_.empty() && rounds_.front()->done) {
    if (auto ended = end_round(); !ended) return ended;
  }
  if (!written_.empty()) begin_round_beside();
  return {};
}

}  // namespace dr::journal
