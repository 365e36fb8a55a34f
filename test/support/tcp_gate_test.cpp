#include "test/support/tcp_gate.h"

#include <cerrno>
#include <string>
#include <thread>

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "test/support/port.h"

namespace dr::test {
namespace {

using std::chrono::milliseconds;

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

/// A blocking connection; reads give up after 30 s, so that a failing test ends.
class Client {
 public:
  explicit Client(std::uint16_t port) : fd_(socket(AF_INET, SOCK_STREAM, 0)) {
    const timeval most{30, 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof most);
    const auto address = loopback(port);
    connected_ = connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }
  ~Client() { close(fd_); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  bool connected() const { return connected_; }
  void write(const std::string& text) {
    ASSERT_EQ(send(fd_, text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
  }
  std::string read(std::size_t size) {
    std::string text(size, '\0');
    const auto n = recv(fd_, text.data(), size, MSG_WAITALL);
    text.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
    return text;
  }
  /// 0 at an orderly end, ECONNRESET after a reset, -1 when something came.
  int end() {
    char c = 0;
    const auto n = recv(fd_, &c, 1, 0);
    return n < 0 ? errno : n == 0 ? 0 : -1;
  }
  bool readable_within(milliseconds most) {
    pollfd p{fd_, POLLIN, 0};
    return poll(&p, 1, static_cast<int>(most.count())) > 0;
  }
  void finish() { shutdown(fd_, SHUT_WR); }

 private:
  int fd_;
  bool connected_ = false;
};

/// Sends back all that it gets, one connection after the other.
class EchoServer {
 public:
  EchoServer() : listener_(socket(AF_INET, SOCK_STREAM, 0)) {
    auto address = loopback(0);
    socklen_t length = sizeof address;
    EXPECT_EQ(bind(listener_, reinterpret_cast<sockaddr*>(&address), length), 0);
    getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &length);
    port_ = ntohs(address.sin_port);
    listen(listener_, 16);
    thread_ = std::thread([this] {
      for (int fd; (fd = accept(listener_, nullptr, nullptr)) >= 0; close(fd)) {
        char buffer[4096];
        for (ssize_t n; (n = recv(fd, buffer, sizeof buffer, 0)) > 0;) {
          if (send(fd, buffer, static_cast<std::size_t>(n), MSG_NOSIGNAL) != n) break;
        }
      }
    });
  }
  ~EchoServer() {
    shutdown(listener_, SHUT_RDWR);
    thread_.join();
    close(listener_);
  }
  EchoServer(const EchoServer&) = delete;
  EchoServer& operator=(const EchoServer&) = delete;

  std::uint16_t port() const { return port_; }

 private:
  int listener_;
  std::uint16_t port_ = 0;
  std::thread thread_;
};

TEST(TcpGate, PassesBothWaysAndCounts) {
  const EchoServer server;
  const TcpGate gate(server.port());
  Client client(gate.port());
  ASSERT_TRUE(client.connected());
  const std::string big(300000, 'x');
  std::thread writer([&] { client.write(big); });
  EXPECT_EQ(client.read(big.size()), big);
  writer.join();
  client.finish();
  EXPECT_EQ(client.end(), 0);
  EXPECT_EQ(gate.connections(), 1U);
  EXPECT_EQ(gate.octets_to_server(), big.size());
  EXPECT_EQ(gate.octets_to_client(), big.size());
}

TEST(TcpGate, RefusesThenTakesConnectionsAgainOnTheSamePort) {
  const EchoServer server;
  TcpGate gate(server.port());
  {
    Client open(gate.port());
    open.write("a");
    EXPECT_EQ(open.read(1), "a");
    gate.refuse();
    EXPECT_EQ(open.end(), ECONNRESET);
  }
  EXPECT_FALSE(is_listening(gate.port()));
  EXPECT_FALSE(Client(gate.port()).connected());
  gate.open();
  Client again(gate.port());
  ASSERT_TRUE(again.connected());
  again.write("b");
  EXPECT_EQ(again.read(1), "b");
}

TEST(TcpGate, HoldsWhatComesAndPassesItWhenOpened) {
  const EchoServer server;
  TcpGate gate(server.port());
  Client client(gate.port());
  client.write("1");
  ASSERT_EQ(client.read(1), "1");
  gate.hold();
  client.write("23");
  EXPECT_FALSE(client.readable_within(milliseconds(50)));
  gate.open();
  EXPECT_EQ(client.read(2), "23");
}

TEST(TcpGate, DelaysEachPiece) {
  const EchoServer server;
  TcpGate gate(server.port());
  gate.delay(milliseconds(40));
  Client client(gate.port());
  const auto start = std::chrono::steady_clock::now();
  client.write("x");
  EXPECT_EQ(client.read(1), "x");
  EXPECT_GE(std::chrono::steady_clock::now() - start, milliseconds(80));  // there and back
}

TEST(TcpGate, SlicesWithoutLosingAnything) {
  const EchoServer server;
  TcpGate gate(server.port());
  gate.slice(1);
  Client client(gate.port());
  client.write("0123456789");
  EXPECT_EQ(client.read(10), "0123456789");
}

TEST(TcpGate, CutsAfterExactlySoManyOctets) {
  const EchoServer server;
  TcpGate gate(server.port());
  gate.cut_after(5);
  Client client(gate.port());
  client.write("0123456789");
  while (client.end() == -1) {  // what the server echoed before
  }
  EXPECT_EQ(gate.octets_to_server(), 5U);
  gate.open();
  Client again(gate.port());
  again.write("0123456789");
  EXPECT_EQ(again.read(10), "0123456789");
}

TEST(TcpGate, LooksLikeADeadServerWhenTheServerIsDead) {
  const TcpGate gate(free_port());
  Client client(gate.port());
  EXPECT_EQ(client.end(), ECONNRESET);
}

}  // namespace
}  // namespace dr::test
