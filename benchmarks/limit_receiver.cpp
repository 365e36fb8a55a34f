// What this machine allows: a receiver that speaks just enough of the upper layer to be sent
// objects, and does nothing with them but what is unavoidable. `discard` answers at once; `log`
// answers when the octets are on disk: one zero-filled file, appended to and synced by one thread
// for all connections that wait (group commit), used again from its start when it is full. It tests
// little of what it gets: it is for loopback and a friendly sender.

#include <algorithm>
#include <charconv>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/uio.h>

#include "benchmarks/wire.h"

namespace dr::bench {
namespace {

constexpr std::string_view kUsage =
    "usage: limit_receiver PORT discard\n"
    "       limit_receiver PORT log FILE [OCTETS]     (default 512 MiB)\n"
    "Receives C-STOREs on 127.0.0.1:PORT until it is killed.\n";

constexpr std::size_t kGreatestMessage = 64U << 20;

/// One file, one writer thread; append() returns when the octets are synced.
class Log {
 public:
  Log(const char* path, std::size_t capacity)
      : fd_(open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600)), capacity_(capacity) {
    if (fd_ < 0) die(path);
    const Bytes zeros(1U << 20);
    for (std::size_t at = 0; at < capacity_; at += zeros.size()) {
      if (pwrite(fd_, zeros.data(), zeros.size(), static_cast<off_t>(at)) < 0) die(path);
    }
    if (fsync(fd_) != 0) die(path);
    writer_ = std::thread([this] { write_groups(); });
  }
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  void append(ByteSpan octets) {
    std::unique_lock lock(mutex_);
    const std::uint64_t group = next_group_;
    waiting_.push_back({const_cast<std::byte*>(octets.data()), octets.size()});
    arrived_.notify_one();
    synced_.wait(lock, [&] { return done_group_ >= group; });
  }

 private:
  [[noreturn]] void write_groups() {
    std::vector<iovec> group;
    while (true) {
      std::uint64_t number = 0;
      {
        std::unique_lock lock(mutex_);
        arrived_.wait(lock, [&] { return !waiting_.empty(); });
        group.swap(waiting_);
        number = next_group_++;
      }
      std::size_t size = 0;
      for (const auto& v : group) size += v.iov_len;
      if (at_ + size > capacity_) at_ = 0;
      // A vector of pieces may be longer than the kernel takes at once, or be taken in part.
      for (const auto& v : group) {
        if (pwrite(fd_, v.iov_base, v.iov_len, static_cast<off_t>(at_)) !=
            static_cast<ssize_t>(v.iov_len)) {
          die("write to the log");
        }
        at_ += v.iov_len;
      }
      if (fdatasync(fd_) != 0) die("sync of the log");
      group.clear();
      {
        const std::lock_guard lock(mutex_);
        done_group_ = number;
      }
      synced_.notify_all();
    }
  }

  int fd_;
  std::size_t capacity_;
  std::size_t at_ = 0;
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::condition_variable synced_;
  std::vector<iovec> waiting_;
  std::uint64_t next_group_ = 1;
  std::uint64_t done_group_ = 0;
  std::thread writer_;
};

/// Accepts every presentation context with the first transfer syntax that it names.
Bytes accept_all(ByteSpan rq) {
  Bytes items;
  put_item(items, 0x10, as_bytes(kApplicationContext));
  each_item(rq.subspan(74), [&](std::uint8_t type, ByteSpan value) {
    if (type != 0x20 || value.size() < 4) return;
    ByteSpan syntax;
    each_item(value.subspan(4), [&](std::uint8_t sub, ByteSpan v) {
      if (sub == 0x40 && syntax.empty()) syntax = v;
    });
    Bytes context = {value[0], std::byte{0}, std::byte{0}, std::byte{0}};
    put_item(context, 0x40, syntax);
    put_item(items, 0x21, context);
  });
  put_item(items, 0x50, user_information());
  return associate_pdu(2, rq.subspan(10, 32), items);
}

/// One connection's present message: its PDUs as they came, read in as large pieces as there are.
class Message {
 public:
  enum class State { kComplete, kRelease, kOver };

  State receive(int fd) {
    used_ = walked_ = 0;
    command_.clear();
    while (true) {
      if (buffer_.size() - used_ < kMaxPdu)
        buffer_.resize(std::max<std::size_t>(2 * buffer_.size(), 4 * std::size_t{kMaxPdu}));
      if (buffer_.size() > kGreatestMessage) return State::kOver;
      const auto n = recv(fd, buffer_.data() + used_, buffer_.size() - used_, 0);
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) return State::kOver;
      used_ += static_cast<std::size_t>(n);
      if (const auto state = walk()) return *state;
    }
  }

  ByteSpan octets() const { return ByteSpan(buffer_).first(used_); }

  Bytes response() const {
    Bytes rest;
    put_command_element(rest, 0x0002, command_element(command_, 0x0002));
    put_command_us(rest, 0x0100, 0x8001);  // C-STORE-RSP
    put_command_us(rest, 0x0120, command_us(command_, 0x0110, 0));
    put_command_us(rest, 0x0800, 0x0101);  // no data set
    put_command_us(rest, 0x0900, 0x0000);
    put_command_element(rest, 0x1000, command_element(command_, 0x1000));
    Bytes out;
    put_p_data(out, context_, kCommandBit | kLastBit, with_group_length(rest));
    return out;
  }

 private:
  /// Over the PDUs that are there whole. A PDU holds one PDV, as the load sender makes them.
  std::optional<State> walk() {
    while (used_ - walked_ >= kPduHeader) {
      const std::byte* pdu = buffer_.data() + walked_;
      const std::size_t length = load_be<std::uint32_t>(pdu + 2);
      if (pdu[0] == std::byte{kReleaseRq}) return State::kRelease;
      if (pdu[0] != std::byte{4} || length < kPdvHeader || length > kMaxPdu) return State::kOver;
      if (used_ - walked_ < kPduHeader + length) return std::nullopt;
      context_ = std::to_integer<std::uint8_t>(pdu[10]);
      const std::byte control = pdu[11];
      walked_ += kPduHeader + length;
      if ((control & kCommandBit) != std::byte{0}) {
        put(command_, ByteSpan(pdu + 12, length - kPdvHeader));
      } else if ((control & kLastBit) != std::byte{0}) {
        return State::kComplete;
      }
    }
    return std::nullopt;
  }

  Bytes buffer_;
  std::size_t used_ = 0;
  std::size_t walked_ = 0;
  Bytes command_;
  std::uint8_t context_ = 0;
};

void serve(int fd, Log* log) {
  no_delay(fd);
  const Bytes rq = receive_pdu(fd, 256U << 10);
  if (rq.size() >= 74 && rq[0] == std::byte{1} && send_all(fd, accept_all(rq))) {
    Message message;
    Message::State state;
    while ((state = message.receive(fd)) == Message::State::kComplete) {
      if (log != nullptr) log->append(message.octets());
      if (!send_all(fd, message.response())) break;
    }
    if (state == Message::State::kRelease) send_all(fd, release_pdu(kReleaseRp));
  }
  close(fd);
}

int listen_on(std::uint16_t port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const auto address = loopback(port);
  if (bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      listen(fd, 1024) != 0) {
    die("listen");
  }
  return fd;
}

}  // namespace
}  // namespace dr::bench

int main(int argc, char** argv) {
  using namespace dr::bench;
  const std::vector<std::string_view> args(argv + 1, argv + argc);
  std::uint16_t port = 0;
  std::size_t capacity = 512U << 20;
  const auto number = [](std::string_view text, auto& value) {
    return std::from_chars(text.data(), text.data() + text.size(), value).ec == std::errc();
  };
  const bool discard = args.size() == 2 && args[1] == "discard";
  const bool to_log = (args.size() == 3 || args.size() == 4) && args[1] == "log";
  if ((!discard && !to_log) || !number(args[0], port) ||
      (args.size() == 4 && !number(args[3], capacity))) {
    std::fputs(kUsage.data(), stderr);
    return 2;
  }
  std::optional<Log> log;
  if (to_log) log.emplace(argv[3], capacity);
  const int listener = listen_on(port);
  while (true) {
    const int fd = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) die("accept");
    std::thread(serve, fd, log ? &*log : nullptr).detach();
  }
}
