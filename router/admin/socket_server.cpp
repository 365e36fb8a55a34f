#include "router/admin/socket_server.h"

#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <poll.h>
#include <pwd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace dr::admin {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

Error system_error(const std::string& what) {
  return {Errc::kIo, what + ": " + std::generic_category().message(errno)};
}

/// A socket's address. sun_path has room for 108 octets and a spool may lie deeper: the folder is
/// opened, and the address leads through its descriptor.
struct Address {
  Descriptor folder;
  sockaddr_un name{};
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&name); }
};

Result<Address> address_of(const std::filesystem::path& socket) {
  Address address;
  const auto parent = socket.has_parent_path() ? socket.parent_path() : ".";
  address.folder = Descriptor(::open(parent.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (address.folder.get() < 0) return system_error("open " + parent.string());
  const std::string path =
      "/proc/self/fd/" + std::to_string(address.folder.get()) + "/" + socket.filename().string();
  if (path.size() >= sizeof address.name.sun_path) {
    return Error{Errc::kInvalid, "the name of " + socket.string() + " is too long"};
  }
  address.name.sun_family = AF_UNIX;
  std::memcpy(address.name.sun_path, path.c_str(), path.size() + 1);
  return address;
}

Result<Descriptor> connect_to(const std::filesystem::path& socket) {
  const auto address = address_of(socket);
  if (!address) return Error{Errc::kNotFound, address.error().detail};
  Descriptor fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (fd.get() < 0) return system_error("socket");
  if (::connect(fd.get(), address->get(), sizeof address->name) == 0) return fd;
  const bool nobody = errno == ENOENT || errno == ECONNREFUSED;
  auto error = system_error(socket.string());
  if (nobody) error.code = Errc::kNotFound;
  return error;
}

milliseconds left(Clock::time_point end) {
  return std::max(milliseconds(0), std::chrono::duration_cast<milliseconds>(end - Clock::now()));
}

/// One line without its end. kTooLong, kTimeout, kClosed.
Result<std::string> read_line(int fd, std::string& buffered, std::size_t most, milliseconds wait) {
  const auto end = Clock::now() + wait;
  for (;;) {
    const auto at = buffered.find('\n');
    if (at != std::string::npos) {
      std::string line = buffered.substr(0, at);
      buffered.erase(0, at + 1);
      return line;
    }
    if (buffered.size() > most) return Error{Errc::kTooLong, "limit=" + std::to_string(most)};
    pollfd ready{fd, POLLIN, 0};
    const int n = ::poll(&ready, 1, static_cast<int>(left(end).count()));
    if (n == 0)
      return Error{Errc::kTimeout, "no whole line within " + std::to_string(wait.count()) + " ms"};
    char piece[16384];
    const ssize_t got = n < 0 ? -1 : ::recv(fd, piece, sizeof piece, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return system_error("read");
    if (got == 0) return Error{Errc::kClosed, "the other side closed the connection"};
    buffered.append(piece, static_cast<std::size_t>(got));
  }
}

Result<void> write_all(int fd, std::string_view text, milliseconds wait) {
  const auto end = Clock::now() + wait;
  while (!text.empty()) {
    pollfd ready{fd, POLLOUT, 0};
    const int n = ::poll(&ready, 1, static_cast<int>(left(end).count()));
    if (n == 0) return Error{Errc::kTimeout, "the other side does not read"};
    const ssize_t put =
        n < 0 ? -1 : ::send(fd, text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (put < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (put < 0) return Error{Errc::kClosed, "write: " + std::generic_category().message(errno)};
    text.remove_prefix(static_cast<std::size_t>(put));
  }
  return {};
}

std::string line_of(const json& document) {
  return document.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}

std::string line_of(const Response& response) {
  return line_of(json{{"status", response.status},
                      {"content_type", response.content_type},
                      {"body", response.body}});
}

/// nullopt: not a request.
std::optional<Request> parse_request(const std::string& line) {
  const json document = json::parse(line, nullptr, false);
  if (!document.is_object()) return std::nullopt;
  Request request;
  for (const auto& [key, value] : document.items()) {
    if (key == "query" && value.is_object()) {
      for (const auto& [name, text] : value.items()) {
        if (!text.is_string()) return std::nullopt;
        request.query[name] = text.get<std::string>();
      }
      continue;
    }
    if (!value.is_string()) return std::nullopt;
    if (key == "method")
      request.method = value.get<std::string>();
    else if (key == "path")
      request.path = value.get<std::string>();
    else if (key == "body")
      request.body = value.get<std::string>();
    else
      return std::nullopt;
  }
  if (request.path.empty()) return std::nullopt;
  return request;
}

/// Who is at the other end (SO_PEERCRED): the user's name, or the number of one without.
std::string peer_name(int fd) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return "unknown";
  passwd entry{};
  passwd* found = nullptr;
  char buffer[4096];
  if (::getpwuid_r(peer.uid, &entry, buffer, sizeof buffer, &found) == 0 && found != nullptr) {
    return found->pw_name;
  }
  return "uid " + std::to_string(peer.uid);
}

/// Whether the name is free now: nothing stood there, or a socket that a dead process left.
Result<void> make_way(const std::filesystem::path& socket) {
  struct stat there {};
  if (::lstat(socket.c_str(), &there) != 0) return {};
  if (!S_ISSOCK(there.st_mode)) {
    return Error{Errc::kInvalid, socket.string() + " stands there and is no socket"};
  }
  const auto answered = connect_to(socket);
  if (answered) return Error{Errc::kConflict, "another process answers on " + socket.string()};
  if (answered.error().code != Errc::kNotFound) return answered.error();
  if (::unlink(socket.c_str()) != 0) return system_error("unlink " + socket.string());
  return {};
}

}  // namespace

class SocketServer::Impl {
 public:
  Impl(std::filesystem::path path, Descriptor listening, Api& api, SocketLimits limits)
      : path_(std::move(path)), listening_(std::move(listening)), api_(api), limits_(limits) {}
  ~Impl() { stop(); }

  void start() {
    acceptor_ = std::thread([this] { accept(); });
  }

  void stop() {
    {
      const std::lock_guard lock(mutex_);
      if (std::exchange(stopping_, true)) return;
      for (const auto& [id, fd] : open_) ::shutdown(fd, SHUT_RDWR);
    }
    ::shutdown(listening_.get(), SHUT_RDWR);
    if (acceptor_.joinable()) acceptor_.join();
    std::unique_lock lock(mutex_);
    closed_.wait(lock, [this] { return open_.empty(); });
    ::unlink(path_.c_str());
  }

 private:
  void accept() {
    for (;;) {
      Descriptor fd(::accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      const std::lock_guard lock(mutex_);
      if (stopping_) return;
      if (fd.get() < 0) {
        if (errno == EINVAL || errno == EBADF) return;
        continue;
      }
      if (open_.size() >= limits_.connections) continue;  // closed unanswered
      const std::uint64_t id = ++last_;
      open_[id] = fd.get();
      // The map of open connections says when it has ended; stop() waits for that.
      std::thread([this, id, connection = std::move(fd)] { serve(id, connection.get()); }).detach();
    }
  }

  void serve(std::uint64_t id, int fd) {
    const std::string operator_name = peer_name(fd);
    std::string buffered;
    for (;;) {
      const auto line = read_line(fd, buffered, limits_.line_octets, limits_.idle);
      if (!line && line.error().code != Errc::kTooLong) break;
      auto request = line ? parse_request(*line) : std::nullopt;
      Response response;
      if (request) {
        request->operator_name = operator_name;
        response = api_.handle(*request);
      } else {
        response = error_response(400, "bad-request", "one line of JSON with at least a path");
      }
      if (!write_all(fd, line_of(response), limits_.idle) || !line) break;
    }
    const std::lock_guard lock(mutex_);
    open_.erase(id);
    closed_.notify_all();
  }

  const std::filesystem::path path_;
  const Descriptor listening_;
  Api& api_;
  const SocketLimits limits_;
  std::mutex mutex_;
  std::condition_variable closed_;
  std::map<std::uint64_t, int> open_;
  std::uint64_t last_ = 0;
  bool stopping_ = false;
  std::thread acceptor_;
};

SocketServer::SocketServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
SocketServer::~SocketServer() = default;
void SocketServer::start() { impl_->start(); }
void SocketServer::stop() { impl_->stop(); }

Result<std::unique_ptr<SocketServer>> SocketServer::open(const std::filesystem::path& socket,
                                                         Api& api, SocketLimits limits) {
  if (const auto free = make_way(socket); !free) return free.error();
  const auto address = address_of(socket);
  if (!address) return address.error();
  Descriptor fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (fd.get() < 0) return system_error("socket");
  // Linux gives the file the mode of the socket (less the umask), so it is never open to others.
  if (::fchmod(fd.get(), 0600) != 0 ||
      ::bind(fd.get(), address->get(), sizeof address->name) != 0 ||
      ::listen(fd.get(), static_cast<int>(limits.connections)) != 0) {
    return system_error(socket.string());
  }
  return std::unique_ptr<SocketServer>(
      new SocketServer(std::make_unique<Impl>(socket, std::move(fd), api, limits)));
}

Result<Response> ask(const std::filesystem::path& socket, const Request& request,
                     milliseconds most) {
  const auto end = Clock::now() + most;
  const auto fd = connect_to(socket);
  if (!fd) return fd.error();
  const json document{{"method", request.method},
                      {"path", request.path},
                      {"query", request.query},
                      {"body", request.body}};
  if (const auto sent = write_all(fd->get(), line_of(document), left(end)); !sent)
    return sent.error();
  std::string buffered;
  constexpr std::size_t kMostAnswer = 1U << 30;
  const auto line = read_line(fd->get(), buffered, kMostAnswer, left(end));
  if (!line) return line.error();
  const json answer = json::parse(*line, nullptr, false);
  if (!answer.is_object()) return Error{Errc::kMalformed, "the answer is no JSON object"};
  Response response;
  response.status = answer.value("status", 500);
  response.content_type = answer.value("content_type", "");
  response.body = answer.value("body", "");
  return response;
}

}  // namespace dr::admin
