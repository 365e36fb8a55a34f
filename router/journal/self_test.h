#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "dimse/base/clock.h"
#include "dimse/base/file_system.h"

namespace dr::journal {

/// What a start found out about the disk below the spool.
struct SelfTest {
  double sync_seconds = 0;            // of one small write, the median of a few
  std::vector<std::string> warnings;  // a sentence each
};

/// kUnsupported: a network file system, whose locks and syncs do not hold what they promise. Asked
/// before anything is written.
Result<void> refuse_network(const FileSystem& files);
/// Writes and syncs a small file, and looks for what takes syncs their meaning. `mapped`: what
/// /proc/self/maps says. Run while the spool is locked.
Result<SelfTest> self_test(FileSystem& files, const Clock& clock, std::string_view mapped);
/// The same judgement of a sync's duration, on its own.
std::vector<std::string> judge(Medium medium, double sync_seconds, std::string_view mapped);

}  // namespace dr::journal
