#include "router/audit/syslog_transport.h"

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <utility>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

namespace dr::audit {
namespace {

using std::chrono::milliseconds;

Error errno_error(const char* what, int code) {
  return {
      code == EAGAIN || code == ETIMEDOUT ? Errc::kTimeout : Errc::kIo,
      std::string("syslog: ") + what + ": " + (code == EAGAIN ? "no answer" : std::strerror(code))};
}

/// A socket that closes itself.
class Socket {
 public:
  explicit Socket(int fd = -1) : fd_(fd) {}
  ~Socket() {
    if (fd_ >= 0) ::close(fd_);
  }
  Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Socket& operator=(Socket&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  int fd() const { return fd_; }

 private:
  int fd_;
};

/// 0, or the errno.
int connect_within(int fd, const addrinfo& address, milliseconds patience) {
  const int flags = ::fcntl(fd, F_GETFL);
  ::fcntl(fd, F_SETFL, flags | O_NONBLOCK);
  if (::connect(fd, address.ai_addr, address.ai_addrlen) != 0) {
    if (errno != EINPROGRESS) return errno;
    pollfd ready{fd, POLLOUT, 0};
    if (::poll(&ready, 1, static_cast<int>(patience.count())) != 1) return ETIMEDOUT;
    int code = 0;
    socklen_t size = sizeof code;
    ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &size);
    if (code != 0) return code;
  }
  ::fcntl(fd, F_SETFL, flags);
  return 0;
}

Result<Socket> connect_to(const SyslogUrl& url, milliseconds patience) {
  addrinfo hints{};
  hints.ai_socktype = url.tls ? SOCK_STREAM : SOCK_DGRAM;
  addrinfo* raw = nullptr;
  const int code = ::getaddrinfo(url.host.c_str(), std::to_string(url.port).c_str(), &hints, &raw);
  if (code != 0) return Error{Errc::kIo, "syslog: " + url.host + ": " + ::gai_strerror(code)};
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> all(raw, &::freeaddrinfo);
  int why = EADDRNOTAVAIL;
  for (const addrinfo* address = all.get(); address != nullptr; address = address->ai_next) {
    Socket socket(::socket(address->ai_family, address->ai_socktype | SOCK_CLOEXEC, 0));
    if (socket.fd() < 0) {
      why = errno;
      continue;
    }
    why = connect_within(socket.fd(), *address, patience);
    if (why != 0) continue;
    const timeval limit{patience.count() / 1000, (patience.count() % 1000) * 1000};
    ::setsockopt(socket.fd(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    ::setsockopt(socket.fd(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    const int at_once = 1;  // else the end of the connection waits for a delayed acknowledgement
    if (url.tls) ::setsockopt(socket.fd(), IPPROTO_TCP, TCP_NODELAY, &at_once, sizeof at_once);
    return socket;
  }
  return errno_error("connect", why);
}

class UdpTransport final : public SyslogTransport {
 public:
  UdpTransport(SyslogUrl url, milliseconds patience) : url_(std::move(url)), patience_(patience) {}

  Result<void> send(std::span<const std::string> messages) override {
    auto socket = connect_to(url_, patience_);
    if (!socket) return std::move(socket).error();
    for (const std::string& message : messages) {
      if (::send(socket->fd(), message.data(), message.size(), MSG_NOSIGNAL) < 0) {
        return errno_error("send", errno);
      }
    }
    int code = 0;  // what came back for the last one
    socklen_t size = sizeof code;
    ::getsockopt(socket->fd(), SOL_SOCKET, SO_ERROR, &code, &size);
    return code == 0 ? Result<void>{} : errno_error("send", code);
  }

 private:
  const SyslogUrl url_;
  const milliseconds patience_;
};

using Context = std::unique_ptr<SSL_CTX, decltype(&::SSL_CTX_free)>;
using Session = std::unique_ptr<SSL, decltype(&::SSL_free)>;

std::string openssl_reason() {
  const unsigned long code = ::ERR_get_error();
  ::ERR_clear_error();
  const char* const reason = ::ERR_reason_error_string(code);
  return reason != nullptr ? reason : "no reason";
}

class TlsTransport final : public SyslogTransport {
 public:
  TlsTransport(SyslogUrl url, Context context, milliseconds patience)
      : url_(std::move(url)), context_(std::move(context)), patience_(patience) {}

  Result<void> send(std::span<const std::string> messages) override {
    auto socket = connect_to(url_, patience_);
    if (!socket) return std::move(socket).error();
    ::ERR_clear_error();
    const Session ssl(::SSL_new(context_.get()), &::SSL_free);
    if (!ssl || !name_peer(*ssl) || ::SSL_set_fd(ssl.get(), socket->fd()) != 1) {
      return Error{Errc::kIo, "syslog: TLS: " + openssl_reason()};
    }
    if (const int done = ::SSL_connect(ssl.get()); done != 1) {
      return failed(*ssl, done, "TLS handshake");
    }
    for (const std::string& message : messages) {
      const std::string frame = std::to_string(message.size()) + ' ' + message;  // RFC 5425, 4.3
      const int done = ::SSL_write(ssl.get(), frame.data(), static_cast<int>(frame.size()));
      if (done <= 0) return failed(*ssl, done, "send");
    }
    return end(*ssl, socket->fd());
  }

 private:
  /// Whose certificate is wanted: RFC 5425, 5.2, as RFC 6125 has it.
  bool name_peer(SSL& ssl) const {
    in6_addr unused{};
    const bool is_address = ::inet_pton(AF_INET, url_.host.c_str(), &unused) == 1 ||
                            ::inet_pton(AF_INET6, url_.host.c_str(), &unused) == 1;
    if (is_address) {
      return ::X509_VERIFY_PARAM_set1_ip_asc(::SSL_get0_param(&ssl), url_.host.c_str()) == 1;
    }
    return ::SSL_set1_host(&ssl, url_.host.c_str()) == 1 &&
           ::SSL_set_tlsext_host_name(&ssl, url_.host.c_str()) == 1;
  }

  /// close_notify, and no more octets after it; then the repository's end.
  static Result<void> end(SSL& ssl, int fd) {
    if (const int done = ::SSL_shutdown(&ssl); done < 0) return failed(ssl, done, "close");
    ::shutdown(fd, SHUT_WR);
    std::array<char, 512> ignored{};
    int done = 0;
    while ((done = ::SSL_read(&ssl, ignored.data(), static_cast<int>(ignored.size()))) > 0) {
    }
    if (::SSL_get_error(&ssl, done) == SSL_ERROR_ZERO_RETURN) return {};
    return failed(ssl, done, "the repository did not end the connection in order");
  }

  static Error failed(SSL& ssl, int returned, const char* what) {
    const int code = errno;
    const int kind = ::SSL_get_error(&ssl, returned);
    const long verified = ::SSL_get_verify_result(&ssl);
    if (verified != X509_V_OK) {
      ::ERR_clear_error();
      return {Errc::kRejected,
              std::string("syslog: certificate: ") + ::X509_verify_cert_error_string(verified)};
    }
    if (kind == SSL_ERROR_WANT_READ || kind == SSL_ERROR_WANT_WRITE) {
      return errno_error(what, EAGAIN);
    }
    if (kind == SSL_ERROR_SYSCALL && code != 0) return errno_error(what, code);
    return {Errc::kIo, std::string("syslog: ") + what + ": " +
                           (kind == SSL_ERROR_SSL ? openssl_reason() : "connection closed")};
  }

  const SyslogUrl url_;
  const Context context_;
  const milliseconds patience_;
};

Result<Context> make_context(const SyslogSettings& settings) {
  ::ERR_clear_error();
  Context context(::SSL_CTX_new(::TLS_client_method()), &::SSL_CTX_free);
  const auto wrong = [](const std::string& what) {
    return Error{Errc::kInvalid, "syslog: " + what + ": " + openssl_reason()};
  };
  if (!context || ::SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION) != 1) {
    return wrong("TLS");
  }
  ::SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  // Many repositories end without a close_notify of their own; a reset is an error all the same.
  ::SSL_CTX_set_options(context.get(), SSL_OP_IGNORE_UNEXPECTED_EOF);
  const bool trusts = settings.ca.empty()
                          ? ::SSL_CTX_set_default_verify_paths(context.get()) == 1
                          : ::SSL_CTX_load_verify_file(context.get(), settings.ca.c_str()) == 1;
  if (!trusts) return wrong("ca " + settings.ca);
  if (!settings.certificate.empty()) {
    if (::SSL_CTX_use_certificate_chain_file(context.get(), settings.certificate.c_str()) != 1) {
      return wrong("certificate " + settings.certificate);
    }
    if (::SSL_CTX_use_PrivateKey_file(context.get(), settings.key.c_str(), SSL_FILETYPE_PEM) != 1) {
      return wrong("key " + settings.key);
    }
  }
  return context;
}

}  // namespace

Result<SyslogUrl> parse_syslog_url(const std::string& url) {
  const Error wrong{Errc::kInvalid, "expected tls://HOST[:PORT] or udp://HOST[:PORT]"};
  SyslogUrl parsed;
  parsed.tls = url.starts_with("tls://");
  if (!parsed.tls && !url.starts_with("udp://")) return wrong;
  parsed.port = parsed.tls ? 6514 : 514;
  std::string_view rest = std::string_view(url).substr(6);
  const bool bracketed = rest.starts_with('[');
  const std::size_t end = bracketed ? rest.find(']') : rest.find(':');
  if (bracketed && end == std::string_view::npos) return wrong;
  parsed.host = rest.substr(bracketed ? 1 : 0, bracketed ? end - 1 : end);
  rest = end == std::string_view::npos ? "" : rest.substr(bracketed ? end + 1 : end);
  if (parsed.host.empty() || parsed.host.find_first_of("/@? \t") != std::string::npos) return wrong;
  if (rest.empty()) return parsed;
  const auto [last, error] =
      std::from_chars(rest.data() + 1, rest.data() + rest.size(), parsed.port);
  if (rest.front() != ':' || error != std::errc() || last != rest.data() + rest.size() ||
      parsed.port == 0) {
    return wrong;
  }
  return parsed;
}

Result<std::unique_ptr<SyslogTransport>> open_syslog_transport(const SyslogSettings& settings) {
  auto url = parse_syslog_url(settings.url);
  if (!url) return std::move(url).error();
  if (!url->tls) {
    return std::unique_ptr<SyslogTransport>(
        std::make_unique<UdpTransport>(*std::move(url), settings.patience));
  }
  auto context = make_context(settings);
  if (!context) return std::move(context).error();
  return std::unique_ptr<SyslogTransport>(
      std::make_unique<TlsTransport>(*std::move(url), *std::move(context), settings.patience));
}

}  // namespace dr::audit
