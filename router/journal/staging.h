#pragma once

#include <memory>

#include "dimse/base/file_system.h"

namespace dr::journal {

/// Hands groups to a file past the page cache, where that can be: long bodies, which begin on a
/// page of file and memory, from where they lie; what stands between them is gathered in one piece
/// of memory. See the note on how groups reach the disk. One thread's.
class Staging {
 public:
  /// `offset` and the length of all parts together are multiples of File::kDirectAlignment.
  Result<void> write(File& file, std::uint64_t offset, std::span<const ByteSpan> parts);

 private:
  struct Free {
    void operator()(std::byte* memory) const noexcept;
  };
  std::unique_ptr<std::byte, Free> memory_;
};

}  // namespace dr::journal
