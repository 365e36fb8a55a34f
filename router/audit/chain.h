#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "dimse/base/file_system.h"
#include "dimse/base/result.h"
#include "router/audit/seal.h"
#include "router/journal/journal.h"

namespace dr::audit {

/// One day's chain over the seals of the rows that never change (all but states and digests): in
/// the order of sequence and table, head = SHA-256(head ∥ seal), from an empty head on. A row that
/// is changed, missing or made up leaves another head.
struct DayHead {
  std::uint64_t first = 0;  // records before this one came before there was a key
  std::uint64_t rows = 0;
  std::uint64_t last = 0;  // sequence of the youngest record
  std::string head{};

  friend bool operator==(const DayHead&, const DayHead&) = default;
};

/// Days since 1970-01-01 UTC.
using Day = std::int64_t;
std::string day_text(Day day);  // 2026-01-31
Day day_of(UtcMicros time);
UtcMicros start_of(Day day);
/// What day_text() made; nullopt for any other text.
std::optional<Day> day_from(const std::string& text);
/// Takes out the rows from before that day: each by its own time, a decision by its object's.
void drop_before(db::Records& records, Day day);

/// Adds sealed rows to the chains of their days. A record's day is that of the first of its rows
/// that has a time: when the object came in, the attempt or the association ended, the event
/// happened.
class Chains {
 public:
  explicit Chains(std::uint64_t first = 0) : first_(first) {}
  /// All rows of one record or of many, sequences ascending from call to call. Rows of records
  /// before the day's first, or not above the day's last, are passed over.
  void add(const db::Records& records);
  const std::map<Day, DayHead>& days() const { return days_; }
  std::map<Day, DayHead>& days() { return days_; }

 private:
  const std::uint64_t first_;
  std::map<Day, DayHead> days_;
};

/// The heads that a node keeps beside its journal, in the folder "audit-heads" of the spool: a file
/// a day, one line, with its HMAC. Made aside, synced and renamed.
class HeadFiles {
 public:
  HeadFiles(FileSystem& files, const Sealer& sealer, std::string node, std::string spool_id)
      : files_(files), sealer_(sealer), node_(std::move(node)), spool_id_(std::move(spool_id)) {}
  Result<void> write(Day day, const DayHead& head);
  /// Every day's; kCorrupt names the file whose HMAC is not the key's.
  Result<std::map<Day, DayHead>> read() const;

 private:
  std::string text(Day day, const DayHead& head) const;

  FileSystem& files_;
  const Sealer& sealer_;
  const std::string node_, spool_id_;
};

/// Keeps the heads up to date behind the journal: cursor "audit-chain", a thread of its own. A head
/// is on disk before the cursor passes its rows.
class ChainKeeper {
 public:
  ChainKeeper(journal::Journal& journal, FileSystem& files, const Sealer& sealer, std::string node);
  ~ChainKeeper();
  ChainKeeper(const ChainKeeper&) = delete;
  ChainKeeper& operator=(const ChainKeeper&) = delete;

  /// From journal::Listener: only wakes.
  void advanced(journal::Sequence watermark);
  /// Takes in what is durable so far, at most so long, and ends its thread.
  void stop(std::chrono::milliseconds at_most);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace dr::audit
