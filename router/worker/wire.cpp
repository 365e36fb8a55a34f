#include "router/worker/wire.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string>

#include <poll.h>
#include <sys/socket.h>

namespace dr::worker {
namespace {

constexpr std::size_t kHead = 8;

int milliseconds_left(const Patience& patience) {
  if (!patience.until) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(*patience.until -
                                                                 std::chrono::steady_clock::now());
  return static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 3'600'000));
}

/// Until the socket is ready for `events` (or broken, which the next call will say).
Result<void> wait(int socket, short events, const Patience& patience) {
  for (;;) {
    std::array<pollfd, 2> polled{pollfd{socket, events, 0}, {patience.interrupt, POLLIN, 0}};
    const int left = milliseconds_left(patience);
    const int n = poll(polled.data(), polled.size(), left);
    if (n < 0 && errno != EINTR) return errno_error("poll", errno);
    if (n > 0 && polled[1].revents != 0) return Error{Errc::kCancelled, "stopping"};
    if (n > 0) return {};
    if (n == 0 && left == 0) return Error{Errc::kTimeout, "timeout"};
  }
}

bool again(int error) { return error == EAGAIN || error == EWOULDBLOCK || error == EINTR; }

Error broken(int error) {
  if (error == EPIPE || error == ECONNRESET) return {Errc::kClosed, "closed"};
  return errno_error("socket", error);
}

/// Room for the descriptors of one message.
union Control {
  cmsghdr aligned;
  std::array<char, CMSG_SPACE(kMaxDescriptors * sizeof(int))> octets;
};

void attach(msghdr& message, Control& control, std::span<const int> descriptors) {
  if (descriptors.empty()) return;
  std::memset(control.octets.data(), 0, control.octets.size());
  message.msg_control = control.octets.data();
  message.msg_controllen = CMSG_SPACE(descriptors.size_bytes());
  cmsghdr* const head = CMSG_FIRSTHDR(&message);
  head->cmsg_level = SOL_SOCKET;
  head->cmsg_type = SCM_RIGHTS;
  head->cmsg_len = CMSG_LEN(descriptors.size_bytes());
  std::memcpy(CMSG_DATA(head), descriptors.data(), descriptors.size_bytes());
}

void detach(msghdr& message, std::vector<Descriptor>& into) {
  for (cmsghdr* head = CMSG_FIRSTHDR(&message); head != nullptr;
       head = CMSG_NXTHDR(&message, head)) {
    if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(head) + i * sizeof(int), sizeof fd);
      into.emplace_back(fd);
    }
  }
}

/// Fills `into`; descriptors that come along are added to `descriptors`.
Result<void> receive_all(int socket, MutableByteSpan into, std::size_t max_descriptors,
                         std::vector<Descriptor>& descriptors, const Patience& patience) {
  while (!into.empty()) {
    if (auto ready = wait(socket, POLLIN, patience); !ready) return ready;
    Control control;
    iovec part{into.data(), into.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.octets.data();
    message.msg_controllen = control.octets.size();
    const ssize_t n = recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (n < 0 && again(errno)) continue;
    if (n < 0) return broken(errno);
    detach(message, descriptors);
    if (n == 0) return Error{Errc::kClosed, "closed"};
    if (descriptors.size() > max_descriptors || (message.msg_flags & MSG_CTRUNC) != 0) {
      return Error{Errc::kMalformed, "descriptors=" + std::to_string(descriptors.size()) +
                                         " limit=" + std::to_string(max_descriptors)};
    }
    into = into.subspan(static_cast<std::size_t>(n));
  }
  return {};
}

}  // namespace

Result<void> send_frame(int socket, Word word, ByteSpan payload, std::span<const int> descriptors,
                        const Patience& patience) {
  Bytes head;
  ByteWriter writer(head);
  writer.le(static_cast<std::uint32_t>(word));
  writer.le(static_cast<std::uint32_t>(payload.size()));
  std::size_t sent = 0;
  while (sent < kHead + payload.size()) {
    if (auto ready = wait(socket, POLLOUT, patience); !ready) return ready;
    const ByteSpan head_left = ByteSpan(head).subspan(std::min(sent, kHead));
    const ByteSpan left = payload.subspan(sent - std::min(sent, kHead));
    std::array<iovec, 2> parts{iovec{const_cast<std::byte*>(head_left.data()), head_left.size()},
                               iovec{const_cast<std::byte*>(left.data()), left.size()}};
    Control control;
    msghdr message{};
    message.msg_iov = parts.data();
    message.msg_iovlen = parts.size();
    if (sent == 0) attach(message, control, descriptors);
    const ssize_t n = sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0 && again(errno)) continue;
    if (n < 0) return broken(errno);
    sent += static_cast<std::size_t>(n);
  }
  return {};
}

Result<Frame> receive_frame(int socket, std::size_t limit, std::size_t max_descriptors,
                            const Patience& patience) {
  std::array<std::byte, kHead> head;
  Frame frame;
  auto got = receive_all(socket, head, max_descriptors, frame.descriptors, patience);
  if (!got) return got.error();
  frame.word = Word{load_le<std::uint32_t>(head.data())};
  const auto length = load_le<std::uint32_t>(head.data() + 4);
  if (length > limit) {
    return Error{Errc::kTooLong,
                 "length=" + std::to_string(length) + " limit=" + std::to_string(limit)};
  }
  frame.payload.resize(length);
  got = receive_all(socket, frame.payload, max_descriptors, frame.descriptors, patience);
  if (!got) return got.error();
  return frame;
}

}  // namespace dr::worker
