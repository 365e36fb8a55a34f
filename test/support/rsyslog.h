#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "test/support/process.h"
#include "test/support/temp_dir.h"

namespace dr::test {

/// A certificate authority and what it has signed, as PEM files "NAME.pem" and "NAME.key" in one
/// folder; its own is "ca".
class Authority {
 public:
  Authority();
  /// Signs a certificate for a host ("DNS:localhost,IP:127.0.0.1").
  void sign(const std::string& name, const std::string& subject_alt_name) const;
  std::string certificate(const std::string& name = "ca") const;
  std::string key(const std::string& name) const;

 private:
  TempDir folder_;
};

/// An audit record repository: a real rsyslogd (Debian's package) on a free loopback port, which
/// writes what it receives to a file, octet by octet, a line a message.
class Rsyslog {
 public:
  /// Over UDP; or over TLS with that certificate, and, where `clients` is set, only from those who
  /// have one of the same authority.
  Rsyslog() : Rsyslog(nullptr, {}, false) {}
  Rsyslog(const Authority* authority, std::string certificate, bool clients);

  std::uint16_t port() const { return port_; }
  /// Messages so far, in the order in which they came.
  std::vector<std::string> messages() const;
  /// The same once there are `count`, or 60 s later.
  std::vector<std::string> wait_for(std::size_t count) const;

  void stop() { process_->stop(); }
  /// Up again on the same port, with what it had received.
  void start();

 private:
  TempDir folder_;
  std::uint16_t port_;
  bool tls_;
  std::unique_ptr<Process> process_;
};

}  // namespace dr::test
