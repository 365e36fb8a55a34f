#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "dimse/base/bytes.h"
#include "dimse/base/result.h"

namespace dr {

/// One open file. Thread-safe as the system calls are. Closed by its destructor; close() reports
/// the error that closing may bring.
class File {
 public:
  virtual ~File() = default;
  /// Writes all octets of `parts`, one after another, from `offset` on.
  virtual Result<void> write_at(std::uint64_t offset, std::span<const ByteSpan> parts) = 0;
  /// Octets read; fewer than asked only at the end of the file.
  virtual Result<std::size_t> read_at(std::uint64_t offset, MutableByteSpan into) const = 0;
  /// fdatasync(2). A failure is final: what is on disk is unknown, so it is never tried again.
  virtual Result<void> sync() = 0;
  virtual Result<std::uint64_t> size() const = 0;
  /// posix_fallocate(3): later writes below `octets` find their space; reads give zeros.
  virtual Result<void> allocate(std::uint64_t octets) = 0;
  /// A hint to begin writing to disk, so that the sync that follows has less to do. No durability.
  virtual void start_writeback(std::uint64_t /*offset*/, std::uint64_t /*octets*/) {}
  /// A hint that memory need not hold these octets: what was synced is read from the disk next.
  virtual void forget(std::uint64_t /*offset*/, std::uint64_t /*octets*/) const {}
  /// Asks that writes pass the page cache from now on (O_DIRECT) where it can be: those of one part
  /// whose memory, place and length are multiples of kDirectAlignment. Whether they will. Reads see
  /// what was written either way.
  virtual bool write_past_cache() { return false; }
  static constexpr std::size_t kDirectAlignment = 4096;
  virtual Result<void> close() = 0;
};

/// What a folder lies on, as far as that bears on what a sync is worth.
enum class Medium { kDisk, kNetwork, kMemory, kUserSpace };

/// What the journal and the folder destination need of a file system, relative to one folder that
/// is open as a descriptor: a seam, so that tests can lose what was not synced. Names are given by
/// this program, never by the wire: relative paths without "." and ".." (kInvalid), on which no
/// symbolic link is followed. A missing file is kNotFound, an existing one at kCreateNew kConflict.
class FileSystem {
 public:
  enum class Mode { kRead, kReadWrite, kCreateNew };

  virtual ~FileSystem() = default;
  virtual Result<std::unique_ptr<File>> open(const std::string& name, Mode mode) = 0;
  /// Replaces `to` atomically.
  virtual Result<void> rename(const std::string& from, const std::string& to) = 0;
  /// As rename(), but kConflict where `to` exists: nothing is ever replaced.
  virtual Result<void> rename_new(const std::string& from, const std::string& to) = 0;
  virtual Result<void> unlink(const std::string& name) = 0;
  virtual Result<void> make_dir(const std::string& name) = 0;  // fine when it exists
  /// fsync(2) of a folder, "" for the root: makes names durable.
  virtual Result<void> sync_dir(const std::string& name) = 0;
  virtual Result<std::vector<std::string>> list(const std::string& dir) const = 0;
  /// Octets that this process may still use.
  virtual Result<std::uint64_t> free_octets() const = 0;
  virtual Medium medium() const { return Medium::kDisk; }
  /// An exclusive lock on `name`, held until the result is destroyed; kConflict when another
  /// process holds it.
  virtual Result<std::unique_ptr<File>> lock(const std::string& name) = 0;
};

/// By the number of statfs(2).
Medium medium_of(std::uint32_t file_system_magic);
/// Syncs a folder, and with it the names in it.
Result<void> sync_folder(const std::filesystem::path& folder);
/// Makes `folder` and what is missing above it, each synced into the folder above before the next.
Result<void> make_folders(const std::filesystem::path& folder, unsigned permissions);

/// The real one, under `root`, which it creates (0700) where it is missing.
Result<std::unique_ptr<FileSystem>> open_posix_file_system(const std::string& root);
/// The same for a folder that others read: its group may (0750, files 0640). Creates the folders
/// above `root` too.
Result<std::unique_ptr<FileSystem>> open_shared_file_system(const std::string& root);

}  // namespace dr
