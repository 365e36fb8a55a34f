#include "dimse/file/part10_reader.h"

#include <algorithm>
#include <utility>

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace dr::file {
namespace {

Result<std::size_t> read_fully(int fd, std::uint64_t offset, MutableByteSpan into) {
  std::size_t done = 0;
  while (done < into.size()) {
    const ssize_t n =
        ::pread(fd, into.data() + done, into.size() - done, static_cast<off_t>(offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno_error("read", errno);
    if (n == 0) break;
    done += static_cast<std::size_t>(n);
  }
  return done;
}

}  // namespace

Result<Part10Reader> Part10Reader::open(const std::string& path) {
  Part10Reader reader;
  // O_NONBLOCK: a FIFO must not hold us before we see that it is no regular file.
  reader.fd_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (reader.fd_ < 0) {
    if (errno == ENOENT) return Error{Errc::kNotFound, "no such file"};
    return errno_error("open", errno);
  }
  struct stat status {};
  if (::fstat(reader.fd_, &status) != 0) return errno_error("fstat", errno);
  if (!S_ISREG(status.st_mode)) return Error{Errc::kInvalid, "not a regular file"};
  auto header = read_part10_header([&](std::uint64_t offset, MutableByteSpan into) {
    return read_fully(reader.fd_, offset, into);
  });
  if (!header) return header.error();
  reader.header_ = *header;
  const auto size = static_cast<std::uint64_t>(status.st_size);
  reader.length_ = size - std::min(size, header->data_set_offset);
  return reader;
}

Part10Reader::Part10Reader(Part10Reader&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), length_(other.length_), header_(other.header_) {}

Part10Reader& Part10Reader::operator=(Part10Reader&& other) noexcept {
  std::swap(fd_, other.fd_);
  length_ = other.length_;
  header_ = other.header_;
  return *this;
}

Part10Reader::~Part10Reader() {
  if (fd_ >= 0) ::close(fd_);
}

Result<std::size_t> Part10Reader::read(std::uint64_t offset, MutableByteSpan into) const {
  const std::uint64_t rest = length_ - std::min(length_, offset);
  const auto wanted =
      into.first(static_cast<std::size_t>(std::min<std::uint64_t>(into.size(), rest)));
  auto n = read_fully(fd_, header_.data_set_offset + offset, wanted);
  if (n && *n < wanted.size()) {
    return Error{Errc::kCorrupt, "the file has shrunk: length=" + std::to_string(offset + *n) +
                                     " was=" + std::to_string(length_)};
  }
  return n;
}

}  // namespace dr::file
