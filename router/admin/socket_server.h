#pragma once

#include <chrono>
#include <filesystem>
#include <memory>

#include "dimse/base/result.h"
#include "router/admin/api.h"

namespace dr::admin {

struct SocketLimits {
  std::size_t line_octets = 1U << 20;
  std::chrono::milliseconds idle{30'000};
  std::size_t connections = 16;
};

/// The admin interface for the command line, on a local socket that only this user can open (0600).
/// A request is one line, {"method", "path", "query", "body"}; so is the answer, {"status",
/// "content_type", "body"}. The peer's user name becomes Request::operator_name (SO_PEERCRED).
class SocketServer {
 public:
  /// Binds and listens. A socket file on which nobody answers is replaced; kConflict: another
  /// process answers there; kInvalid: something else than a socket stands there. The folder's path
  /// may be of any length, the file's name may have 80 characters.
  static Result<std::unique_ptr<SocketServer>> open(const std::filesystem::path& socket, Api& api,
                                                    SocketLimits limits = {});
  ~SocketServer();
  SocketServer(const SocketServer&) = delete;
  SocketServer& operator=(const SocketServer&) = delete;

  void start();
  /// Ends all connections and removes the socket file. Twice is once.
  void stop();

 private:
  class Impl;
  explicit SocketServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// Asks the node that listens on `socket`. kNotFound: no node runs there (no file, or nobody
/// listens); kClosed: it went away before it answered; kTimeout: no answer within `most`.
Result<Response> ask(const std::filesystem::path& socket, const Request& request,
                     std::chrono::milliseconds most);

}  // namespace dr::admin
