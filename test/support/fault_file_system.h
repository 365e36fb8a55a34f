#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "dimse/base/file_system.h"

namespace dr::test {

/// One call that a program made. Files are told apart by number, since names change.
struct Operation {
  enum class Kind {
    kCreate,
    kWrite,
    kAllocate,
    kSync,
    kRename,
    kUnlink,
    kMakeDir,
    kSyncDir,
    kRead
  };
  Kind kind{};
  std::uint64_t file = 0;
  std::string name;          // kCreate, kRename, kUnlink; folder of kSyncDir and kMakeDir
  std::string to;            // kRename
  std::uint64_t offset = 0;  // kSync: how many operations went before its beginning
  Bytes data;                // kWrite
};

/// What of the unsynced part of the past a crash leaves.
enum class Survives {
  kNothing,     // only what was synced, files and folders
  kEverything,  // as after kill -9
  kTorn,        // of each file's last unsynced write, the first half of its 512-octet sectors
  kSectors,     // a random half of all unsynced sectors
  kNoNames,     // all unsynced data, but no unsynced folder entry
  kNamesOnly,   // all folder entries, but no unsynced data
};

/// A file system in memory that remembers every operation. It can fail any of them, and answer
/// what a disk could hold after a power loss at any point. Thread-safe.
class FaultFileSystem final : public FileSystem {
 public:
  FaultFileSystem();
  ~FaultFileSystem() override;

  /// Asked before each operation, without a lock held; an Error makes it fail. May block.
  using Hook = std::function<std::optional<Error>(const Operation&)>;
  void set_hook(Hook hook);
  void set_capacity(std::uint64_t octets);
  void set_medium(Medium medium) { medium_ = medium; }

  /// Operations that succeeded and changed something or made it durable.
  std::size_t operations() const;
  std::size_t count(Operation::Kind kind) const;
  /// The disk after a crash behind the first `operations` of them. `seed` decides kSectors.
  std::unique_ptr<FaultFileSystem> crash(std::size_t operations, Survives what,
                                         std::uint32_t seed = 0) const;
  std::unique_ptr<FaultFileSystem> crash(Survives what) const;

  std::vector<std::string> all_files() const;
  Bytes content(const std::string& name) const;
  void set_content(const std::string& name, Bytes content);

  Result<std::unique_ptr<File>> open(const std::string& name, Mode mode) override;
  Result<void> rename(const std::string& from, const std::string& to) override;
  Result<void> rename_new(const std::string& from, const std::string& to) override;
  Result<void> unlink(const std::string& name) override;
  Result<void> make_dir(const std::string& name) override;
  Result<void> sync_dir(const std::string& name) override;
  Result<std::vector<std::string>> list(const std::string& dir) const override;
  Result<std::uint64_t> free_octets() const override;
  Medium medium() const override { return medium_; }
  Result<std::unique_ptr<File>> lock(const std::string& name) override;

 private:
  struct Node {
    std::uint64_t number = 0;
    Bytes data;
  };
  class OpenFile;
  class Lock;

  std::optional<Error> ask(const Operation& operation) const;
  void remember(Operation operation);
  std::uint64_t used() const;

  mutable std::mutex mutex_;
  Hook hook_;
  std::uint64_t capacity_ = 1ULL << 40;
  Medium medium_ = Medium::kDisk;
  std::uint64_t next_file_ = 1;
  std::map<std::string, std::shared_ptr<Node>> files_;
  std::set<std::string> dirs_;
  std::set<std::string> locked_;
  std::vector<Operation> log_;
  std::map<std::string, std::shared_ptr<Node>>
      before_;  // what was there before the first operation
};

}  // namespace dr::test
