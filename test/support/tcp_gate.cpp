#include "test/support/tcp_gate.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>
#include <list>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

namespace dr::test {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::size_t kNoLimit = std::numeric_limits<std::size_t>::max();

/// A descriptor that is closed with its owner.
class Fd {
 public:
  explicit Fd(int fd = -1) : fd_(fd) {}
  ~Fd() { reset(); }
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  int get() const { return fd_; }
  void reset() {
    if (fd_ >= 0) close(std::exchange(fd_, -1));
  }
  /// Closes so that the peer gets a reset, not an orderly end.
  void abort() {
    const linger now{1, 0};
    if (fd_ >= 0) setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    reset();
  }

 private:
  int fd_;
};

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

Fd tcp_socket() {
  Fd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (fd.get() < 0) throw std::system_error(errno, std::generic_category(), "socket");
  const int on = 1;
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  return fd;
}

void prepare(int fd) {
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

/// Port 0: the kernel chooses.
Fd listen_on(std::uint16_t port) {
  Fd fd = tcp_socket();
  const sockaddr_in address = loopback(port);
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      listen(fd.get(), 128) != 0) {
    throw std::system_error(errno, std::generic_category(), "listen");
  }
  fcntl(fd.get(), F_SETFL, O_NONBLOCK);
  return fd;
}

/// What the test has asked for.
struct Settings {
  bool refuse = false;
  bool hold = false;
  std::chrono::milliseconds delay{0};
  std::size_t slice = kNoLimit;
  std::size_t cut_after = kNoLimit;
};

/// One direction of a connection: at most one piece is under way, so a slow reader holds the
/// writer.
struct Pipe {
  std::array<char, 65536> buffer{};
  std::size_t begin = 0;
  std::size_t end = 0;
  Clock::time_point due;
  bool ended = false;       // the source has no more
  bool end_passed = false;  // and the sink knows
  std::uint64_t passed = 0;

  bool empty() const { return begin == end; }
};

struct Connection {
  Fd client;
  Fd server;
  Pipe up;    // client to server
  Pipe down;  // server to client
  bool broken = false;

  bool finished() const { return broken || (up.end_passed && down.end_passed); }
};

void read_into(Pipe& pipe, int from, const Settings& settings, bool& broken) {
  const auto n = read(from, pipe.buffer.data(), pipe.buffer.size());
  if (n < 0) {
    broken = errno != EAGAIN && errno != EINTR;
    return;
  }
  pipe.begin = 0;
  pipe.end = static_cast<std::size_t>(n);
  pipe.ended = n == 0;
  pipe.due = Clock::now() + settings.delay;
}

void write_from(Pipe& pipe, int to, const Settings& settings, std::size_t most, bool& broken) {
  const std::size_t size = std::min({pipe.end - pipe.begin, settings.slice, most});
  if (size == 0) return;
  const auto n = send(to, pipe.buffer.data() + pipe.begin, size, MSG_NOSIGNAL);
  if (n < 0) {
    broken = errno != EAGAIN && errno != EINTR;
    return;
  }
  pipe.begin += static_cast<std::size_t>(n);
  pipe.passed += static_cast<std::uint64_t>(n);
  if (!pipe.empty()) pipe.due = Clock::now() + settings.delay;
}

}  // namespace

class TcpGate::Loop {
 public:
  explicit Loop(std::uint16_t server_port)
      : server_port_(server_port), listener_(listen_on(0)), wake_(eventfd(0, EFD_CLOEXEC)) {
    sockaddr_in address{};
    socklen_t length = sizeof address;
    getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &length);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { run(); });
  }

  ~Loop() {
    change([this] { stopping_ = true; });
    thread_.join();
  }

  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  std::uint16_t port() const { return port_; }

  /// Makes a change under the lock and has the thread look at it.
  template <class F>
  void change(F f) {
    {
      const std::lock_guard lock(mutex_);
      f();
    }
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto n = write(wake_.get(), &one, sizeof one);
  }

  void set_refused(bool refused) {
    change([this, refused] {
      settings_.refuse = refused;
      // Here and not in the thread: when the caller goes on, it holds.
      if (refused) {
        listener_.reset();
        for (auto& c : connections_) c.broken = true;
      } else if (listener_.get() < 0) {
        listener_ = listen_on(port_);
      }
    });
  }

  template <class F>
  auto read_state(F f) const {
    const std::lock_guard lock(mutex_);
    return f(*this);
  }

  Settings settings_;
  std::size_t taken_ = 0;
  std::uint64_t to_server_ = 0;
  std::uint64_t to_client_ = 0;

 private:
  void run() {
    std::vector<pollfd> fds;
    while (true) {
      int timeout = -1;
      {
        const std::lock_guard lock(mutex_);
        if (stopping_) return;
        drop_finished();
        timeout = interests(fds);
      }
      // No lock while waiting; a descriptor that set_refused() closes meanwhile wakes us below.
      if (poll(fds.data(), fds.size(), timeout) < 0 && errno != EINTR) return;
      const std::lock_guard lock(mutex_);
      if ((fds[0].revents & POLLIN) != 0) {
        std::uint64_t count = 0;
        [[maybe_unused]] const auto n = read(wake_.get(), &count, sizeof count);
      }
      if (!settings_.refuse) accept_all();
      for (auto& c : connections_) serve(c);
    }
  }

  void drop_finished() {
    connections_.remove_if([this](Connection& c) {
      if (!c.finished()) return false;
      to_server_ += c.up.passed;
      to_client_ += c.down.passed;
      if (c.broken) {
        c.client.abort();
        c.server.abort();
      }
      return true;
    });
  }

  /// Which descriptors to wait for, and how long (ms; -1: for ever).
  int interests(std::vector<pollfd>& fds) const {
    fds.assign(1, {wake_.get(), POLLIN, 0});
    if (listener_.get() >= 0) fds.push_back({listener_.get(), POLLIN, 0});
    int timeout = -1;
    if (settings_.hold) return timeout;
    const auto now = Clock::now();
    for (const auto& c : connections_) {
      const auto want = [&](const Pipe& pipe, const Fd& from, const Fd& to) {
        if (pipe.empty() && !pipe.ended) {
          fds.push_back({from.get(), POLLIN, 0});
        } else if (!pipe.end_passed && pipe.due <= now) {
          fds.push_back({to.get(), POLLOUT, 0});
        } else if (!pipe.end_passed) {
          const auto left = std::chrono::ceil<std::chrono::milliseconds>(pipe.due - now).count();
          timeout =
              timeout < 0 ? static_cast<int>(left) : std::min(timeout, static_cast<int>(left));
        }
      };
      want(c.up, c.client, c.server);
      want(c.down, c.server, c.client);
    }
    return timeout;
  }

  void accept_all() {
    while (true) {
      Fd client(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (client.get() < 0) return;
      ++taken_;
      Fd server = tcp_socket();
      const sockaddr_in address = loopback(server_port_);
      // On loopback this is decided at once; a dead server looks to the client like a dead gate.
      if (connect(server.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        client.abort();
        continue;
      }
      prepare(client.get());
      prepare(server.get());
      auto& c = connections_.emplace_back();
      c.client = std::move(client);
      c.server = std::move(server);
    }
  }

  void serve(Connection& c) {
    if (settings_.hold || c.broken) return;
    move(c, c.up, c.client, c.server, settings_.cut_after);
    if (!c.broken) move(c, c.down, c.server, c.client, kNoLimit);
  }

  void move(Connection& c, Pipe& pipe, const Fd& from, const Fd& to, std::size_t cut) {
    if (pipe.empty() && !pipe.ended) read_into(pipe, from.get(), settings_, c.broken);
    if (c.broken || pipe.due > Clock::now()) return;
    if (!pipe.empty()) {
      const std::size_t most = cut > pipe.passed ? cut - static_cast<std::size_t>(pipe.passed) : 0;
      write_from(pipe, to.get(), settings_, most, c.broken);
      c.broken = c.broken || pipe.passed >= cut;
    } else if (pipe.ended && !pipe.end_passed) {
      shutdown(to.get(), SHUT_WR);
      pipe.end_passed = true;
    }
  }

  friend class TcpGate;
  const std::uint16_t server_port_;
  std::uint16_t port_ = 0;
  mutable std::mutex mutex_;
  bool stopping_ = false;
  std::list<Connection> connections_;
  Fd listener_;
  Fd wake_;
  std::thread thread_;
};

TcpGate::TcpGate(std::uint16_t server_port) : loop_(std::make_unique<Loop>(server_port)) {}
TcpGate::~TcpGate() = default;

std::uint16_t TcpGate::port() const { return loop_->port(); }

void TcpGate::refuse() { loop_->set_refused(true); }

void TcpGate::hold() {
  loop_->change([this] { loop_->settings_.hold = true; });
}

void TcpGate::open() {
  loop_->set_refused(false);
  loop_->change([this] { loop_->settings_ = Settings{}; });
}

void TcpGate::delay(std::chrono::milliseconds each) {
  loop_->change([this, each] { loop_->settings_.delay = each; });
}

void TcpGate::slice(std::size_t octets) {
  loop_->change([this, octets] { loop_->settings_.slice = std::max<std::size_t>(octets, 1); });
}

void TcpGate::cut_after(std::size_t octets) {
  loop_->change([this, octets] { loop_->settings_.cut_after = octets; });
}

std::size_t TcpGate::connections() const {
  return loop_->read_state([](const Loop& l) { return l.taken_; });
}

std::uint64_t TcpGate::octets_to_server() const {
  return loop_->read_state([](const Loop& l) {
    std::uint64_t sum = l.to_server_;
    for (const auto& c : l.connections_) sum += c.up.passed;
    return sum;
  });
}

std::uint64_t TcpGate::octets_to_client() const {
  return loop_->read_state([](const Loop& l) {
    std::uint64_t sum = l.to_client_;
    for (const auto& c : l.connections_) sum += c.down.passed;
    return sum;
  });
}

}  // namespace dr::test
