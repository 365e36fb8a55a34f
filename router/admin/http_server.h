#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "dimse/base/result.h"
#include "router/admin/api.h"
#include "router/admin/settings.h"

namespace dr::admin {

/// How long a client may take, and how much it may send.
struct HttpLimits {
  std::chrono::milliseconds head{10'000};  // for a request's head, idle time before it included
  std::chrono::milliseconds body{10'000};  // for the body, then again for the answer
  std::size_t head_octets = 16U << 10;
  std::size_t body_octets = 1U << 20;
  std::chrono::milliseconds object{300'000};  // for a body that is a DICOM object
  std::size_t connections = 64;               // at once; the one that waits longest gives way
  std::size_t workers = 4;
};

/// The admin interface over HTTP/1.1: who may ask, then Api. A head is read without a thread, so
/// slow clients hold none; answers are made on a few workers.
///
/// With tokens, each path but /healthz and /readyz needs one with the role "read" (/metrics not
/// from loopback, or not at all with `metrics_public`). Without tokens the Host header must name
/// this host's loopback and a foreign Origin is refused: a page in the operator's browser must not
/// reach the node by DNS rebinding.
class HttpServer {
 public:
  /// A login that failed: the peer's address, and what was wrong. Called on a worker.
  using LoginFailed = std::function<void(const std::string& peer, const std::string& detail)>;

  /// Binds and listens; kIo with address:port when that fails. Nobody is answered before start().
  static Result<std::unique_ptr<HttpServer>> open(Settings settings, Api& api,
                                                  LoginFailed login_failed, HttpLimits limits = {});
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  std::uint16_t port() const;
  void start();
  /// Ends all connections, waits for the requests that are being answered. Twice is once.
  void stop();

 private:
  class Impl;
  explicit HttpServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace dr::admin
