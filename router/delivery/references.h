#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "dimse/base/file_system.h"
#include "dimse/base/uid.h"
#include "router/journal/journal.h"

namespace dr::delivery {

/// 64 bits that stand for a UID, the same in every life (FNV-1a).
std::uint64_t fingerprint(const Uid& uid);

/// What a structure set refers to (PS3.3 C.8.8.5, Referenced Frame of Reference Sequence): the
/// fingerprints of its instances, or of its series where it names no instance. Of a long list the
/// first 64 KiB count. Any other object refers to nothing. Blocking: reads the object's head.
Result<std::set<std::uint64_t>> references_of(journal::Journal& journal, journal::Sequence instance,
                                              const Uid& transfer_syntax);

/// Which instances and series have passed: the last half million objects, in 8 MiB, and in the file
/// `passed` of the spool, written behind and not synced. After a power loss a few may be missing:
/// what refers to them waits its time. One thread.
class Passed {
 public:
  static constexpr std::size_t kObjects = 1U << 19;

  /// Reads what an earlier life has written. `spool` may be null: only memory.
  explicit Passed(FileSystem* spool, std::size_t objects = kObjects);

  void note(const Uid& sop_instance_uid, const Uid& series_instance_uid);
  /// Writes what is new.
  void store();
  /// Takes those that have passed out of `wanted`.
  void strike(std::set<std::uint64_t>& wanted) const;

 private:
  struct Entry {
    std::uint64_t instance = 0;
    std::uint64_t series = 0;
  };
  void load();

  std::vector<Entry> entries_;  // a ring
  std::uint64_t count_ = 0;     // noted since the file was made
  std::uint64_t stored_ = 0;    // of these, written
  FileSystem* spool_;
  std::unique_ptr<File> file_;
};

/// Who waits for what refers to: objects that are held until all that they refer to has passed. One
/// thread.
class References {
 public:
  explicit References(FileSystem* spool) : passed_(spool) {}

  struct Waiter {
    std::string destination;
    Uid sop_instance_uid;
  };
  /// Whether all of `wanted` has passed; otherwise `waiter` is named when it has.
  bool here(journal::Sequence instance, Waiter waiter, std::set<std::uint64_t> wanted);
  /// One more object; those that have waited for it last.
  std::vector<Waiter> passed(const Uid& sop_instance_uid, const Uid& series_instance_uid);
  /// It waits no longer for that destination.
  void forget(journal::Sequence instance, const std::string& destination);
  void store() { passed_.store(); }
  std::size_t waiting() const { return waiting_.size(); }

 private:
  struct Waiting {
    std::set<std::uint64_t> missing;
    std::vector<Waiter> waiters;
  };
  Passed passed_;
  std::map<journal::Sequence, Waiting> waiting_;
  std::multimap<std::uint64_t, journal::Sequence> wanted_;
};

}  // namespace dr::delivery
