#include "router/admin/http_server.h"

#include <algorithm>
#include <list>
#include <thread>
#include <utility>

#include <asio/buffer.hpp>
#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/post.hpp>
#include <asio/read_until.hpp>
#include <asio/steady_timer.hpp>
#include <asio/thread_pool.hpp>
#include <fcntl.h>
#include <sys/socket.h>

#include "dimse/base/log.h"
#include "router/admin/http_exchange.h"
#include "router/admin/http_gate.h"
#include "router/admin/http_head.h"
#include "router/admin/http_stream.h"

namespace dr::admin {
namespace {

using asio::ip::tcp;

constexpr std::chrono::milliseconds kAcceptPause{100};
constexpr std::chrono::milliseconds kLinger{1'000};

/// Owned by the I/O thread, but for the time that a worker answers on it.
struct Connection {
  explicit Connection(tcp::socket s) : socket(std::move(s)), timer(socket.get_executor()) {}
  tcp::socket socket;
  asio::steady_timer timer;
  std::string peer;
  std::string buffer;
  bool answering = false;
};
using ConnectionPtr = std::shared_ptr<Connection>;

/// Workers of the node are other programs: they inherit no socket.
void keep_from_children(int fd) { fcntl(fd, F_SETFD, FD_CLOEXEC); }

}  // namespace

class HttpServer::Impl {
 public:
  Impl(Settings settings, Api& api, LoginFailed login_failed, HttpLimits limits)
      : settings_(settings),
        api_(api),
        limits_(limits),
        gate_(std::move(settings), std::move(login_failed)) {}
  ~Impl() { stop(); }

  Result<void> listen();
  std::uint16_t port() const { return port_; }
  void start();
  void stop();

 private:
  void accept();
  void accepted(tcp::socket socket);
  bool make_room();
  void wait_for_head(const ConnectionPtr& connection);
  void head_read(const ConnectionPtr& connection, const asio::error_code& failed,
                 std::size_t octets);
  /// On a worker.
  void answer(const ConnectionPtr& connection, std::size_t head_octets);
  void answered(const ConnectionPtr& connection, bool keep, std::string rest);
  void finish(const ConnectionPtr& connection);
  void drain(const ConnectionPtr& connection);
  void drop(const ConnectionPtr& connection);

  const Settings settings_;
  Api& api_;
  const HttpLimits limits_;
  HttpGate gate_;
  std::uint16_t port_ = 0;
  asio::io_context io_{1};
  asio::executor_work_guard<asio::io_context::executor_type> work_{io_.get_executor()};
  tcp::acceptor acceptor_{io_};
  asio::steady_timer accept_pause_{io_};
  std::list<ConnectionPtr> connections_;  // the one that waits longest first
  bool stopping_ = false;                 // I/O thread only
  std::unique_ptr<asio::thread_pool> workers_;
  std::thread thread_;
};

Result<void> HttpServer::Impl::listen() {
  const auto where = settings_.address + ":" + std::to_string(settings_.port);
  asio::error_code failed;
  const auto address = asio::ip::make_address(settings_.address, failed);
  if (failed) return Error{Errc::kInvalid, "admin address=" + where + " is not numeric"};
  const tcp::endpoint endpoint(address, settings_.port);
  acceptor_.open(endpoint.protocol(), failed);
  if (!failed) keep_from_children(acceptor_.native_handle());
  if (!failed) acceptor_.set_option(tcp::acceptor::reuse_address(true), failed);
  if (!failed) acceptor_.bind(endpoint, failed);
  if (!failed) acceptor_.listen(asio::socket_base::max_listen_connections, failed);
  if (!failed) port_ = acceptor_.local_endpoint(failed).port();
  if (failed) return Error{Errc::kIo, "admin cannot listen on " + where + ": " + failed.message()};
  gate_.set_port(port_);
  return {};
}

void HttpServer::Impl::start() {
  workers_ = std::make_unique<asio::thread_pool>(limits_.workers);
  accept();
  thread_ = std::thread([this] { io_.run(); });
}

void HttpServer::Impl::stop() {
  if (!thread_.joinable()) return;
  asio::post(io_, [this] {
    stopping_ = true;
    asio::error_code ignored;
    acceptor_.close(ignored);
    accept_pause_.cancel();
    const auto open = connections_;
    for (const auto& connection : open) {
      // A worker's socket is only shut down, so that its number is not used again under it.
      if (connection->answering) {
        ::shutdown(connection->socket.native_handle(), SHUT_RD);
      } else {
        drop(connection);
      }
    }
  });
  // What the workers post back is still run; only then does the I/O thread end.
  workers_->join();
  asio::post(io_, [this] { work_.reset(); });
  thread_.join();
}

void HttpServer::Impl::accept() {
  acceptor_.async_accept([this](const asio::error_code& failed, tcp::socket socket) {
    if (stopping_) return;
    if (!failed) {
      accepted(std::move(socket));
      accept();
      return;
    }
    // Out of descriptors, or a client that went away in the queue: neither ends the service.
    accept_pause_.expires_after(kAcceptPause);
    accept_pause_.async_wait([this](const asio::error_code& cancelled) {
      if (!cancelled && !stopping_) accept();
    });
  });
}

void HttpServer::Impl::accepted(tcp::socket socket) {
  keep_from_children(socket.native_handle());
  asio::error_code failed;
  const auto peer = socket.remote_endpoint(failed);
  if (failed || !make_room()) return;
  socket.set_option(tcp::no_delay(true), failed);
  auto connection = std::make_shared<Connection>(std::move(socket));
  connection->peer = peer.address().to_string();
  connections_.push_back(connection);
  wait_for_head(connection);
}

/// Whoever keeps connections open without asking makes place for those who ask.
bool HttpServer::Impl::make_room() {
  if (connections_.size() < limits_.connections) return true;
  const auto waiting = std::ranges::find(connections_, false, &Connection::answering);
  if (waiting == connections_.end()) return false;
  drop(ConnectionPtr(*waiting));
  return true;
}

void HttpServer::Impl::wait_for_head(const ConnectionPtr& connection) {
  connection->timer.expires_after(limits_.head);
  connection->timer.async_wait([this, connection](const asio::error_code& cancelled) {
    if (!cancelled && !connection->answering) drop(connection);
  });
  asio::async_read_until(connection->socket,
                         asio::dynamic_buffer(connection->buffer, limits_.head_octets), "\r\n\r\n",
                         [this, connection](const asio::error_code& failed, std::size_t octets) {
                           head_read(connection, failed, octets);
                         });
}

void HttpServer::Impl::head_read(const ConnectionPtr& connection, const asio::error_code& failed,
                                 std::size_t octets) {
  connection->timer.cancel();
  if (!connection->socket.is_open()) return;
  if (!failed) {
    connection->answering = true;
    asio::post(*workers_, [this, connection, octets] { answer(connection, octets); });
    return;
  }
  if (failed != asio::error::not_found) return drop(connection);
  const auto refusal = closing_response(
      431, "Request Header Fields Too Large",
      "the head of a request may have " + std::to_string(limits_.head_octets) + " octets");
  asio::error_code ignored;
  connection->socket.write_some(asio::buffer(refusal), ignored);
  finish(connection);
}

void HttpServer::Impl::answer(const ConnectionPtr& connection, std::size_t head_octets) {
  const int fd = connection->socket.native_handle();
  hide_ranges(connection->buffer, head_octets);
  const std::string text = connection->buffer.substr(0, head_octets);
  const auto head = HttpHead::parse(text);
  const bool object = head && HttpExchange::brings_object(*head);
  const std::uint64_t most =
      object ? Api::most_object_octets("/api/v1/explain") : limits_.body_octets;
  HttpStream stream(fd, connection->buffer, head_octets + most,
                    object ? limits_.object : limits_.body);
  bool keep = false;
  if (head) {
    HttpExchange exchange(gate_, api_, *head, connection->peer, most);
    keep = exchange.run(stream);
  } else {
    const auto refusal = closing_response(400, "Bad Request", head.error().to_string());
    stream.httplib::Stream::write(refusal);
  }
  asio::post(io_, [this, connection, keep, rest = stream.rest()]() mutable {
    answered(connection, keep, std::move(rest));
  });
}

void HttpServer::Impl::answered(const ConnectionPtr& connection, bool keep, std::string rest) {
  connection->answering = false;
  if (stopping_) return drop(connection);
  if (!keep) return finish(connection);
  connection->buffer = std::move(rest);
  // It has just asked: others have waited longer.
  const auto at = std::ranges::find(connections_, connection);
  connections_.splice(connections_.end(), connections_, at);
  wait_for_head(connection);
}

/// Closing with unread octets would reset the connection and take the answer along: what still
/// comes is thrown away for a moment.
void HttpServer::Impl::finish(const ConnectionPtr& connection) {
  asio::error_code failed;
  connection->socket.shutdown(tcp::socket::shutdown_send, failed);
  if (failed) return drop(connection);
  connection->timer.expires_after(kLinger);
  connection->timer.async_wait([this, connection](const asio::error_code& cancelled) {
    if (!cancelled) drop(connection);
  });
  drain(connection);
}

void HttpServer::Impl::drain(const ConnectionPtr& connection) {
  connection->buffer.resize(limits_.head_octets);
  connection->socket.async_read_some(
      asio::buffer(connection->buffer),
      [this, connection](const asio::error_code& failed, std::size_t) {
        if (failed) {
          drop(connection);
        } else {
          drain(connection);
        }
      });
}

void HttpServer::Impl::drop(const ConnectionPtr& connection) {
  asio::error_code ignored;
  connection->timer.cancel();
  connection->socket.close(ignored);
  connections_.remove(ConnectionPtr(connection));
}

Result<std::unique_ptr<HttpServer>> HttpServer::open(Settings settings, Api& api,
                                                     LoginFailed login_failed, HttpLimits limits) {
  auto impl = std::make_unique<Impl>(std::move(settings), api, std::move(login_failed), limits);
  if (auto listening = impl->listen(); !listening) return listening.error();
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(impl)));
}

HttpServer::HttpServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
HttpServer::~HttpServer() = default;
std::uint16_t HttpServer::port() const { return impl_->port(); }
void HttpServer::start() { impl_->start(); }
void HttpServer::stop() { impl_->stop(); }

}  // namespace dr::admin
