#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "dimse/base/result.h"

namespace dr::audit {

/// An audit record repository, as [audit.syslog] names it.
struct SyslogSettings {
  std::string url;  // tls://HOST[:6514] or udp://HOST[:514]
  std::string msgid = "IHE+RFC-3881";
  std::string ca{};  // PEM file of who may sign the repository's certificate; empty: the
                     // system's authorities
  std::string certificate{}, key{};  // PEM files of this node's own, if the repository asks for one
  std::chrono::milliseconds patience{15'000};  // for each step of a repository that does not answer
};

struct SyslogUrl {
  bool tls = true;
  std::string host;
  std::uint16_t port = 0;
};
/// kInvalid says what was expected.
Result<SyslogUrl> parse_syslog_url(const std::string& url);

/// Carries syslog messages to a repository. Owned by one thread; blocking.
class SyslogTransport {
 public:
  virtual ~SyslogTransport() = default;
  /// All of them, in order. An error: none of them is certain to have arrived.
  virtual Result<void> send(std::span<const std::string> messages) = 0;
};

/// RFC 5426: a datagram each. What the network loses on its way is lost; that nobody listens is
/// only noticed where this machine or the other one says so (ICMP).
///
/// RFC 5425: a TLS connection (1.2 or later) for all messages of one call, each framed by its
/// number of octets. Syslog knows no answer, so the connection is closed from this side and its end
/// is waited for: a repository that ends its side in order has read everything, one that resets it
/// or is killed with octets unread has not. Its certificate must be signed by the CA and name the
/// host. kInvalid: a file that can not be used.
Result<std::unique_ptr<SyslogTransport>> open_syslog_transport(const SyslogSettings& settings);

}  // namespace dr::audit
