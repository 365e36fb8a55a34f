#include "test/support/manual_timers.h"

#include <utility>
#include <vector>

#include <asio/post.hpp>

namespace dr::test {

class ManualTimers::ManualTimer final : public ul::Timer {
 public:
  ManualTimer(ManualTimers& timers, asio::any_io_executor executor)
      : timers_(timers), executor_(std::move(executor)) {}
  ~ManualTimer() override { disarm(); }

  void arm(SteadyTime at, std::function<void()> expired) override {
    disarm();
    callback_ = std::make_shared<std::function<void()>>(std::move(expired));
    const std::lock_guard lock(timers_.mutex_);
    timers_.armed_.insert_or_assign(this, Armed{executor_, at, callback_});
    timers_.armed_changed_.notify_all();
  }
  void disarm() override {
    // What is posted already finds an empty function; both run on the executor's one thread.
    if (callback_) *std::exchange(callback_, nullptr) = nullptr;
    const std::lock_guard lock(timers_.mutex_);
    timers_.armed_.erase(this);
  }

 private:
  ManualTimers& timers_;
  asio::any_io_executor executor_;
  std::shared_ptr<std::function<void()>> callback_;
};

SteadyTime ManualTimers::now() const {
  const std::lock_guard lock(mutex_);
  return now_;
}

std::unique_ptr<ul::Timer> ManualTimers::make(asio::any_io_executor executor) {
  return std::make_unique<ManualTimer>(*this, std::move(executor));
}

void ManualTimers::advance(std::chrono::milliseconds time) {
  const std::lock_guard lock(mutex_);
  now_ += time;
  for (auto it = armed_.begin(); it != armed_.end();) {
    if (it->second.at > now_) {
      ++it;
      continue;
    }
    asio::post(it->second.executor, [expired = it->second.expired] {
      const auto callback = std::exchange(*expired, nullptr);
      if (callback) callback();
    });
    it = armed_.erase(it);
  }
}

bool ManualTimers::wait_until_armed_within(std::chrono::milliseconds time) {
  std::unique_lock lock(mutex_);
  return armed_changed_.wait_for(lock, std::chrono::seconds(20), [&] {
    for (const auto& [timer, armed] : armed_) {
      if (armed.at <= now_ + time) return true;
    }
    return false;
  });
}

}  // namespace dr::test
