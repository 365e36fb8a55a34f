#include "router/journal/large_files.h"

#include <algorithm>

#include "dimse/base/crc32c.h"
#include "dimse/base/log.h"
#include "router/journal/random_id.h"
#include "router/journal/recovery.h"

namespace dr::journal {
namespace {

/// Writeback begins while the object is still received: the sync at its end has little left to do.
constexpr std::uint64_t kWriteback = 8 << 20;

}  // namespace

std::string large_file_name(const LargeRef& ref) {
  return std::string(kLargeDir) + "/" + to_hex(ref.name);
}

Result<std::unique_ptr<LargeWriter>> create_large_file(FileSystem& files) {
  auto name = random_id();
  if (!name) return std::move(name).error();
  auto file = files.open(large_file_name({*name, 0, 0}), FileSystem::Mode::kCreateNew);
  if (!file) return std::move(file).error();
  return std::make_unique<LargeWriter>(files, std::move(*file), *name);
}

Result<void> remove_unnamed_large_files(FileSystem& files, const std::vector<std::string>& named) {
  auto names = files.list(kLargeDir);
  if (!names) return std::move(names).error();
  for (const std::string& name : *names) {
    const std::string path = std::string(kLargeDir) + "/" + name;
    if (std::find(named.begin(), named.end(), path) != named.end()) continue;
    if (auto gone = files.unlink(path); !gone) return gone;
  }
  return {};
}

LargeWriter::LargeWriter(FileSystem& files, std::unique_ptr<File> file,
                         const std::array<std::byte, 16>& name)
    : files_(files), file_(std::move(file)), name_(name) {}

LargeWriter::~LargeWriter() {
  if (kept_) return;
  file_.reset();
  if (auto gone = files_.unlink(large_file_name(ref())); !gone) {
    log::event(log::Level::kWarning, "journal.unlink", {{"error", gone.error().to_string()}});
  }
}

Result<void> LargeWriter::write(std::span<const ByteSpan> parts) {
  if (failed_ || sealed_) return Error{Errc::kInvalid, "large object is sealed or failed"};
  auto written = file_->write_at(size_, parts);
  if (!written) {
    failed_ = true;
    return written;
  }
  for (const ByteSpan part : parts) {
    crc_ = crc32c(crc_, part);
    size_ += part.size();
  }
  if (size_ - pushed_ >= kWriteback) {
    file_->start_writeback(pushed_, size_ - pushed_);
    pushed_ = size_;
  }
  return {};
}

Result<void> LargeWriter::seal() {
  if (failed_ || sealed_) return Error{Errc::kInvalid, "large object is sealed or failed"};
  failed_ = true;  // unless everything below succeeds: a failed sync is never tried again
  if (auto synced = file_->sync(); !synced) return synced;
  if (auto closed = file_->close(); !closed) return closed;
  if (auto synced = files_.sync_dir(kLargeDir); !synced) return synced;
  failed_ = false;
  sealed_ = true;
  return {};
}

}  // namespace dr::journal
