#pragma once

#include <chrono>
#include <string>

#include <httplib.h>

namespace dr::admin {

/// One request's octets for the HTTP library: first those that were read already, then the socket.
/// Unlike the library's own stream it has a deadline for the whole and a ceiling on what is read,
/// so neither an octet every few seconds nor an endless line holds a worker.
class HttpStream final : public httplib::Stream {
 public:
  /// `most` for what is read, and again, from the first octet written, for the answer.
  HttpStream(int socket, std::string buffered, std::size_t ceiling, std::chrono::milliseconds most);

  bool is_readable() const override;
  bool is_writable() const override;
  ssize_t read(char* into, std::size_t size) override;
  ssize_t write(const char* from, std::size_t size) override;
  void get_remote_ip_and_port(std::string& ip, int& port) const override;
  void get_local_ip_and_port(std::string& ip, int& port) const override;
  socket_t socket() const override { return socket_; }

  /// What was buffered and not read: the next request's beginning.
  std::string rest() const { return buffered_.substr(at_); }

 private:
  using Time = std::chrono::steady_clock::time_point;
  bool wait(short events, Time deadline) const;

  const int socket_;
  const std::string buffered_;
  std::size_t at_ = 0;
  std::size_t left_;
  const std::chrono::milliseconds most_;
  const Time read_deadline_;
  Time write_deadline_{};
};

}  // namespace dr::admin
