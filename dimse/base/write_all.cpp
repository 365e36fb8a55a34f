#include "dimse/base/write_all.h"

#include <cerrno>

#include <unistd.h>

namespace dr {

Result<void> write_all(int file, ByteSpan octets) {
  while (!octets.empty()) {
    const ssize_t n = ::write(file, octets.data(), octets.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno_error("write", errno);
    octets = octets.subspan(static_cast<std::size_t>(n));
  }
  return {};
}

}  // namespace dr
