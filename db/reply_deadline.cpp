#include "db/reply_deadline.h"

#include <sys/socket.h>

#include "dimse/base/thread_name.h"

namespace dr::db {

ReplyDeadline::ReplyDeadline(std::chrono::milliseconds most)
    : most_(most), thread_([this] { run(); }) {}

ReplyDeadline::~ReplyDeadline() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void ReplyDeadline::arm(int socket) {
  {
    const std::scoped_lock lock(mutex_);
    socket_ = socket;
    deadline_ = std::chrono::steady_clock::now() + most_;
  }
  changed_.notify_one();
}

void ReplyDeadline::disarm() {
  const std::scoped_lock lock(mutex_);
  socket_ = -1;
}

void ReplyDeadline::run() {
  name_thread("audit-deadline");
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    if (socket_ < 0) {
      changed_.wait(lock);
    } else if (std::chrono::steady_clock::now() < deadline_) {
      changed_.wait_until(lock, deadline_);
    } else {
      ::shutdown(socket_, SHUT_RDWR);
      socket_ = -1;
    }
  }
}

}  // namespace dr::db
