#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>

#include "dimse/base/block_chain.h"
#include "dimse/base/file_system.h"
#include "router/delivery/object_source.h"

namespace dr::delivery {

/// Objects as DICOM files (PS3.10) in a folder: `study/series/sop.dcm`, named by UIDs that were
/// found legal, so by digits and dots only. A file appears under its name when it is whole and on
/// disk, and is never replaced: the same octets are found to be there already, others under the
/// same SOP Instance UID are kept beside it as `sop.2.dcm` and so on. Blocking; one thread.
class FolderStore {
 public:
  /// `spool_id` tells this node's unfinished files from another's in the same folder.
  FolderStore(std::unique_ptr<FileSystem> files, std::string spool_id, BlockPool& blocks);

  /// Removes what a crash left unfinished.
  Result<void> start();

  struct Stored {
    bool was_there = false;
    std::uint64_t octets = 0;
  };
  /// The file is synced; its name is durable after the next sync_names(). kInvalid: the object has
  /// no legal name. kConflict: too many others of its name.
  Result<Stored> put(const StoredObject& object, journal::Sequence instance);
  /// Makes the names of all that was put durable.
  Result<void> sync_names();

 private:
  Result<void> write(const std::string& name, const StoredObject& object);
  Result<bool> publish(const std::string& temporary, const std::string& folder,
                       const std::string& stem);
  Result<bool> same_object(const std::string& a, const std::string& b);
  Result<void> make_folders(const std::string& study, const std::string& series);

  std::unique_ptr<FileSystem> files_;
  const std::string spool_id_;
  BlockPool& blocks_;
  std::set<std::string> known_;     // folders whose names are durable
  std::set<std::string> unsynced_;  // folders with new names
};

}  // namespace dr::delivery
