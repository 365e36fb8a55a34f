#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

#include "dimse/base/bytes.h"
#include "dimse/ul/pdu.h"

namespace dr::test {

/// "01 00 00000004 deadbeef" → octets; spaces do not matter.
Bytes hex(std::string_view digits);
std::string to_hex(ByteSpan octets);
Bytes operator+(Bytes a, const Bytes& b);

/// A P-DATA-TF of one PDV.
Bytes p_data(std::uint8_t context, bool command, bool last, ByteSpan data);

/// The other end of a TCP connection, driven by a test line by line: it sends exactly these octets
/// and expects exactly those. Blocking, each step at most kPatience; what goes wrong is reported to
/// GoogleTest and answered with nothing.
class ScriptedPeer {
 public:
  static constexpr std::chrono::seconds kPatience{20};

  explicit ScriptedPeer(std::uint16_t port);  // connects to loopback
  explicit ScriptedPeer(int descriptor) : fd_(descriptor) {}
  ~ScriptedPeer();
  ScriptedPeer(ScriptedPeer&& other) noexcept;
  ScriptedPeer& operator=(ScriptedPeer&&) = delete;

  void send(ByteSpan octets);
  /// One whole PDU, header included.
  Bytes receive_pdu();
  Bytes receive(std::size_t octets);
  void expect(const Bytes& octets);
  /// The connection ends, by FIN or RST, without another octet.
  void expect_close();
  /// Whether nothing arrives for this long. For waits that must not end, not for pacing.
  bool silent_for(std::chrono::milliseconds time);
  void close();

  /// As requestor: proposes `contexts`, and gives the A-ASSOCIATE-AC.
  std::optional<ul::AAssociateAc> associate(const ul::AAssociateRq& request);

 private:
  int fd_ = -1;
};

/// A port of the kernel's choice on loopback.
class ScriptedServer {
 public:
  ScriptedServer();
  ~ScriptedServer();
  ScriptedServer(const ScriptedServer&) = delete;
  ScriptedServer& operator=(const ScriptedServer&) = delete;
  std::uint16_t port() const { return port_; }
  ScriptedPeer accept();

 private:
  int fd_ = -1;
  std::uint16_t port_ = 0;
};

}  // namespace dr::test
