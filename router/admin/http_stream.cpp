#include "router/admin/http_stream.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <poll.h>
#include <sys/socket.h>

namespace dr::admin {

HttpStream::HttpStream(int socket, std::string buffered, std::size_t ceiling,
                       std::chrono::milliseconds most)
    : socket_(socket),
      buffered_(std::move(buffered)),
      left_(ceiling),
      most_(most),
      read_deadline_(std::chrono::steady_clock::now() + most) {}

bool HttpStream::wait(short events, Time deadline) const {
  for (;;) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) return false;
    pollfd waiting{socket_, events, 0};
    const int ready = poll(&waiting, 1, static_cast<int>(left.count()));
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) return false;
  }
}

bool HttpStream::is_readable() const {
  return at_ < buffered_.size() || wait(POLLIN, read_deadline_);
}

bool HttpStream::is_writable() const {
  return wait(POLLOUT, std::chrono::steady_clock::now() + most_);
}

ssize_t HttpStream::read(char* into, std::size_t size) {
  size = std::min(size, left_);
  if (size == 0) return -1;
  if (at_ < buffered_.size()) {
    size = std::min(size, buffered_.size() - at_);
    std::memcpy(into, buffered_.data() + at_, size);
    at_ += size;
    left_ -= size;
    return static_cast<ssize_t>(size);
  }
  for (;;) {
    if (!wait(POLLIN, read_deadline_)) return -1;
    const auto got = recv(socket_, into, size, MSG_DONTWAIT);
    if (got >= 0) {
      left_ -= static_cast<std::size_t>(got);
      return got;
    }
    if (errno != EAGAIN && errno != EINTR) return -1;
  }
}

ssize_t HttpStream::write(const char* from, std::size_t size) {
  if (write_deadline_ == Time{}) write_deadline_ = std::chrono::steady_clock::now() + most_;
  std::size_t sent = 0;
  while (sent < size) {
    if (!wait(POLLOUT, write_deadline_)) return -1;
    const auto now = send(socket_, from + sent, size - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (now < 0 && errno != EAGAIN && errno != EINTR) return -1;
    if (now > 0) sent += static_cast<std::size_t>(now);
  }
  return static_cast<ssize_t>(size);
}

// The peer is known where the connection was accepted; the library only copies these.
void HttpStream::get_remote_ip_and_port(std::string& ip, int& port) const {
  ip.clear();
  port = 0;
}

void HttpStream::get_local_ip_and_port(std::string& ip, int& port) const {
  ip.clear();
  port = 0;
}

}  // namespace dr::admin
