#include "router/journal/segment_pool.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <utility>

#include "dimse/base/log.h"
#include "dimse/base/thread_name.h"
#include "router/journal/staging.h"

namespace dr::journal {
namespace {

constexpr std::chrono::milliseconds kBreath{250};  // the writer was busy within this: not now
constexpr std::chrono::seconds kRetry{1};          // after a full disk
constexpr std::size_t kChunk = 1 << 20;
constexpr std::uint64_t kPlenty = 16;  // segments
constexpr std::uint64_t kShareOfDisk = 16;

}  // namespace

SegmentPool::SegmentPool(FileSystem& files, Size octets)
    : files_(files),
      segment_octets_(octets.segment),
      most_(static_cast<std::size_t>(octets.ahead_most / octets.segment)),
      target_(static_cast<std::size_t>(
          std::max<std::uint64_t>(1, (octets.ahead + octets.segment - 1) / octets.segment))) {}

SegmentPool::~SegmentPool() { stop(); }

Result<void> SegmentPool::start(std::vector<FreeFile> found) {
  auto disk = files_.free_octets();
  if (!disk) return std::move(disk).error();
  const auto affordable = static_cast<std::size_t>(*disk / segment_octets_ / kShareOfDisk);
  most_ = std::max(target_, std::min(most_, affordable + found.size()));
  target_ = std::clamp(found.size(), target_, most_);  // what bursts before this start taught
  for (FreeFile& each : found) {
    if (each.capacity == segment_octets_ && free_.size() < target_) {
      free_.push_back(std::move(each));
    } else {
      discard(std::move(each));
    }
  }
  if (free_.empty()) {
    auto made = create(true);
    if (!made && made.error().code != Errc::kNoSpace) return std::move(made).error();
    if (made) free_.push_back(std::move(*made));
  }
  filler_ = std::thread([this] { run(); });
  return {};
}

void SegmentPool::stop() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (filler_.joinable()) filler_.join();
}

Result<FreeFile> SegmentPool::take(bool may_use_reserve) {
  {
    const std::scoped_lock lock(mutex_);
    if (free_.size() > 1) {
      FreeFile file = std::move(free_.front());
      free_.pop_front();
      wake_.notify_all();
      return file;
    }
    if (!may_use_reserve) {  // an object's: that is what comes in bursts
      target_ = std::min(target_ + 1, most_);
      wake_.notify_all();
    }
  }
  auto made = create(false);
  if (made || !may_use_reserve) return made;
  const std::scoped_lock lock(mutex_);
  if (free_.empty()) return made;
  FreeFile file = std::move(free_.front());
  free_.pop_front();
  wake_.notify_all();
  return file;
}

void SegmentPool::give_back(FreeFile file) {
  {
    const std::scoped_lock lock(mutex_);
    if (file.capacity == segment_octets_ && free_.size() < target_) {
      free_.push_back(std::move(file));
      return;
    }
  }
  discard(std::move(file));
}

std::size_t SegmentPool::size() const {
  const std::scoped_lock lock(mutex_);
  return free_.size();
}

/// The name is durable before the file is used: what is written to it is found again.
Result<FreeFile> SegmentPool::create(bool zeroed) {
  for (;;) {
    char name[40];
    std::snprintf(name, sizeof name, "%s/%016llx.seg", kJournalDir,
                  static_cast<unsigned long long>(next_name_.fetch_add(1)));
    auto file = files_.open(name, FileSystem::Mode::kCreateNew);
    if (!file && file.error().code == Errc::kConflict) continue;  // from an earlier start
    if (!file) return std::move(file).error();
    FreeFile made{name, std::move(*file), segment_octets_};
    auto ready = zeroed ? fill(*made.file) : lay_out(*made.file);
    if (ready) ready = made.file->sync();
    if (ready) ready = files_.sync_dir(kJournalDir);
    if (ready) return made;
    discard(std::move(made));
    return std::move(ready).error();
  }
}

/// Without zeros: they would take the disk from the writer who waits. Measured: space that is only
/// allocated costs the writes into it up to three times the CPU of a sparse file, so space is
/// allocated only where it is scarce, and a write might find none.
Result<void> SegmentPool::lay_out(File& file) {
  auto free = files_.free_octets();
  if (!free) return std::move(free).error();
  if (*free < kPlenty * segment_octets_) return file.allocate(segment_octets_);
  const Bytes zeros(kPage);
  const ByteSpan part(zeros);
  return file.write_at(segment_octets_ - part.size(), std::span(&part, 1));
}

Result<void> SegmentPool::fill(File& file) {
  const Bytes zeros(static_cast<std::size_t>(std::min<std::uint64_t>(kChunk, segment_octets_)));
  const ByteSpan part(zeros);
  Staging staging;
  for (std::uint64_t at = 0; at < segment_octets_; at += part.size()) {
    if (stopping_.load(std::memory_order_relaxed)) return Error{Errc::kCancelled, "stopping"};
    const ByteSpan piece = part.first(
        static_cast<std::size_t>(std::min<std::uint64_t>(part.size(), segment_octets_ - at)));
    if (auto written = staging.write(file, at, std::span(&piece, 1)); !written) return written;
  }
  return {};
}

void SegmentPool::run() {
  name_thread("journal-fill");
  bool told = false;  // that there is no space: once, not each second
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    if (free_.size() >= target_) {
      wake_.wait(lock, [this] { return stopping_ || free_.size() < target_; });
      continue;
    }
    // More than the writer needs at once can wait until it leaves the disk alone.
    if (busy_.exchange(false, std::memory_order_relaxed)) {
      wake_.wait_for(lock, kBreath, [this] { return stopping_.load(); });
      continue;
    }
    lock.unlock();
    auto made = create(true);
    lock.lock();
    if (made) {
      free_.push_back(std::move(*made));
      told = false;
    } else if (!stopping_) {
      if (!std::exchange(told, true)) {
        log::event(log::Level::kWarning, "journal.no_segment_ahead",
                   {{"error", made.error().to_string()}});
      }
      wake_.wait_for(lock, kRetry, [this] { return stopping_.load(); });
    }
  }
}

void SegmentPool::discard(FreeFile file) {
  file.file.reset();
  if (auto gone = files_.unlink(file.name); !gone) {
    log::event(log::Level::kWarning, "journal.unlink", {{"error", gone.error().to_string()}});
  }
}

}  // namespace dr::journal
