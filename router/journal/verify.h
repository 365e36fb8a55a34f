#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "router/journal/journal.h"

namespace dr::journal {

/// What stands in a spool while no node runs on it.
struct Verification {
  std::string spool_id;
  RecoveryReport recovery;  // what the next start would find, cut and quarantine
  std::uint64_t segments = 0;
  std::uint64_t segments_free = 0;
  std::uint64_t octets = 0;  // of all segments and large objects
  std::uint64_t live_objects = 0;
  std::uint64_t unrouted_objects = 0;
  std::vector<OpenDelivery> open;
  std::uint64_t bodies_read = 0;
  std::uint64_t bodies_damaged = 0;  // each with a line in recovery.findings

  bool good() const { return recovery.damaged_records == 0 && bodies_damaged == 0; }
};

/// Reads a spool and changes nothing in it. `bodies`: also reads every object's octets and compares
/// checksums. kNotFound: no spool in `files`. kConflict: a node runs on it. kUnsupported: a newer
/// format.
Result<Verification> verify(FileSystem& files, UtcMicros now, bool bodies);

}  // namespace dr::journal
