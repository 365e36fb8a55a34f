#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string_view>
#include <vector>

#include "dimse/base/file_system.h"
#include "dimse/base/uid.h"
#include "router/delivery/settings.h"
#include "router/journal/records.h"

namespace dr::delivery {

/// Octets of one data set, as far as two of them are told apart here.
struct Octets {
  std::uint64_t count = 0;
  std::uint32_t crc = 0;  // CRC32C
};

/// Knows what was sent where, so that what a peer sends back unchanged is not sent to it again. The
/// last million objects: in 16 MiB that are taken with the first, and in the file `sent` of the
/// spool, 24 MiB, which is written at once and not synced. So kill -9 forgets nothing; what a power
/// loss takes goes round once more. Thread-safe.
class LoopGuard {
 public:
  static constexpr std::size_t kObjects = 1U << 20;

  /// Reads what an earlier life has written. `spool` may be null: only memory.
  explicit LoopGuard(FileSystem* spool, std::size_t objects = kObjects);

  /// From before the first octet leaves: the peer may be faster than the note of its answer.
  void sent(std::string_view destination, const Uid& sop_instance_uid, Octets octets);
  /// Whether `record` came from that destination, by its AE title or address, and is what was sent
  /// there. An address of this machine says nothing: everybody on it has that. May wait for name
  /// resolution, though only where all else fits.
  bool returned(const DestinationSettings& destination, const journal::ObjectRecord& record,
                Octets octets) const;

 private:
  /// The latest of those whose hashes share a bucket stands first.
  struct Entry {
    std::uint64_t hash = 0;
    std::uint32_t crc = 0;
    std::uint32_t count = 0;  // its low half
    friend bool operator==(const Entry&, const Entry&) = default;
  };
  static constexpr std::size_t kWays = 4;
  static constexpr std::size_t kBuckets = 1U << 18;

  static Entry entry(std::string_view destination, const Uid& sop_instance_uid, Octets octets);
  bool was_sent(const Entry& entry) const;
  void load(FileSystem& spool);
  void remember(const Entry& entry);
  void write(const Entry& entry);

  const std::size_t slots_;  // of the file, a ring
  mutable std::mutex mutex_;
  std::vector<Entry> entries_;
  std::uint64_t tickets_ = 0;   // given out: the order of what is in the file
  std::unique_ptr<File> file_;  // null: it can not be written
};

}  // namespace dr::delivery
