#pragma once

#include <chrono>
#include <cstdint>
#include <memory>

namespace dr::test {

/// A TCP proxy on a loopback port of its own, through which a test stands between a client and a
/// server and stops, delays, slices or cuts what passes. Every method may be called from any thread
/// at any time and holds for open and new connections alike. One thread of its own.
class TcpGate {
 public:
  explicit TcpGate(std::uint16_t server_port);
  ~TcpGate();
  TcpGate(const TcpGate&) = delete;
  TcpGate& operator=(const TcpGate&) = delete;

  std::uint16_t port() const;

  /// Refuses connections and resets those that are open: a server that died.
  void refuse();
  /// Connections are taken, but nothing passes, either way: a server that hangs.
  void hold();
  /// All passes again, what was held first; refused connections are taken again on the same port.
  /// Takes back the effects of all methods above and below.
  void open();

  /// Each piece waits this long before it is passed on.
  void delay(std::chrono::milliseconds each);
  /// At most `octets` are passed on in one write, either way.
  void slice(std::size_t octets);
  /// Resets each connection once so many octets have gone from client to server on it.
  void cut_after(std::size_t octets);

  /// Connections taken so far.
  std::size_t connections() const;
  /// Octets passed on so far.
  std::uint64_t octets_to_server() const;
  std::uint64_t octets_to_client() const;

 private:
  class Loop;
  std::unique_ptr<Loop> loop_;
};

}  // namespace dr::test
