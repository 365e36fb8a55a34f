#pragma once

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dimse/base/bytes.h"

// The least of PS3.7 and PS3.8 that two measuring instruments need. Deliberately not the router's
// own upper layer: an instrument must not share the faults, or the costs, of what it measures.
namespace dr::bench {

inline constexpr std::string_view kApplicationContext = "1.2.840.10008.3.1.1.1";
inline constexpr std::string_view kImplementationClass =
    "2.25.190146791043182537444806132342625375407";
inline constexpr std::uint32_t kMaxPdu = 131072;
inline constexpr std::size_t kPduHeader = 6;
inline constexpr std::size_t kPdvHeader = 6;  // item length, context, control

inline constexpr std::byte kCommandBit{0x01};
inline constexpr std::byte kLastBit{0x02};

[[noreturn]] inline void die(std::string_view what) {
  std::fprintf(stderr, "%.*s: %s\n", static_cast<int>(what.size()), what.data(),
               std::strerror(errno));
  std::exit(3);
}

template <std::unsigned_integral T>
void put_be(Bytes& out, T value) {
  const auto at = out.size();
  out.resize(at + sizeof(T));
  store_be(out.data() + at, value);
}
template <std::unsigned_integral T>
void put_le(Bytes& out, T value) {
  const auto at = out.size();
  out.resize(at + sizeof(T));
  store_le(out.data() + at, value);
}
inline void put(Bytes& out, ByteSpan octets) {
  out.insert(out.end(), octets.begin(), octets.end());
}

/// An item or sub-item of an association PDU (PS3.8 9.3.2): type, reserved, 16-bit length, value.
inline void put_item(Bytes& out, std::uint8_t type, ByteSpan value) {
  out.push_back(std::byte{type});
  out.push_back(std::byte{0});
  put_be(out, static_cast<std::uint16_t>(value.size()));
  put(out, value);
}

/// User information: the greatest PDU that we take, and who we are (PS3.8 D.1, PS3.7 D.3.3.2).
inline Bytes user_information() {
  Bytes length;
  put_be(length, kMaxPdu);
  Bytes out;
  put_item(out, 0x51, length);
  put_item(out, 0x52, as_bytes(kImplementationClass));
  return out;
}

/// A whole A-ASSOCIATE-RQ (type 1) or -AC (type 2) around its items.
inline Bytes associate_pdu(std::uint8_t type, ByteSpan ae_titles_32, ByteSpan items) {
  Bytes out = {std::byte{type}, std::byte{0}};
  put_be(out, static_cast<std::uint32_t>(68 + items.size()));
  put_be(out, std::uint16_t{1});
  put_be(out, std::uint16_t{0});
  put(out, ae_titles_32);
  out.resize(out.size() + 32);
  put(out, items);
  return out;
}

/// Calls `f(type, value)` for each item in `items`; stops at one that does not fit.
template <class F>
void each_item(ByteSpan items, F f) {
  while (items.size() >= 4) {
    const std::size_t length = load_be<std::uint16_t>(items.data() + 2);
    if (length > items.size() - 4) return;
    f(std::to_integer<std::uint8_t>(items[0]), items.subspan(4, length));
    items = items.subspan(4 + length);
  }
}

/// An element of a command set: implicit VR little endian, group 0000 (PS3.7 6.3.1).
inline void put_command_element(Bytes& out, std::uint16_t element, ByteSpan value) {
  put_le(out, std::uint16_t{0});
  put_le(out, element);
  put_le(out, static_cast<std::uint32_t>(value.size() + value.size() % 2));
  put(out, value);
  if (value.size() % 2 != 0) out.push_back(std::byte{0});
}
inline void put_command_us(Bytes& out, std::uint16_t element, std::uint16_t value) {
  Bytes octets;
  put_le(octets, value);
  put_command_element(out, element, octets);
}
/// With (0000,0000), the length of the rest, before it.
inline Bytes with_group_length(ByteSpan rest) {
  Bytes length;
  put_le(length, static_cast<std::uint32_t>(rest.size()));
  Bytes out;
  put_command_element(out, 0x0000, length);
  put(out, rest);
  return out;
}
/// The value of a command element, empty if it is not there.
inline ByteSpan command_element(ByteSpan command, std::uint16_t element) {
  while (command.size() >= 8) {
    const auto length = load_le<std::uint32_t>(command.data() + 4);
    if (length > command.size() - 8) break;
    if (load_le<std::uint16_t>(command.data() + 2) == element) return command.subspan(8, length);
    command = command.subspan(8 + length);
  }
  return {};
}
inline std::uint16_t command_us(ByteSpan command, std::uint16_t element, std::uint16_t absent) {
  const auto value = command_element(command, element);
  return value.size() == 2 ? load_le<std::uint16_t>(value.data()) : absent;
}

/// A P-DATA-TF with one PDV (PS3.8 9.3.5).
inline void put_p_data(Bytes& out, std::uint8_t context, std::byte control, ByteSpan fragment) {
  put_be(out, std::uint16_t{0x0400});
  put_be(out, static_cast<std::uint32_t>(kPdvHeader + fragment.size()));
  put_be(out, static_cast<std::uint32_t>(2 + fragment.size()));
  out.push_back(std::byte{context});
  out.push_back(control);
  put(out, fragment);
}

inline constexpr std::uint8_t kReleaseRq = 5;
inline constexpr std::uint8_t kReleaseRp = 6;
inline Bytes release_pdu(std::uint8_t type) {
  Bytes out = {std::byte{type}, std::byte{0}};
  put_be(out, std::uint32_t{4});
  out.resize(out.size() + 4);
  return out;
}

inline bool send_all(int fd, ByteSpan octets) {
  while (!octets.empty()) {
    const auto n = send(fd, octets.data(), octets.size(), MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    octets = octets.subspan(static_cast<std::size_t>(n));
  }
  return true;
}

inline bool receive_all(int fd, MutableByteSpan octets) {
  while (!octets.empty()) {
    const auto n = recv(fd, octets.data(), octets.size(), 0);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    octets = octets.subspan(static_cast<std::size_t>(n));
  }
  return true;
}

/// A whole PDU, header included; empty at the end of the stream or if it is longer than `most`.
inline Bytes receive_pdu(int fd, std::size_t most) {
  Bytes pdu(kPduHeader);
  if (!receive_all(fd, pdu)) return {};
  const std::size_t length = load_be<std::uint32_t>(pdu.data() + 2);
  if (length > most) return {};
  pdu.resize(kPduHeader + length);
  if (!receive_all(fd, MutableByteSpan(pdu).subspan(kPduHeader))) return {};
  return pdu;
}

inline void no_delay(int fd) {
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

inline sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

}  // namespace dr::bench
