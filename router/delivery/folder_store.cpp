#include "router/delivery/folder_store.h"

#include <algorithm>
#include <array>
#include <utility>

#include "dimse/file/part10_header.h"

namespace dr::delivery {
namespace {

constexpr const char* kIncoming = ".incoming";  // no UID begins with a dot
constexpr std::size_t kMostKnownFolders = 4096;
constexpr int kMostOfOneName = 1000;
constexpr std::size_t kCompared = 64 * 1024;

std::string folder_name(const Uid& uid, const char* otherwise) {
  return uid.empty() ? otherwise : uid.str();
}

/// Where a file's data set begins, in which transfer syntax. A file that is none of ours has none.
Result<file::Part10Header> header_of(const File& file) {
  return file::read_part10_header(
      [&](std::uint64_t offset, MutableByteSpan into) { return file.read_at(offset, into); });
}

Result<bool> same_octets(const File& a, std::uint64_t at_a, const File& b, std::uint64_t at_b) {
  Bytes from_a(kCompared);
  Bytes from_b(kCompared);
  for (std::uint64_t done = 0;; done += kCompared) {
    const auto n = a.read_at(at_a + done, from_a);
    if (!n) return n.error();
    const auto m = b.read_at(at_b + done, from_b);
    if (!m) return m.error();
    const auto end = from_a.begin() + static_cast<std::ptrdiff_t>(*n);
    if (*n != *m || !std::equal(from_a.begin(), end, from_b.begin())) return false;
    if (*n < kCompared) return true;
  }
}

}  // namespace

FolderStore::FolderStore(std::unique_ptr<FileSystem> files, std::string spool_id, BlockPool& blocks)
    : files_(std::move(files)), spool_id_(std::move(spool_id)), blocks_(blocks) {}

Result<void> FolderStore::start() {
  if (auto made = files_->make_dir(kIncoming); !made) return made;
  const auto names = files_->list(kIncoming);
  if (!names) return names.error();
  for (const std::string& name : *names) {
    if (!name.starts_with(spool_id_)) continue;
    if (auto gone = files_->unlink(std::string(kIncoming) + "/" + name); !gone) return gone;
  }
  return {};
}

Result<FolderStore::Stored> FolderStore::put(const StoredObject& object,
                                             journal::Sequence instance) {
  const journal::ObjectRecord& record = object.record;
  if (record.sop_instance_uid.empty()) return Error{Errc::kInvalid, "no SOP Instance UID"};
  const std::string study = folder_name(record.study_instance_uid, "no-study-uid");
  const std::string series = folder_name(record.series_instance_uid, "no-series-uid");
  const std::string temporary =
      std::string(kIncoming) + "/" + spool_id_ + "-" + std::to_string(journal::value(instance));
  if (auto made = make_folders(study, series); !made) return made.error();
  Result<bool> was_there(false);
  if (auto written = write(temporary, object); !written) {
    was_there = written.error();
  } else {
    was_there = publish(temporary, study + "/" + series, record.sop_instance_uid.str());
  }
  if (!was_there || *was_there) (void)files_->unlink(temporary);
  if (!was_there) {
    if (was_there.error().code == Errc::kNotFound) known_.clear();  // somebody removed a folder
    return was_there.error();
  }
  return Stored{*was_there, object.octets};
}

Result<void> FolderStore::write(const std::string& name, const StoredObject& object) {
  auto file = files_->open(name, FileSystem::Mode::kCreateNew);
  if (!file && file.error().code == Errc::kConflict) {  // of an earlier attempt
    if (auto gone = files_->unlink(name); !gone) return gone;
    file = files_->open(name, FileSystem::Mode::kCreateNew);
  }
  if (!file) return file.error();
  const Bytes head = part10_head_of(object.record);
  const SendBuffer buffer(blocks_);
  std::array<ByteSpan, 2> parts{ByteSpan(head)};
  for (std::uint64_t at = 0;;) {
    const auto n = object.body->read(buffer.span());
    if (!n) return n.error();
    parts[1] = buffer.span().first(*n);
    if (auto written = (*file)->write_at(at, parts); !written) return written;
    at += parts[0].size() + parts[1].size();
    parts[0] = {};
    if (*n == 0) break;
  }
  if (auto synced = (*file)->sync(); !synced) return synced;
  return (*file)->close();
}

// Gives a finished file its name; true: the same object was there.
Result<bool> FolderStore::publish(const std::string& temporary, const std::string& folder,
                                  const std::string& stem) {
  unsynced_.insert(folder);  // also for what is there: its name may not be durable yet
  for (int copy = 1; copy <= kMostOfOneName; ++copy) {
    const std::string suffix = copy == 1 ? ".dcm" : "." + std::to_string(copy) + ".dcm";
    const std::string name = folder + "/" + stem + suffix;
    const auto renamed = files_->rename_new(temporary, name);
    if (renamed) return false;
    if (renamed.error().code != Errc::kConflict) return renamed.error();
    const auto same = same_object(temporary, name);
    if (!same) return same.error();
    if (*same) return true;
  }
  return Error{Errc::kConflict, "files of one name limit=" + std::to_string(kMostOfOneName)};
}

Result<bool> FolderStore::same_object(const std::string& a, const std::string& b) {
  auto ours = files_->open(a, FileSystem::Mode::kRead);
  if (!ours) return ours.error();
  auto theirs = files_->open(b, FileSystem::Mode::kRead);
  if (!theirs) return theirs.error();
  const auto our_header = header_of(**ours);
  const auto their_header = header_of(**theirs);
  // An object without octets in it, which a test of ours may be, reads as no file; so may theirs.
  if (!our_header || !their_header) return same_octets(**ours, 0, **theirs, 0);
  if (our_header->transfer_syntax_uid != their_header->transfer_syntax_uid) return false;
  auto same =
      same_octets(**ours, our_header->data_set_offset, **theirs, their_header->data_set_offset);
  if (same && *same) {
    // What is there may have been written a moment ago by somebody who did not sync it.
    if (auto synced = (*theirs)->sync(); !synced) return synced.error();
  }
  return same;
}

Result<void> FolderStore::make_folders(const std::string& study, const std::string& series) {
  if (known_.size() > kMostKnownFolders) known_.clear();
  const std::array<std::pair<std::string, std::string>, 2> steps{
      {{study, ""}, {study + "/" + series, study}}};
  for (const auto& [folder, parent] : steps) {
    if (known_.contains(folder)) continue;
    if (auto made = files_->make_dir(folder); !made) return made;
    if (auto synced = files_->sync_dir(parent); !synced) return synced;
    known_.insert(folder);
  }
  return {};
}

Result<void> FolderStore::sync_names() {
  for (const std::string& folder : std::exchange(unsynced_, {})) {
    if (auto synced = files_->sync_dir(folder); !synced) return synced;
  }
  return {};
}

}  // namespace dr::delivery
