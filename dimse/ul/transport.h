#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include <asio/any_io_executor.hpp>
#include <asio/awaitable.hpp>
#include <asio/buffer.hpp>
#include <asio/ip/tcp.hpp>

#include "dimse/base/result.h"

namespace dr::ul {

/// The other end of a connection, numeric.
struct PeerAddress {
  std::string address;
  std::uint16_t port = 0;
};

/// A reliable stream of octets under an association: TCP, TLS over it, or a test's script. One read
/// and one write may be pending at a time; all calls come from its executor's one thread. What a
/// pending operation was given stays alive until that operation has ended, which destroying the
/// transport does not wait for: cancel() and await it first.
class Transport {
 public:
  virtual ~Transport() = default;

  virtual asio::any_io_executor executor() = 0;
  virtual const PeerAddress& peer() const = 0;
  /// Subject of the peer's certificate; empty without one.
  virtual std::string tls_subject() const { return {}; }

  /// At least one octet, into the first buffer, then the second, and so on. kClosed at the end of
  /// the stream, kCancelled after cancel() or close(), kIo otherwise.
  virtual asio::awaitable<Result<std::size_t>> read_some(
      std::span<const asio::mutable_buffer> into) = 0;
  /// All octets of all parts. After a failure an unknown part of them has left.
  virtual asio::awaitable<Result<void>> write(std::span<const asio::const_buffer> parts) = 0;
  /// Before waiting for an answer to what was just written: acknowledge what the peer sends at
  /// once. A peer that left Nagle's algorithm on holds the second half of its answer back until
  /// then (40 ms an object, measured).
  virtual void quick_ack() noexcept {}

  /// Pending operations end with kCancelled; later ones are not affected.
  virtual void cancel() noexcept = 0;
  virtual void close() noexcept = 0;
};

/// `socket`, connected; sets TCP_NODELAY. kIo when the peer is gone already.
Result<std::unique_ptr<Transport>> make_tcp_transport(asio::ip::tcp::socket socket);

}  // namespace dr::ul
