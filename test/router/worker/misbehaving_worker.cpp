// A worker for the tests of the pool: its handlers do what defects and intruders do.

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <ctime>
#include <string>
#include <string_view>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "router/worker/serve.h"

namespace {

using dr::as_bytes;
using dr::as_text;
using dr::Bytes;
using dr::Errc;
using dr::Error;
using dr::Result;
using dr::worker::Request;

Bytes bytes(std::string_view text) {
  const auto octets = as_bytes(text);
  return {octets.begin(), octets.end()};
}

Result<Bytes> echo(const Request& request) {
  return Bytes(request.octets.begin(), request.octets.end());
}

// Each input is copied to the output of the same place.
Result<Bytes> copy(const Request& request) {
  std::uint64_t copied = 0;
  std::vector<std::byte> buffer(65536);
  for (std::size_t i = 0; i < request.inputs.size(); ++i) {
    for (off_t at = 0;;) {
      const ssize_t n = pread(request.inputs[i], buffer.data(), buffer.size(), at);
      if (n <= 0) break;
      if (write(request.outputs[i], buffer.data(), static_cast<std::size_t>(n)) != n) {
        return dr::errno_error("write", errno);
      }
      at += n;
      copied += static_cast<std::uint64_t>(n);
    }
  }
  return bytes(std::to_string(copied));
}

Result<Bytes> crash(const Request& /*request*/) {
  std::signal(SIGSEGV, SIG_DFL);  // sanitizers would report it and leave
  std::raise(SIGSEGV);
  return bytes("alive");
}

Result<Bytes> leave(const Request& /*request*/) { _exit(7); }

// Says on its output, where it has one, that it has begun.
Result<Bytes> hang(const Request& request) {
  for (const int fd : request.outputs) [[maybe_unused]] const auto written = write(fd, "!", 1);
  for (;;) poll(nullptr, 0, -1);
}

Result<Bytes> spin(const Request& /*request*/) {
  while (std::clock() != static_cast<std::clock_t>(-1)) {
  }
  return Bytes{};
}

Result<Bytes> eat(const Request& /*request*/) {
  std::vector<std::vector<std::byte>> eaten;
  for (;;) eaten.emplace_back(std::size_t{16} << 20, std::byte{1});
}

Result<Bytes> too_much(const Request& /*request*/) { return Bytes(std::size_t{8} << 20); }

Result<Bytes> fail(const Request& request) {
  return Error{Errc::kCorrupt, std::string(as_text(request.octets))};
}

// 0: it could be done; else errno.
Bytes outcome(bool done) { return bytes(std::to_string(done ? 0 : errno)); }

Result<Bytes> open_socket(const Request& /*request*/) {
  return outcome(socket(AF_INET, SOCK_STREAM, 0) >= 0);
}
Result<Bytes> open_for_writing(const Request& request) {
  return outcome(open(std::string(as_text(request.octets)).c_str(), O_WRONLY | O_CREAT, 0600) >= 0);
}
Result<Bytes> open_for_reading(const Request& request) {
  return outcome(open(std::string(as_text(request.octets)).c_str(), O_RDONLY) >= 0);
}
Result<Bytes> run_program(const Request& /*request*/) {
  char* const arguments[] = {nullptr};
  return outcome(execve("/bin/true", arguments, arguments) == 0);
}
Result<Bytes> make_code(const Request& /*request*/) {
  return outcome(mmap(nullptr, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
}
Result<Bytes> fork_off(const Request& /*request*/) {
  const pid_t pid = fork();
  if (pid == 0) _exit(0);
  return outcome(pid > 0);
}

// Descriptors that are open, as "0 1 2 3".
Result<Bytes> list_descriptors(const Request& /*request*/) {
  std::string open;
  for (int fd = 0; fd < 64; ++fd) {
    if (lseek(fd, 0, SEEK_CUR) >= 0 || errno != EBADF) open += std::to_string(fd) + ' ';
  }
  return bytes(open);
}

Result<Bytes> environment(const Request& /*request*/) {
  std::string all;
  for (char** e = environ; *e != nullptr; ++e) all += *e;
  return bytes(all);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1 && std::string_view(argv[1]) == "never-ready") return 3;
  return dr::worker::serve({{"echo", {}, echo},
                            {"copy", {}, copy},
                            {"crash", {}, crash},
                            {"leave", {}, leave},
                            {"hang", {}, hang},
                            {"spin", {}, spin},
                            {"eat", {}, eat},
                            {"too_much", {}, too_much},
                            {"fail", {}, fail},
                            {"socket", {}, open_socket},
                            {"write", {}, open_for_writing},
                            {"read", {}, open_for_reading},
                            {"exec", {}, run_program},
                            {"code", {}, make_code},
                            {"fork", {}, fork_off},
                            {"descriptors", {}, list_descriptors},
                            {"environment", {}, environment}});
}
