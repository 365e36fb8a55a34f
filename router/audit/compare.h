#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "db/audit_store.h"
#include "router/audit/chain.h"
#include "router/audit/seal.h"

namespace dr::audit {

/// Something that holds audit rows.
struct Source {
  std::string name;  // "postgresql"
  std::shared_ptr<db::AuditStore> store;
  /// The journal reaches only so far back, and states are not its rows: what it does not have is
  /// nowhere amiss.
  bool partial = false;
};

/// One thing that is wrong, named: where, in which table, which row. Never its values.
struct Finding {
  std::string source, table, key, what;
};

/// One day of one journal as each source has it.
struct ComparedDay {
  std::string node, spool_id, day;
  std::map<std::string, std::uint64_t> rows;  // in the chain, by source
  std::string head = "none kept";             // "good", "wrong", "none kept" or "removed"
};

struct Comparison {
  std::uint64_t rows = 0;      // different ones, of all kinds
  std::uint64_t unsealed = 0;  // of these, written without a key
  std::uint64_t forgotten = 0;
  std::vector<ComparedDay> days;
  /// From which day on each node's rows must be there; older ones were removed by [retention].
  std::map<std::string, Day> retained_from;
  std::vector<Finding> findings;
  bool good() const { return findings.empty(); }
};

struct CompareOptions {
  /// The heads that were kept for a journal; nullopt where there are none to compare with.
  std::function<Result<std::optional<std::map<Day, DayHead>>>(const std::string& node,
                                                              const std::string& spool_id)>
      heads;
  /// Rows above are still being written: not looked at.
  std::function<std::uint64_t(const std::string& spool_id)> upto;
  /// Waits a little before a span that differs is read again; false: nothing is being written.
  std::function<bool()> again;
};

/// Compares all rows of all sources with each other, with their seals and with the kept heads, span
/// by span, so that any number of rows fits in memory.
Result<Comparison> compare(const std::vector<Source>& sources, const Sealer& sealer,
                           const CompareOptions& options);

}  // namespace dr::audit
