#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "dimse/base/file_system.h"
#include "router/journal/log_format.h"

namespace dr::journal {

/// One file of the journal and where its records are. What grows is guarded by the journal's lock.
struct Segment : std::enable_shared_from_this<Segment> {
  struct Group {
    std::uint32_t first_record = 0;  // index into `offsets`
    UtcMicros synced{};
  };
  struct EpochSpan {
    std::uint64_t from = 0;  // offset of its first group here
    Epoch epoch{};
  };

  std::string name;  // of the file
  std::unique_ptr<File> file;
  std::uint64_t capacity = 0;  // octets
  std::uint64_t number = 0;
  Sequence first_sequence{};
  /// Of record first_sequence + i, in units of kRecordAlignment; 0: damaged, or never used.
  std::vector<std::uint32_t> offsets;
  std::vector<Group> groups;
  std::vector<EpochSpan> epochs;
  std::vector<Sequence> moved_here;  // objects with older sequences
  std::uint64_t live_objects = 0;    // that the ledger places here
  std::uint64_t live_octets = 0;
  std::atomic<std::uint32_t> pins{0};  // readers that it must not be recycled under

  Sequence end_sequence() const { return Sequence{value(first_sequence) + offsets.size()}; }
  void add(Sequence sequence, std::uint64_t offset);
  Epoch epoch_at(std::uint64_t offset) const;
  UtcMicros synced_at(Sequence sequence) const;
};

/// Keeps a segment from being recycled while it is read. Taken under the journal's lock.
class SegmentPin {
 public:
  explicit SegmentPin(std::shared_ptr<Segment> segment) : segment_(std::move(segment)) {
    segment_->pins.fetch_add(1, std::memory_order_relaxed);
  }
  SegmentPin(SegmentPin&&) noexcept = default;
  SegmentPin& operator=(SegmentPin&&) = delete;
  ~SegmentPin() {
    if (segment_) segment_->pins.fetch_sub(1, std::memory_order_release);
  }
  const Segment& operator*() const { return *segment_; }
  const Segment* operator->() const { return segment_.get(); }

 private:
  std::shared_ptr<Segment> segment_;
};

/// Where a record is.
struct Place {
  std::shared_ptr<Segment> segment;
  std::uint64_t offset = 0;
};

/// The segments in use, oldest first. Not thread-safe.
class SegmentList {
 public:
  void push(std::shared_ptr<Segment> segment) { segments_.push_back(std::move(segment)); }
  void pop_oldest() { segments_.pop_front(); }
  bool empty() const { return segments_.empty(); }
  std::size_t size() const { return segments_.size(); }
  const std::shared_ptr<Segment>& oldest() const { return segments_.front(); }
  const std::shared_ptr<Segment>& newest() const { return segments_.back(); }
  /// Nullptr where it is not in use.
  std::shared_ptr<Segment> by_number(std::uint64_t number) const;
  template <class Gone>
  void erase_if(Gone gone) {
    std::erase_if(segments_, gone);
  }
  auto begin() const { return segments_.begin(); }
  auto end() const { return segments_.end(); }

  std::optional<Place> find(Sequence sequence) const;
  /// The first record behind `after` that is there.
  std::optional<std::pair<Sequence, Place>> first_after(Sequence after) const;

 private:
  std::deque<std::shared_ptr<Segment>> segments_;
};

}  // namespace dr::journal
