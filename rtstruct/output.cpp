#include "rtstruct/output.h"

#include <atomic>
#include <mutex>
#include <optional>
#include <thread>

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "rtstruct/nifti.h"

namespace dr::rtstruct {
namespace {

/// Closes on the way out.
struct Descriptor {
  int fd;
  ~Descriptor() {
    if (fd >= 0) ::close(fd);
  }
};

}  // namespace

Result<void> write_file(const std::filesystem::path& path, ByteSpan octets) {
  const std::string beside = path.string() + ".part";
  ::unlink(beside.c_str());
  const Descriptor file{::open(beside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640)};
  if (file.fd < 0) return errno_error("open", errno);
  while (!octets.empty()) {
    const ssize_t n = ::write(file.fd, octets.data(), octets.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno_error("write", errno);
    octets = octets.subspan(static_cast<std::size_t>(n));
  }
  if (::rename(beside.c_str(), path.c_str()) != 0) return errno_error("rename", errno);
  return {};
}

Result<void> write_masks(const Extraction& extraction, const std::filesystem::path& folder,
                         unsigned threads) {
  std::error_code failed;
  std::filesystem::create_directories(folder, failed);
  if (failed) return Error{Errc::kIo, "mkdir: " + failed.message()};
  std::atomic<std::size_t> next = 0;
  std::mutex mutex;
  std::optional<Error> first;
  const auto work = [&] {
    for (std::size_t i = next++; i < extraction.rois.size(); i = next++) {
      const RoiResult& result = extraction.rois[i];
      if (!result.mask || result.mask->runs.empty()) continue;
      const auto octets = nifti_gz(*result.mask, *result.grid);
      const auto name = std::to_string(extraction.set.rois[i].number) + ".nii.gz";
      auto done = octets ? write_file(folder / name, *octets) : Result<void>(octets.error());
      if (done) continue;
      const std::lock_guard lock(mutex);
      if (!first) first = done.error();
    }
  };
  {
    std::vector<std::jthread> others;
    for (unsigned t = 1; t < threads; ++t) others.emplace_back(work);
    work();
  }
  return first ? Result<void>(*first) : Result<void>();
}

}  // namespace dr::rtstruct
