#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <asio/any_io_executor.hpp>

#include "dimse/base/block_chain.h"
#include "dimse/base/clock.h"
#include "dimse/base/file_system.h"
#include "dimse/ul/timer.h"
#include "router/delivery/decided.h"
#include "router/delivery/observer.h"
#include "router/delivery/settings.h"
#include "router/journal/journal.h"
#include "router/rules/rule_set.h"

namespace dr::delivery {

/// One object at one destination, as `queue list` shows it.
struct QueueItem {
  std::string destination;
  journal::Sequence sequence{};
  std::string sop_instance_uid;  // empty when the object's record can not be read any more
  journal::DeliveryState state{};
  std::uint32_t attempts = 0;
  std::optional<UtcMicros> next_attempt;  // none: as soon as it is its turn, or never (held)
  std::string reason;
};

/// Which items; an empty field selects all.
struct QueueFilter {
  std::string destination;
  std::optional<journal::DeliveryState> state{};
  std::optional<Uid> object{}, series{}, study{};

  bool by_uid() const { return object || series || study; }
  bool has_uids_of(const journal::ObjectRecord& record) const;
};

/// Which deliveries an operator means.
struct Selection : QueueFilter {
  bool unrouted = false;  // objects that no rule matched, in place of a state

  bool empty() const { return destination.empty() && !state && !unrouted && !by_uid(); }
};

struct OperationRequest {
  enum class Kind { kRetry, kDrop, kPause, kResume, kReroute };
  Kind kind{};
  Selection selection;
  std::string who;
  bool dry_run = false;                           // only says what it would come to
  std::shared_ptr<const rules::RuleSet> rules{};  // of kReroute
};
/// "retry", "drop", "pause", "resume", "reroute".
std::string_view name(OperationRequest::Kind kind);

/// What an operation came to, in deliveries; in destinations (pause, resume); in objects (reroute).
struct OperationReport {
  std::uint64_t affected = 0;
  std::uint64_t damaged = 0;    // can not be read, and are `damaged` now
  std::uint64_t unchanged = 0;  // reroute: the rules say what they said
  std::uint64_t unmatched = 0;  // reroute: the rules send it nowhere, or refuse it; left as it is
  std::uint64_t busy = 0;       // reroute: being sent just now; left as it is
  std::optional<Error> stopped{};  // why it ended before all was done; what is counted was done
};

/// Where a listing stopped: the next one continues behind it.
struct QueuePosition {
  std::string destination;
  journal::Sequence sequence{};
};

/// What waits at one destination.
struct QueueCounts {
  std::uint64_t waiting = 0;
  std::uint64_t sending = 0;
  std::uint64_t unknown = 0;
  std::uint64_t held = 0;
  std::uint64_t damaged = 0;
};

struct DestinationStatus {
  std::string name;
  bool up = true;
  std::string reason;   // why it is down
  bool paused = false;  // by an operator: nothing is sent
  QueueCounts counts;
  std::optional<UtcMicros> oldest;  // receipt of the oldest that is waiting, unknown or sending
  std::uint32_t associations = 0;   // open now
};

class Transformer;

/// What the engine stands on. All references must outlive it; the executors' contexts must run,
/// each on one thread (or be strands), until stop() has returned.
struct EngineContext {
  journal::Journal& journal;
  const Clock& clock;
  BlockPool& blocks;
  Observer& observer;
  std::vector<asio::any_io_executor> executors;
  std::function<Result<std::unique_ptr<FileSystem>>(const std::string& root)> open_folder =
      open_shared_file_system;
  Transformer* transformer = nullptr;         // null: copies with a transform are held
  ul::Timers* timers = &ul::system_timers();  // of retries, probes and idle associations
  Routed routed{};                            // of what is rerouted
  FileSystem* spool = nullptr;  // where it is written what has passed; null: memory only
};

/// Takes every routed object from the journal to its destinations: one queue, one set of strategies
/// and one state of health for each, so that none waits for another. Every attempt ends in exactly
/// one OutcomeRecord, written before the destination's next operation; a start after a crash
/// continues from Journal::open_deliveries().
class DeliveryEngine {
 public:
  DeliveryEngine(EngineContext context, std::vector<DestinationSettings> destinations);
  /// Stops without waiting for what is being sent.
  ~DeliveryEngine();
  DeliveryEngine(const DeliveryEngine&) = delete;
  DeliveryEngine& operator=(const DeliveryEngine&) = delete;

  /// Queues what is not final yet, then follows the journal from its watermark.
  void start();
  /// From Journal::Listener: only wakes.
  void advanced(journal::Sequence watermark);
  /// From journal::Listener, any thread: a record that is an object of the queues, or something
  /// else.
  void damaged(journal::Sequence record, const Error& why);
  /// No new attempt; waits up to `deadline` for those in flight, then aborts them. Not from an I/O
  /// thread.
  void stop(std::chrono::milliseconds deadline);

  /// At most `limit` items in order of (destination as configured, sequence). Blocking: reads the
  /// journal.
  std::vector<QueueItem> queue_list(const QueueFilter& filter, std::size_t limit,
                                    const std::optional<QueuePosition>& after = {}) const;
  std::vector<DestinationStatus> status() const;
  /// See Operations (operations.h).
  Result<OperationReport> operate(const OperationRequest& request);
  /// Open deliveries and routes that name a destination which is not configured: they stay in the
  /// journal.
  std::uint64_t orphans() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace dr::delivery
