#include "router/extraction/octets.h"

#include <cerrno>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace dr::extraction {

Result<Bytes> read_all(int fd, std::size_t limit) {
  struct stat status {};
  if (fstat(fd, &status) != 0) return errno_error("fstat", errno);
  const auto size = static_cast<std::size_t>(status.st_size);
  if (size > limit) {
    return Error{Errc::kTooLong,
                 "length=" + std::to_string(size) + " limit=" + std::to_string(limit)};
  }
  Bytes octets(size);
  for (std::size_t at = 0; at < size;) {
    const ssize_t n = pread(fd, octets.data() + at, size - at, static_cast<off_t>(at));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno_error("read", errno);
    if (n == 0) return Error{Errc::kIo, "read: cut off"};
    at += static_cast<std::size_t>(n);
  }
  return octets;
}

Result<void> write_all(int fd, ByteSpan octets) {
  while (!octets.empty()) {
    const ssize_t n = ::write(fd, octets.data(), octets.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno_error("write", errno);
    octets = octets.subspan(static_cast<std::size_t>(n));
  }
  return {};
}

Result<worker::Descriptor> unnamed_file(const std::string& folder) {
  worker::Descriptor file(
      ::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, S_IRUSR | S_IWUSR));
  if (file) return file;
  if (errno != EOPNOTSUPP && errno != EISDIR) return errno_error("file for a worker", errno);
  // A file system without files that never had a name.
  std::string name = folder + "/unnamed-XXXXXX";
  file = worker::Descriptor(mkostemp(name.data(), O_CLOEXEC));
  if (!file) return errno_error("file for a worker", errno);
  ::unlink(name.c_str());
  return file;
}

worker::Descriptor duplicate(const worker::Descriptor& file) {
  return worker::Descriptor(fcntl(file.get(), F_DUPFD_CLOEXEC, 3));
}

}  // namespace dr::extraction
