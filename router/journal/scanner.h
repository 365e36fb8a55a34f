#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "dimse/base/file_system.h"
#include "router/journal/log_format.h"

namespace dr::journal {

/// Reads a file through a buffer, since a scan asks for a few octets at a time, mostly onwards.
class FileWindow {
 public:
  FileWindow(const File& file, std::uint64_t size) : file_(&file), size_(size) {}

  std::uint64_t size() const { return size_; }
  /// Valid until the next call; shorter than asked at the end of the file.
  Result<ByteSpan> get(std::uint64_t offset, std::uint64_t octets);

 private:
  const File* file_;
  std::uint64_t size_;
  Bytes buffer_;
  std::uint64_t begin_ = 0;
  std::uint64_t filled_ = 0;
};

/// A group whose header is whole.
struct FoundGroup {
  std::uint64_t offset = 0;
  GroupHeader header;

  std::uint64_t records_begin() const { return offset + kGroupHeaderSize; }
  std::uint64_t records_end() const { return records_begin() + header.octets; }
};

/// A record as a scan meets it; `head` lives until the visitor returns.
struct FoundRecord {
  std::uint64_t offset = 0;
  RecordHeader header;
  ByteSpan head;
};

/// What is wrong at one place.
struct Finding {
  std::uint64_t offset = 0;
  std::string what;
};

/// The groups of `segment` in its file from `begin` on, by number; older content of the file is
/// passed over. Where a header is broken, the scan goes on at the next page.
Result<std::vector<FoundGroup>> find_groups(FileWindow& window, std::uint64_t segment,
                                            std::uint64_t begin = kFirstGroup);

/// Reads records between two offsets of one epoch and segment.
class RecordScanner {
 public:
  RecordScanner(FileWindow& window, Epoch epoch, std::uint64_t segment)
      : window_(window), header_seed_(header_seed(epoch, segment)), head_seed_(head_seed(epoch)) {}

  using Visitor = std::function<void(const FoundRecord&)>;

  /// Visits each record whose header and head are whole and whose sequence lies below `limit`;
  /// where one is not, tells it and goes on at the next record that is. Answers how many it
  /// visited.
  Result<std::uint32_t> scan(std::uint64_t begin, std::uint64_t end, Sequence limit,
                             const Visitor& visit, std::vector<Finding>& findings);
  /// Header, head and body of each are what was written, and they fill the range.
  Result<bool> whole(std::uint64_t begin, std::uint64_t end, std::uint32_t records);
  /// Only the body.
  Result<bool> body_whole(const FoundRecord& record);

 private:
  Result<std::optional<RecordHeader>> header_at(std::uint64_t offset, std::uint64_t end);
  Result<std::optional<ByteSpan>> head_of(std::uint64_t offset, const RecordHeader& header);

  FileWindow& window_;
  std::uint32_t header_seed_;
  std::uint32_t head_seed_;
};

}  // namespace dr::journal
