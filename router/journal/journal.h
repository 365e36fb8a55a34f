#pragma once

#include <array>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "dimse/base/block_chain.h"
#include "dimse/base/clock.h"
#include "dimse/base/file_system.h"
#include "dimse/base/result.h"
#include "router/journal/records.h"

namespace dr::journal {

struct Options {
  std::uint64_t segment_octets = 64U << 20;
  std::uint64_t ahead_octets = 256U << 20;       // zero-filled and unused, kept ready
  std::uint64_t ahead_most = 4ULL << 30;         // the same after bursts that needed more
  std::uint64_t checkpoint_octets = 256U << 20;  // at most about so much is read at a start
  std::uint64_t page_aligned = 32U << 10;        // bodies from this on begin on a page of the file
  std::uint64_t inline_limit = 4U << 20;         // larger objects stand in files of their own
  std::uint64_t recent_octets = 64U << 20;       // of what was written last, kept in memory
  std::uint64_t disk_reserve = 0;                // below this much free disk: kNoSpace for objects
  std::chrono::milliseconds idle_sync{200};      // lazy records are synced at the latest after this
  std::chrono::microseconds overlap_syncs_from{3000};  // typical time from which several run
};

/// What a start found; each number is also logged and counted.
struct RecoveryReport {
  std::uint64_t records = 0;
  std::uint64_t cut_octets = 0;       // torn tail above the durable watermark
  std::uint64_t damaged_records = 0;  // below it: quarantined
  std::vector<std::string> findings;  // one line each: file, offset, what
  Sequence tail{};                    // highest sequence that is durable
};

/// How one group of records became durable, for metrics.
struct SyncStats {
  double seconds = 0;
  std::size_t objects = 0;
  std::uint64_t octets = 0;
  Sequence routed{};  // the last record among them by which an object goes somewhere
};

/// Told from the writer's thread; must not block.
class Listener {
 public:
  virtual ~Listener() = default;
  /// Records up to `watermark` are durable and may be read.
  virtual void advanced(Sequence watermark) = 0;
  virtual void synced(const SyncStats& stats) = 0;
  virtual void fenced(const Error& why) = 0;
  /// From any thread, once for each record: its octets are not those that were written.
  virtual void damaged(Sequence /*record*/, const Error& /*why*/) {}
};

/// A file of its own for an object above the inline limit, while it is received. Blocking; used
/// from a thread that may wait. Destroyed without being appended: the file goes away.
class LargeObject {
 public:
  virtual ~LargeObject() = default;
  virtual Result<void> write(std::span<const ByteSpan> parts) = 0;
  /// Syncs file and folder: after it the object may be appended.
  virtual Result<void> seal() = 0;
  virtual std::uint64_t size() const = 0;
};

/// One durable record.
struct Record {
  Sequence sequence{};
  RecordType type{};
  UtcMicros durable{};  // when its group was known to be synced
  Bytes head;           // decode_… it by type
  std::uint64_t body_octets = 0;
  std::uint32_t body_crc = 0;  // CRC32C of an object's octets
};

/// Reads one object's octets and checks its CRC on the way: the read that reaches the end fails
/// with kCorrupt when they are not those that were received, and the journal tells its listener.
/// Thread-compatible; blocking (page cache or disk). The journal must outlive it.
class BodyReader {
 public:
  virtual ~BodyReader() = default;
  virtual std::uint64_t size() const = 0;
  /// Octets read; 0 at the end.
  virtual Result<std::size_t> read(MutableByteSpan into) = 0;
  /// Lets the page cache forget record and octets: what is read next comes from the disk.
  virtual void forget() const {}
};

/// A consumer's place in the journal, kept across restarts: everything up to position() is done.
/// Advancing is lazy: after a crash an older position may come back, never a newer one than the
/// journal's tail.
class Cursor {
 public:
  virtual ~Cursor() = default;
  virtual const std::string& name() const = 0;
  virtual Sequence position() const = 0;
  virtual void advance(Sequence done) = 0;
};

/// One object at one destination that is not final yet.
struct OpenDelivery {
  Sequence instance{};
  std::string destination;
  DeliveryState state{};
  std::uint8_t priority = 1;
  std::uint32_t attempts = 0;
  UtcMicros next_attempt{};
};

/// All deliveries to one destination that the journal knows of: open when it was opened, or routed
/// since, by their present state (index: DeliveryState).
struct DestinationTally {
  std::string destination;
  std::array<std::uint64_t, 9> states{};
  std::uint64_t total() const;
};

struct Stats {
  std::uint64_t octets = 0;  // of segments and large files on disk
  std::uint64_t segments = 0;
  std::uint64_t segments_free = 0;  // zero-filled or recycled, ready
  std::uint64_t live_objects = 0;
  std::uint64_t damaged_records = 0;
  Sequence watermark{};
  bool fenced = false;
};

/// The append-only journal of one spool folder: see README.md (crash orders) and FORMAT.md
/// (octets). All methods may be called from any thread.
class Journal {
 public:
  /// Called on the writer's thread: the record's sequence once it is durable, or why it is not
  /// kept.
  using Done = std::function<void(Result<Sequence>)>;

  virtual ~Journal() = default;

  /// Opens (or creates) the journal in `files`, takes its lock, recovers, opens a new epoch.
  /// kConflict: another node runs on this spool. kUnsupported: a newer format, left untouched.
  /// kCorrupt/kFenced: a cursor beyond the tail. `files`, `clock` and `listener` must outlive the
  /// journal.
  static Result<std::unique_ptr<Journal>> open(FileSystem& files, const Clock& clock,
                                               Options options, Listener* listener = nullptr);
  virtual const RecoveryReport& recovery() const = 0;
  /// The UUID that was made with this spool: with a sequence it names a record for all time.
  virtual const std::string& spool_id() const = 0;

  /// Appends an object; `done` after the commit point: its octets and decision are on disk.
  /// kNoSpace: above the disk's high-water mark; kFenced: a sync has failed.
  virtual void append_object(ObjectRecord record, BlockChain data, Done done) = 0;
  virtual Result<std::unique_ptr<LargeObject>> create_large() = 0;
  virtual void append_large(ObjectRecord record, std::unique_ptr<LargeObject> data, Done done) = 0;
  /// Appends a record that nobody waits for (outcome, digest, association, …): written in order,
  /// synced with the next group or after Options::idle_sync. kFenced is the only refusal.
  virtual Result<void> append(RecordType type, Bytes head) = 0;
  Result<void> append(const OutcomeRecord& r) { return append(RecordType::kOutcome, encode(r)); }
  Result<void> append(const DigestRecord& r) { return append(RecordType::kDigest, encode(r)); }
  Result<void> append(const AssociationRecord& r) {
    return append(RecordType::kAssociation, encode(r));
  }
  Result<void> append(const SecurityRecord& r) { return append(RecordType::kSecurity, encode(r)); }
  Result<void> append(const OperatorRecord& r) { return append(RecordType::kOperator, encode(r)); }
  Result<void> append(const GatheredRecord& r) { return append(RecordType::kGathered, encode(r)); }
  Result<void> append(const ExtractionRecord& r) {
    return append(RecordType::kExtraction, encode(r));
  }

  /// Makes everything that was appended by now durable, at most for so long: who asks what became
  /// of an object sees it. Whether it is.
  virtual bool flush(std::chrono::milliseconds at_most) = 0;

  /// The first durable record after `after`, or nullopt at the watermark. A damaged record is
  /// passed over (it is counted, and its deliveries are `damaged`). Sequential reading is cheap.
  virtual Result<std::optional<Record>> read_after(Sequence after) = 0;
  /// The record of an object that is still kept. kNotFound: reclaimed; kCorrupt: damaged.
  virtual Result<Record> read(Sequence instance) = 0;
  virtual Result<std::unique_ptr<BodyReader>> open_body(Sequence instance) = 0;
  /// read() and open_body() would not wait for the disk, and give what was received.
  virtual bool in_memory(Sequence instance) const = 0;
  /// The first object behind `after` that is not finished.
  virtual std::optional<Sequence> next_live(Sequence after) const = 0;

  /// The cursor of this name, made at the tail's beginning (Sequence::kNone) when there is none.
  /// Reclaim waits for every cursor that exists. The reference lives as long as the journal.
  virtual Cursor& cursor(const std::string& name) = 0;
  /// Forgets a consumer that is no longer configured.
  virtual void drop_cursor(const std::string& name) = 0;

  /// Deliveries that are not final of at most `limit` objects behind `after`, in sequence order:
  /// where the delivery engine starts from.
  virtual std::vector<OpenDelivery> open_deliveries(Sequence after, std::size_t limit) const = 0;
  std::vector<OpenDelivery> open_deliveries() const {
    return open_deliveries(Sequence::kNone, std::numeric_limits<std::size_t>::max());
  }
  /// At most `limit` objects behind `after` that are kept because no rule matched, in order.
  virtual std::vector<Sequence> unrouted(Sequence after, std::size_t limit) const = 0;
  /// Where every delivery is. From Listener::advanced() and `done` it is as of that watermark.
  virtual std::vector<DestinationTally> tallies() const = 0;
  /// Objects kept because no rule matched.
  virtual std::uint64_t unrouted_objects() const = 0;
  virtual Sequence watermark() const = 0;
  virtual Stats stats() const = 0;
  /// Nothing is accepted: the reason, or nullopt.
  virtual std::optional<Error> refusing() const = 0;
  /// Appends what is queued, syncs, stores cursors. Later appends fail with kCancelled.
  virtual void close() = 0;
};

}  // namespace dr::journal
