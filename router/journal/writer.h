#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <future>
#include <memory>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "router/journal/checkpoint.h"
#include "router/journal/cursors.h"
#include "router/journal/group.h"
#include "router/journal/ledger.h"
#include "router/journal/recent.h"
#include "router/journal/recovery.h"
#include "router/journal/segment_pool.h"
#include "router/journal/staging.h"

namespace dr::journal {

/// What writer and readers share. Everything below the mutex is guarded by it.
struct State {
  mutable std::mutex mutex;
  SegmentList segments;
  Ledger ledger;
  std::vector<LargeFile> large;
  Sequence watermark{};
  std::uint64_t damaged_records = 0;
  std::optional<Error> fenced;
  bool starved = false;  // the last request for a segment found none
};

/// A checkpoint that is encoded, and not committed yet.
struct CheckpointInMaking {
  std::uint64_t group = 0;
  std::uint64_t segment = 0;
  std::future<Result<void>> written;
  bool all_written = false;  // every record that it may know of was handed to the disk
};

/// The one thread that writes segments: takes what is queued as a group, writes it, syncs when
/// somebody waits, tells them. A failed write or sync fences: nothing is written afterwards.
class Writer {
 public:
  struct Start {
    Epoch epoch{};
    std::uint64_t last_group = 0;  // kept by recovery, and synced
    std::uint64_t next_group = 1;
    std::uint64_t next_segment = 1;
    std::uint64_t oldest_segment = 1;
    Sequence next_sequence{1};
    std::uint64_t tail_offset = 0;
    std::uint64_t checkpoint_segment = 0;  // the last one that the newest checkpoint knows
    std::uint64_t records_since_checkpoint = 0;
  };

  Writer(FileSystem& files, const Clock& clock, const Options& options, Listener* listener,
         State& state, SegmentPool& pool, CursorStore& cursors, Recent& recent);
  ~Writer();

  /// Writes and syncs the group that opens the epoch, then starts the thread.
  Result<void> start(const Start& from);
  /// Writes and syncs all that is queued, stores the cursors, ends the thread.
  void stop();

  /// Answers the record when the journal is closed.
  std::optional<Pending> push(Pending pending);
  /// See Journal::flush().
  bool flush(std::chrono::milliseconds at_most);
  /// Something other than a record is to be done.
  void wake();
  /// Why objects are refused, or nullopt.
  std::optional<Error> refusing() const;

 private:
  using Time = std::chrono::steady_clock::time_point;

  struct Written {
    std::shared_ptr<Segment> segment;
    Group group;
    Sequence first{};
  };
  /// Groups that one sync makes durable.
  struct Round {
    std::vector<Written> written;
    std::uint64_t last_group = 0;
    std::uint64_t oldest = 0;  // segment, in the last of their headers
    Sequence last{};
    std::unique_ptr<File> file;  // of its own, where other syncs are under way
    std::thread thread;
    std::atomic<bool> done{false};
    // Of the thread, until it is done.
    Result<void> synced;
    double seconds = 0;
  };

  void run();
  bool gather();
  bool can_wait() const;
  void finish_flush();
  std::optional<Time> deadline() const;
  void write_batch();
  void refuse_objects(const Error& why);
  Result<bool> make_room(const Pending& pending);
  Result<void> enter_segment(FreeFile file);
  Group new_group() const { return {offset_, segment_->capacity - offset_, options_.page_aligned}; }
  Result<void> write(Group& group, bool opens_epoch = false);
  Result<void> make_durable();
  Result<void> settle();
  void begin_round(bool beside);
  void begin_round_beside();
  Result<void> end_round();
  Result<void> end_rounds();
  void publish(std::vector<Written> written, UtcMicros synced, Sequence last);
  void publish_one(const std::shared_ptr<Segment>& segment, Group::Entry& entry);
  void housekeep();
  void write_marker();
  void keep_checkpoints();
  void begin_checkpoint();
  void finish_checkpoint();
  void last_checkpoint();
  std::shared_ptr<Segment> worth_moving();
  bool may_move() const;
  void move_forward();
  Result<Pending> moved(Sequence instance, const Segment& from) const;
  bool fenced() const;
  void reclaim();
  void recycle_announced();
  void remove_large_files();
  void fence(const Error& why);
  void fail_all();

  FileSystem& files_;
  const Clock& clock_;
  const Options& options_;
  Listener* listener_;
  State& state_;
  SegmentPool& pool_;
  CursorStore& cursors_;
  Recent& recent_;

  std::mutex mutex_;  // of all up to closed_
  std::condition_variable wake_;
  std::condition_variable flushed_;
  std::uint64_t flush_wanted_ = 0;  // requests made, and
  std::uint64_t flush_done_ = 0;    // answered
  std::vector<Pending> incoming_;
  bool stopping_ = false;
  bool broken_ = false;  // fenced: no flush will be answered any more
  bool closed_ = false;

  // The thread's own.
  Epoch epoch_{};
  std::deque<Pending> batch_;
  Staging staging_;
  std::shared_ptr<Segment> segment_;
  std::uint64_t offset_ = 0;    // where the next group goes
  std::uint64_t flushing_ = 0;  // requests made when the batch was taken
  bool hurried_ = false;        // what is queued is to be written now, come what may
  bool stuck_ = false;          // the batch could not be written for want of space
  std::uint64_t next_group_ = 1;
  std::uint64_t next_segment_ = 1;
  Sequence next_sequence_{1};
  std::uint64_t last_written_ = 0;       // group
  std::uint64_t durable_group_ = 0;      // every group up to it is synced
  std::uint64_t last_with_records_ = 0;  // group
  std::uint64_t told_group_ = 0;         // the highest durable_group in a header on disk
  std::uint64_t oldest_ = 1;             // segment
  std::uint64_t told_oldest_ = 1;        // in a header that is written, and
  std::uint64_t synced_oldest_ = 1;      // in one that is synced
  UtcMicros synced_{};                   // when durable_group_ was
  std::optional<Time> unsynced_since_;
  std::optional<Time> last_sync_;
  std::optional<Time> cursors_stored_;
  bool large_due_ = false;

  CheckpointFiles checkpoints_;
  std::optional<CheckpointInMaking> making_;
  std::atomic<bool> made_{false};  // making_->written is ready
  std::uint64_t octets_since_checkpoint_ = 0;
  std::uint64_t records_since_checkpoint_ = 0;
  std::uint64_t checkpoint_segment_ = 0;           // the last one that the newest checkpoint knows
  std::uint64_t covered_ = 0;                      // both know all of the segments below this one
  bool moving_ = false;                            // too much is kept for too little
  std::set<std::uint64_t> not_moved_;              // segments with objects that can not be read
  std::vector<Written> written_;                   // no sync of them has begun
  std::deque<std::unique_ptr<Round>> rounds_;      // whose syncs are under way
  double sync_seconds_ = 0;                        // of a sync, typically
  bool overlapping_ = false;                       // syncs take so long that several run
  bool round_due_ = false;                         // once one of them ends
  std::vector<std::shared_ptr<Segment>> retired_;  // not announced yet
  std::thread thread_;
};

}  // namespace dr::journal
