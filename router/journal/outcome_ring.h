#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "dimse/base/file_system.h"
#include "router/journal/log_format.h"

namespace dr::journal {

/// The last outcomes, each written to a file of their own the moment it is appended, without a
/// sync: the journal's writer may be waiting for the disk, and kill -9 would make a delivery that
/// has just ended happen again. What a power loss takes from here only repeats. Thread-safe.
class OutcomeRing {
 public:
  /// Makes the file, of full length, where it is missing.
  Result<void> open(FileSystem& files);
  /// What was put in `epoch`, oldest first, as far as it is whole.
  Result<std::vector<OutcomeRecord>> read(Epoch epoch) const;
  /// An outcome that is too long for its slot is left out.
  Result<void> put(Epoch epoch, ByteSpan outcome);

 private:
  std::unique_ptr<File> file_;
  std::atomic<std::uint64_t> next_{0};
};

}  // namespace dr::journal
