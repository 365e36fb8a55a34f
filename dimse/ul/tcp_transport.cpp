#include <array>

#include <asio/error.hpp>
#include <asio/experimental/as_tuple.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/write.hpp>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "dimse/ul/transport.h"

namespace dr::ul {
namespace {

constexpr auto kUse = asio::experimental::as_tuple(asio::use_awaitable);
constexpr std::size_t kSmallWrite = 1024;
constexpr unsigned kAtOnce = 16;  // reads

Error network_error(std::string_view what, const std::error_code& ec) {
  if (ec == asio::error::eof) return {Errc::kClosed, std::string(what) + ": end of stream"};
  if (ec == asio::error::operation_aborted || ec == asio::error::bad_descriptor) {
    return {Errc::kCancelled, std::string(what)};
  }
  const bool gone = ec == asio::error::connection_reset || ec == asio::error::broken_pipe;
  return {gone ? Errc::kClosed : Errc::kIo, std::string(what) + ": " + ec.message()};
}

class TcpTransport final : public Transport {
 public:
  TcpTransport(asio::ip::tcp::socket socket, PeerAddress peer)
      : socket_(std::move(socket)), peer_(std::move(peer)) {}

  asio::any_io_executor executor() override { return socket_.get_executor(); }
  const PeerAddress& peer() const override { return peer_; }

  asio::awaitable<Result<std::size_t>> read_some(
      std::span<const asio::mutable_buffer> into) override {
    // What is there already costs one system call and no turn of the event loop; but others have
    // their turn, too.
    if (++at_once_ < kAtOnce) {
      std::error_code ec;
      const std::size_t n = socket_.read_some(into, ec);
      if (!ec) co_return n;
      if (ec != asio::error::would_block) co_return network_error("read", ec);
    }
    at_once_ = 0;
    const auto [ec, n] = co_await socket_.async_read_some(into, kUse);
    if (ec) co_return network_error("read", ec);
    co_return n;
  }

  asio::awaitable<Result<void>> write(std::span<const asio::const_buffer> parts) override {
    if (asio::buffer_size(parts) <= kSmallWrite) co_return co_await write_small(parts);
    const auto [ec, n] = co_await asio::async_write(socket_, parts, kUse);
    if (ec) co_return network_error("write", ec);
    co_return Result<void>();
  }

  void quick_ack() noexcept override {
    const int on = 1;
    (void)setsockopt(socket_.native_handle(), IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
  }

  void cancel() noexcept override {
    std::error_code ignored;
    socket_.cancel(ignored);
  }
  void close() noexcept override {
    std::error_code ignored;
    socket_.close(ignored);
  }

 private:
  // A response nearly always finds room: then it costs one system call and no turn of the event
  // loop, which would be a third of the cost of a small object.
  asio::awaitable<Result<void>> write_small(std::span<const asio::const_buffer> parts) {
    std::error_code ec;
    const std::size_t sent = socket_.write_some(parts, ec);
    if (ec && ec != asio::error::would_block) co_return network_error("write", ec);
    if (sent == asio::buffer_size(parts)) co_return Result<void>();
    std::array<std::byte, kSmallWrite> rest;
    const std::size_t all = asio::buffer_copy(asio::buffer(rest), parts);
    const auto [late, n] =
        co_await asio::async_write(socket_, asio::buffer(rest.data() + sent, all - sent), kUse);
    if (late) co_return network_error("write", late);
    co_return Result<void>();
  }

  asio::ip::tcp::socket socket_;
  PeerAddress peer_;
  unsigned at_once_ = 0;  // reads since the event loop had its last turn
};

}  // namespace

Result<std::unique_ptr<Transport>> make_tcp_transport(asio::ip::tcp::socket socket) {
  std::error_code ec;
  const auto remote = socket.remote_endpoint(ec);
  if (ec) return network_error("peer address", ec);
  socket.set_option(asio::ip::tcp::no_delay(true), ec);
  if (ec) return network_error("TCP_NODELAY", ec);
  socket.non_blocking(true, ec);
  if (ec) return network_error("non-blocking", ec);
  // A peer that came over IPv6 to a dual-stack port with an IPv4 address is named by the latter:
  // that is how rules and access lists know it.
  auto address = remote.address();
  if (address.is_v6() && address.to_v6().is_v4_mapped()) {
    address = asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6());
  }
  return std::unique_ptr<Transport>(std::make_unique<TcpTransport>(
      std::move(socket), PeerAddress{address.to_string(), remote.port()}));
}

}  // namespace dr::ul
