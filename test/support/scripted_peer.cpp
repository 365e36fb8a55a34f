#include "test/support/scripted_peer.h"

#include <array>
#include <string>
#include <utility>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace dr::test {
namespace {

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

bool ready(int fd, short events, std::chrono::milliseconds within) {
  pollfd poller{.fd = fd, .events = events, .revents = 0};
  return ::poll(&poller, 1, static_cast<int>(within.count())) == 1;
}

int digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

}  // namespace

Bytes hex(std::string_view digits) {
  Bytes octets;
  int high = -1;
  for (const char c : digits) {
    const int value = digit(c);
    if (value < 0) continue;
    if (high < 0) {
      high = value;
    } else {
      octets.push_back(static_cast<std::byte>(high * 16 + value));
      high = -1;
    }
  }
  return octets;
}

std::string to_hex(ByteSpan octets) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const std::byte octet : octets) {
    text += kDigits[std::to_integer<std::size_t>(octet) >> 4];
    text += kDigits[std::to_integer<std::size_t>(octet) & 15];
  }
  return text;
}

Bytes operator+(Bytes a, const Bytes& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

Bytes p_data(std::uint8_t context, bool command, bool last, ByteSpan data) {
  const auto header = ul::p_data_header(ul::PresentationContextId{context}, command, last,
                                        static_cast<std::uint32_t>(data.size()));
  Bytes pdu;
  ByteWriter out(pdu);
  out.put(header);
  out.put(data);
  return pdu;
}

ScriptedPeer::ScriptedPeer(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
  const sockaddr_in address = loopback(port);
  if (::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    ADD_FAILURE() << "connect to port " << port << ": errno " << errno;
  }
  const int on = 1;
  (void)::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

ScriptedPeer::~ScriptedPeer() { close(); }

ScriptedPeer::ScriptedPeer(ScriptedPeer&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

void ScriptedPeer::close() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

void ScriptedPeer::send(ByteSpan octets) {
  while (!octets.empty()) {
    if (!ready(fd_, POLLOUT, kPatience)) {
      ADD_FAILURE() << "the other side does not read";
      return;
    }
    const ssize_t n = ::send(fd_, octets.data(), octets.size(), MSG_NOSIGNAL);
    if (n < 0) return;  // it has closed; what it said before is the test's matter
    octets = octets.subspan(static_cast<std::size_t>(n));
  }
}

Bytes ScriptedPeer::receive(std::size_t octets) {
  Bytes received(octets);
  std::size_t have = 0;
  while (have < octets) {
    if (!ready(fd_, POLLIN, kPatience)) {
      ADD_FAILURE() << "nothing arrives after " << have << " of " << octets << " octets";
      return {};
    }
    const ssize_t n = ::recv(fd_, received.data() + have, octets - have, 0);
    if (n <= 0) {
      ADD_FAILURE() << "closed after " << have << " of " << octets << " octets";
      return {};
    }
    have += static_cast<std::size_t>(n);
  }
  return received;
}

Bytes ScriptedPeer::receive_pdu() {
  Bytes pdu = receive(ul::kPduHeaderLength);
  if (pdu.empty()) return pdu;
  return pdu + receive(ul::decode_pdu_header(pdu.data()).length);
}

void ScriptedPeer::expect(const Bytes& octets) {
  EXPECT_EQ(to_hex(receive(octets.size())), to_hex(octets));
}

void ScriptedPeer::expect_close() {
  if (!ready(fd_, POLLIN, kPatience)) {
    ADD_FAILURE() << "the connection stays open";
    return;
  }
  std::byte octet{};
  EXPECT_LE(::recv(fd_, &octet, 1, 0), 0) << "another octet instead of the end";
}

bool ScriptedPeer::silent_for(std::chrono::milliseconds time) { return !ready(fd_, POLLIN, time); }

std::optional<ul::AAssociateAc> ScriptedPeer::associate(const ul::AAssociateRq& request) {
  send(ul::encode(request));
  const Bytes pdu = receive_pdu();
  if (pdu.empty() || pdu[0] != std::byte{0x02}) {
    ADD_FAILURE() << "no A-ASSOCIATE-AC but " << to_hex(pdu);
    return std::nullopt;
  }
  auto answer = ul::decode_associate_ac(ByteSpan(pdu).subspan(ul::kPduHeaderLength));
  if (!answer) {
    ADD_FAILURE() << answer.error().to_string();
    return std::nullopt;
  }
  return *answer;
}

ScriptedServer::ScriptedServer() : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
  sockaddr_in address = loopback(0);
  socklen_t length = sizeof address;
  if (::bind(fd_, reinterpret_cast<const sockaddr*>(&address), length) != 0 ||
      ::listen(fd_, 16) != 0 ||
      ::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &length) != 0) {
    ADD_FAILURE() << "listen: errno " << errno;
  }
  port_ = ntohs(address.sin_port);
}

ScriptedServer::~ScriptedServer() { ::close(fd_); }

ScriptedPeer ScriptedServer::accept() {
  if (!ready(fd_, POLLIN, ScriptedPeer::kPatience)) ADD_FAILURE() << "nobody connects";
  return ScriptedPeer(::accept(fd_, nullptr, nullptr));
}

}  // namespace dr::test
