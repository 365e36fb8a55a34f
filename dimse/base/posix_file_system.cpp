#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <utility>

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "dimse/base/file_system.h"

namespace dr {
namespace {

/// Owns one file descriptor.
class Descriptor {
 public:
  explicit Descriptor(int fd) noexcept : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }

  int get() const noexcept { return fd_; }
  int release() noexcept { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

/// errno as an Error; the two that callers ask about get codes of their own.
Error system_error(const char* call, const std::string& name) {
  const int err = errno;
  Error error = errno_error(std::string(call) + " " + name, err);
  if (err == ENOENT) error.code = Errc::kNotFound;
  if (err == EEXIST) error.code = Errc::kConflict;
  return error;
}

class PosixFile final : public File {
 public:
  PosixFile(Descriptor fd, std::string name) : fd_(std::move(fd)), name_(std::move(name)) {}

  Result<void> write_at(std::uint64_t offset, std::span<const ByteSpan> parts) override {
    if (direct_.get() >= 0 && aligned(offset, parts)) {
      auto written = write_vector(direct_.get(), offset, parts);
      if (written || written.error().code != Errc::kInvalid) return written;
      direct_ = Descriptor(-1);  // some file systems refuse only now what they let be opened
    }
    return write_vector(fd_.get(), offset, parts);
  }

  bool write_past_cache() override {
    if (!direct_asked_) {
      direct_asked_ = true;
      const std::string self = "/proc/self/fd/" + std::to_string(fd_.get());
      direct_ = Descriptor(::open(self.c_str(), O_WRONLY | O_DIRECT | O_CLOEXEC));
    }
    return direct_.get() >= 0;
  }

  Result<std::size_t> read_at(std::uint64_t offset, MutableByteSpan into) const override {
    std::size_t done = 0;
    while (done < into.size()) {
      const ssize_t n = ::pread(fd_.get(), into.data() + done, into.size() - done,
                                static_cast<off_t>(offset + done));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return system_error("read", name_);
      if (n == 0) break;
      done += static_cast<std::size_t>(n);
    }
    return done;
  }

  Result<void> sync() override {
    if (::fdatasync(fd_.get()) != 0) return system_error("fdatasync", name_);
    return {};
  }

  Result<std::uint64_t> size() const override {
    struct stat status {};
    if (::fstat(fd_.get(), &status) != 0) return system_error("stat", name_);
    return static_cast<std::uint64_t>(status.st_size);
  }

  Result<void> allocate(std::uint64_t octets) override {
    errno = ::posix_fallocate(fd_.get(), 0, static_cast<off_t>(octets));
    if (errno != 0) return system_error("allocate", name_);
    return {};
  }

  void start_writeback(std::uint64_t offset, std::uint64_t octets) override {
    ::sync_file_range(fd_.get(), static_cast<off_t>(offset), static_cast<off_t>(octets),
                      SYNC_FILE_RANGE_WRITE);
  }

  void forget(std::uint64_t offset, std::uint64_t octets) const override {
    ::posix_fadvise(fd_.get(), static_cast<off_t>(offset), static_cast<off_t>(octets),
                    POSIX_FADV_DONTNEED);
  }

  Result<void> close() override {
    const int fd = fd_.release();
    if (fd >= 0 && ::close(fd) != 0 && errno != EINTR) return system_error("close", name_);
    return {};
  }

 private:
  static constexpr std::size_t kParts = 256;  // at most IOV_MAX
  static_assert(kParts <= IOV_MAX);

  static bool aligned(std::uint64_t offset, std::span<const ByteSpan> parts) {
    std::uintptr_t bits = offset;
    for (const ByteSpan part : parts) {
      bits |= reinterpret_cast<std::uintptr_t>(part.data()) | part.size();
    }
    return bits % kDirectAlignment == 0;
  }

  /// kInvalid: the alignment is refused, nothing is written.
  Result<void> write_vector(int fd, std::uint64_t offset, std::span<const ByteSpan> parts) {
    std::array<iovec, kParts> vector;
    std::size_t next = 0;     // first part that is not in `vector` yet
    std::size_t skipped = 0;  // octets of parts[next] that are written
    bool begun = false;
    while (next < parts.size()) {
      std::size_t count = 0;
      for (std::size_t i = next; i < parts.size() && count < vector.size(); ++i) {
        const ByteSpan part = parts[i].subspan(i == next ? skipped : 0);
        vector[count++] = {const_cast<std::byte*>(part.data()), part.size()};
      }
      const ssize_t n =
          ::pwritev(fd, vector.data(), static_cast<int>(count), static_cast<off_t>(offset));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0 && errno == EINVAL && fd == direct_.get() && !begun) {
        return Error{Errc::kInvalid, "write " + name_};
      }
      if (n < 0) return system_error("write", name_);
      begun = true;
      auto written = static_cast<std::size_t>(n);
      offset += written;
      while (next < parts.size() && written >= parts[next].size() - skipped) {
        written -= parts[next++].size() - skipped;
        skipped = 0;
      }
      if (n == 0 && next < parts.size()) return Error{Errc::kIo, "write " + name_ + ": 0 octets"};
      skipped += written;
      // Taken in part, as on a disk that is nearly full: the rest may not be aligned any more.
      if (skipped % kDirectAlignment != 0) fd = fd_.get();
    }
    return {};
  }

  Descriptor fd_;
  Descriptor direct_{-1};  // the same file, past the page cache
  bool direct_asked_ = false;
  std::string name_;
};

/// The folder that holds the last component of a checked name.
struct Place {
  Descriptor dir;
  std::string leaf;
};

struct Permissions {
  mode_t file;
  mode_t folder;
};
constexpr Permissions kPrivate{0600, 0700};
constexpr Permissions kShared{0640, 0750};

class PosixFileSystem final : public FileSystem {
 public:
  PosixFileSystem(Descriptor root, Permissions permissions)
      : root_(std::move(root)), permissions_(permissions) {}

  Result<std::unique_ptr<File>> open(const std::string& name, Mode mode) override {
    int flags = O_CLOEXEC | O_NOFOLLOW;
    switch (mode) {
      case Mode::kRead:
        flags |= O_RDONLY;
        break;
      case Mode::kReadWrite:
        flags |= O_RDWR;
        break;
      case Mode::kCreateNew:
        flags |= O_RDWR | O_CREAT | O_EXCL;
        break;
    }
    return open_file(name, flags);
  }

  Result<void> rename(const std::string& from, const std::string& to) override {
    auto source = place(from);
    if (!source) return std::move(source).error();
    auto target = place(to);
    if (!target) return std::move(target).error();
    if (::renameat(source->dir.get(), source->leaf.c_str(), target->dir.get(),
                   target->leaf.c_str()) != 0) {
      return system_error("rename", from);
    }
    return {};
  }

  Result<void> rename_new(const std::string& from, const std::string& to) override {
    auto source = place(from);
    if (!source) return std::move(source).error();
    auto target = place(to);
    if (!target) return std::move(target).error();
    const int source_dir = source->dir.get();
    const int target_dir = target->dir.get();
    const char* const source_leaf = source->leaf.c_str();
    const char* const target_leaf = target->leaf.c_str();
    if (::renameat2(source_dir, source_leaf, target_dir, target_leaf, RENAME_NOREPLACE) == 0) {
      return {};
    }
    // Network file systems do not know the flag: a link has the same effect in two steps.
    if (errno != EINVAL && errno != ENOSYS && errno != EOPNOTSUPP) {
      return system_error("rename", from);
    }
    if (::linkat(source_dir, source_leaf, target_dir, target_leaf, 0) != 0) {
      return system_error("link", from);
    }
    if (::unlinkat(source_dir, source_leaf, 0) != 0) return system_error("unlink", from);
    return {};
  }

  Result<void> unlink(const std::string& name) override {
    auto at = place(name);
    if (!at) return std::move(at).error();
    if (::unlinkat(at->dir.get(), at->leaf.c_str(), 0) != 0) return system_error("unlink", name);
    return {};
  }

  Result<void> make_dir(const std::string& name) override {
    auto at = place(name);
    if (!at) return std::move(at).error();
    if (::mkdirat(at->dir.get(), at->leaf.c_str(), permissions_.folder) == 0) return {};
    if (errno != EEXIST) return system_error("mkdir", name);
    auto existing = open_dir(name);  // a file or a link of this name is not fine
    if (!existing) return std::move(existing).error();
    return {};
  }

  Result<void> sync_dir(const std::string& name) override {
    auto dir = open_dir(name);
    if (!dir) return std::move(dir).error();
    if (::fsync(dir->get()) != 0) return system_error("fsync", name);
    return {};
  }

  Result<std::vector<std::string>> list(const std::string& dir) const override {
    auto fd = open_dir(dir);
    if (!fd) return std::move(fd).error();
    const std::unique_ptr<DIR, int (*)(DIR*)> stream(::fdopendir(fd->get()), ::closedir);
    if (!stream) return system_error("list", dir);
    fd->release();  // closedir closes it
    std::vector<std::string> names;
    for (;;) {
      errno = 0;
      const dirent* entry = ::readdir(stream.get());
      if (entry == nullptr) break;
      std::string name(entry->d_name);
      if (name != "." && name != "..") names.push_back(std::move(name));
    }
    if (errno != 0) return system_error("list", dir);
    std::sort(names.begin(), names.end());
    return names;
  }

  Result<std::uint64_t> free_octets() const override {
    struct statvfs status {};
    if (::fstatvfs(root_.get(), &status) != 0) return system_error("statvfs", ".");
    return static_cast<std::uint64_t>(status.f_bavail) * status.f_frsize;
  }

  Medium medium() const override {
    struct statfs status {};
    if (::fstatfs(root_.get(), &status) != 0) return Medium::kDisk;
    return medium_of(static_cast<std::uint32_t>(status.f_type));
  }

  Result<std::unique_ptr<File>> lock(const std::string& name) override {
    auto at = place(name);
    if (!at) return std::move(at).error();
    Descriptor fd(
        ::openat(at->dir.get(), at->leaf.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (fd.get() < 0) return system_error("open", name);
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
      Error error = system_error("lock", name);
      if (errno == EWOULDBLOCK) error = {Errc::kConflict, name + " is locked by another process"};
      return error;
    }
    return std::unique_ptr<File>(std::make_unique<PosixFile>(std::move(fd), name));
  }

 private:
  Result<std::unique_ptr<File>> open_file(const std::string& name, int flags) {
    auto at = place(name);
    if (!at) return std::move(at).error();
    Descriptor fd(::openat(at->dir.get(), at->leaf.c_str(), flags, permissions_.file));
    if (fd.get() < 0) return system_error("open", name);
    return std::unique_ptr<File>(std::make_unique<PosixFile>(std::move(fd), name));
  }

  /// Each folder on the way is opened for itself: O_NOFOLLOW guards only the last component.
  Result<Descriptor> open_dir(const std::string& name) const {
    Descriptor dir(::openat(root_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (dir.get() < 0) return system_error("open", ".");
    for (std::size_t begin = 0; !name.empty() && begin <= name.size();) {
      const std::size_t end = std::min(name.find('/', begin), name.size());
      const std::string component = name.substr(begin, end - begin);
      if (!is_component(component)) return Error{Errc::kInvalid, "name " + name};
      Descriptor next(
          ::openat(dir.get(), component.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
      if (next.get() < 0) return system_error("open", name);
      dir = std::move(next);
      begin = end + 1;
    }
    return dir;
  }

  Result<Place> place(const std::string& name) const {
    const std::size_t slash = name.rfind('/');
    std::string leaf = slash == std::string::npos ? name : name.substr(slash + 1);
    if (!is_component(leaf) || slash == 0) return Error{Errc::kInvalid, "name " + name};
    auto dir = open_dir(slash == std::string::npos ? "" : name.substr(0, slash));
    if (!dir) return std::move(dir).error();
    return Place{std::move(*dir), std::move(leaf)};
  }

  static bool is_component(const std::string& text) {
    return !text.empty() && text != "." && text != ".." && text.find('\0') == std::string::npos;
  }

  Descriptor root_;
  const Permissions permissions_;
};

Result<std::unique_ptr<FileSystem>> open_root(const std::string& root, Permissions permissions) {
  Descriptor fd(::open(root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd.get() < 0) return system_error("open", root);
  return std::unique_ptr<FileSystem>(std::make_unique<PosixFileSystem>(std::move(fd), permissions));
}

}  // namespace

Medium medium_of(std::uint32_t file_system_magic) {
  // linux/magic.h and statfs(2)
  switch (file_system_magic) {
    case 0x6969:      // NFS
    case 0x517B:      // SMB
    case 0xFF534D42:  // CIFS
    case 0xFE534D42:  // SMB2
    case 0x00C36400:  // Ceph
    case 0x5346414F:  // AFS
    case 0x01021997:  // 9P
      return Medium::kNetwork;
    case 0x01021994:  // tmpfs
    case 0x858458F6:  // ramfs
      return Medium::kMemory;
    case 0x65735546:
      return Medium::kUserSpace;
    default:
      return Medium::kDisk;
  }
}

Result<void> sync_folder(const std::filesystem::path& folder) {
  const Descriptor fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd.get() < 0) return system_error("open", folder.string());
  if (::fsync(fd.get()) != 0) return system_error("sync", folder.string());
  return {};
}

Result<void> make_folders(const std::filesystem::path& folder, unsigned permissions) {
  std::error_code unknown;  // mkdir says what it is
  if (folder.empty() || std::filesystem::exists(folder, unknown)) return {};
  if (auto above = make_folders(folder.parent_path(), permissions); !above) return above;
  if (::mkdir(folder.c_str(), permissions) != 0 && errno != EEXIST) {
    return system_error("mkdir", folder.string());
  }
  return sync_folder(folder.has_parent_path() ? folder.parent_path() : ".");
}

Result<std::unique_ptr<FileSystem>> open_posix_file_system(const std::string& root) {
  if (auto made = make_folders(root, kPrivate.folder); !made) return std::move(made).error();
  return open_root(root, kPrivate);
}

Result<std::unique_ptr<FileSystem>> open_shared_file_system(const std::string& root) {
  if (auto made = make_folders(root, kShared.folder); !made) return std::move(made).error();
  return open_root(root, kShared);
}

}  // namespace dr
