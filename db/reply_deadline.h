#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

namespace dr::db {

/// Ends waiting for a server that does not answer: libpq waits for ever, and a firewall that has
/// forgotten a connection, or a server that hangs, would hold its thread as long. One thread.
class ReplyDeadline {
 public:
  explicit ReplyDeadline(std::chrono::milliseconds most);
  ~ReplyDeadline();
  ReplyDeadline(const ReplyDeadline&) = delete;
  ReplyDeadline& operator=(const ReplyDeadline&) = delete;

  /// Shuts `socket` down, whose reader then fails, unless disarm() comes first. The socket stays
  /// open until then.
  void arm(int socket);
  void disarm();

 private:
  void run();

  const std::chrono::milliseconds most_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;
  int socket_ = -1;
  std::chrono::steady_clock::time_point deadline_{};
  std::thread thread_;
};

/// Armed for as long as it lives.
class Armed {
 public:
  Armed(ReplyDeadline& deadline, int socket) : deadline_(deadline) { deadline_.arm(socket); }
  ~Armed() { deadline_.disarm(); }
  Armed(const Armed&) = delete;
  Armed& operator=(const Armed&) = delete;

 private:
  ReplyDeadline& deadline_;
};

}  // namespace dr::db
