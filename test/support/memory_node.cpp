#include "test/support/memory_node.h"

#include <chrono>
#include <future>
#include <utility>

#include <asio/experimental/as_tuple.hpp>
#include <asio/post.hpp>
#include <asio/steady_timer.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>
#include <gtest/gtest.h>

namespace dr::test {
namespace {

constexpr std::chrono::seconds kPatience{20};
constexpr auto kUse = asio::experimental::as_tuple(asio::use_awaitable);

}  // namespace

IoThreads::IoThreads(std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    contexts_.push_back(std::make_unique<asio::io_context>(1));
    work_.push_back(asio::make_work_guard(*contexts_.back()));
    threads_.emplace_back([context = contexts_.back().get()] { context->run(); });
  }
}

IoThreads::~IoThreads() { stop(); }

void IoThreads::stop() {
  work_.clear();
  for (const auto& context : contexts_) context->stop();
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

std::vector<asio::io_context*> IoThreads::contexts() {
  std::vector<asio::io_context*> all;
  for (const auto& context : contexts_) all.push_back(context.get());
  return all;
}

class MemoryHandler::Sink final : public service::ObjectSink {
 public:
  Sink(MemoryHandler& handler, service::StoreRequest request)
      : handler_(handler), buffer_(handler.buffer_size), object_{std::move(request), {}} {}
  ~Sink() override {
    if (finished_) return;
    const std::lock_guard lock(handler_.mutex_);
    ++handler_.discarded_;
    handler_.changed_.notify_all();
  }

  asio::awaitable<MutableByteSpan> buffer() override { co_return MutableByteSpan(buffer_); }
  void filled(std::size_t n) override {
    octets_ += n;
    if (!handler_.keep) return;
    object_.data.insert(object_.data.end(), buffer_.begin(),
                        buffer_.begin() + static_cast<std::ptrdiff_t>(n));
  }
  asio::awaitable<service::StoreResponse> finish() override {
    finished_ = true;
    if (handler_.hold) co_await wait_for_release();
    service::StoreResponse response;
    if (handler_.on_finish) response = handler_.on_finish(object_);
    const std::lock_guard lock(handler_.mutex_);
    handler_.octets_ += octets_;
    if (handler_.keep) handler_.objects_.push_back(std::move(object_));
    handler_.changed_.notify_all();
    co_return response;
  }

 private:
  asio::awaitable<void> wait_for_release() {
    const auto executor = co_await asio::this_coro::executor;
    auto timer = std::make_shared<asio::steady_timer>(executor, SteadyTime::max());
    {
      const std::lock_guard lock(handler_.mutex_);
      handler_.held_.emplace_back(
          [timer, executor] { asio::post(executor, [timer] { timer->cancel(); }); });
      handler_.changed_.notify_all();
    }
    (void)co_await timer->async_wait(kUse);
  }

  MemoryHandler& handler_;
  Bytes buffer_;
  Object object_;
  std::uint64_t octets_ = 0;
  bool finished_ = false;
};

template <class Predicate>
void MemoryHandler::wait(std::unique_lock<std::mutex>& lock, Predicate predicate) {
  if (!changed_.wait_for(lock, kPatience, predicate)) ADD_FAILURE() << "waited in vain";
}

void MemoryHandler::release(std::size_t index) {
  const std::lock_guard lock(mutex_);
  if (index >= held_.size()) {
    ADD_FAILURE() << "nothing held at " << index;
    return;
  }
  held_[index]();
  held_.erase(held_.begin() + static_cast<std::ptrdiff_t>(index));
}

void MemoryHandler::wait_for_held(std::size_t count) {
  std::unique_lock lock(mutex_);
  wait(lock, [&] { return held_.size() >= count; });
}

std::vector<MemoryHandler::Object> MemoryHandler::wait_for_objects(std::size_t count) {
  std::unique_lock lock(mutex_);
  wait(lock, [&] { return objects_.size() >= count; });
  return objects_;
}

std::vector<MemoryHandler::Ended> MemoryHandler::wait_for_ended(std::size_t count) {
  std::unique_lock lock(mutex_);
  wait(lock, [&] { return ended_.size() >= count; });
  return ended_;
}

void MemoryHandler::wait_for_begun(std::size_t count) {
  std::unique_lock lock(mutex_);
  wait(lock, [&] { return begun_ >= count; });
}

void MemoryHandler::forget_held() {
  const std::lock_guard lock(mutex_);
  held_.clear();
}

std::size_t MemoryHandler::begun() {
  const std::lock_guard lock(mutex_);
  return begun_;
}

std::size_t MemoryHandler::wait_for_discarded(std::size_t count) {
  std::unique_lock lock(mutex_);
  wait(lock, [&] { return discarded_ >= count; });
  return discarded_;
}

std::vector<std::uint16_t> MemoryHandler::statuses() {
  const std::lock_guard lock(mutex_);
  return statuses_;
}

std::uint64_t MemoryHandler::octets() {
  const std::lock_guard lock(mutex_);
  return octets_;
}

std::optional<ul::AAssociateRj> MemoryHandler::admit(const service::AssociationInfo& peer) {
  return on_admit ? on_admit(peer) : std::nullopt;
}

void MemoryHandler::associated(const service::AssociationInfo& /*peer*/) {}

void MemoryHandler::ended(const service::AssociationInfo& peer,
                          const service::AssociationSummary& summary) {
  const std::lock_guard lock(mutex_);
  ended_.push_back({peer, summary});
  changed_.notify_all();
}

std::unique_ptr<service::ObjectSink> MemoryHandler::begin_store(service::StoreRequest request) {
  const std::lock_guard lock(mutex_);
  ++begun_;
  changed_.notify_all();
  return std::make_unique<Sink>(*this, std::move(request));
}

void MemoryHandler::responded(const service::AssociationInfo& /*peer*/, std::uint16_t status,
                              double /*seconds*/) {
  const std::lock_guard lock(mutex_);
  statuses_.push_back(status);
}

MemoryNode::MemoryNode(service::ListenerConfig config, std::size_t threads, ul::Timers& timers)
    : io_(threads) {
  if (config.address == "0.0.0.0") config.address = "127.0.0.1";
  if (config.name.empty()) config.name = "test";
  auto listener =
      service::Listener::open(std::move(config), io_.contexts(), handler, clock_, timers);
  if (!listener) throw std::runtime_error(listener.error().to_string());
  listener_ = std::move(*listener);
}

void MemoryNode::settle() {
  // Completions that are due stand in front of what is posted now; what those post, behind it.
  for (int round = 0; round < 3; ++round) {
    for (asio::io_context* context : io_.contexts()) {
      std::promise<void> reached;
      asio::post(*context, [&reached] { reached.set_value(); });
      reached.get_future().wait();
    }
  }
}

MemoryNode::~MemoryNode() {
  listener_->stop_now();
  EXPECT_TRUE(listener_->wait_until_closed(kPatience));
  io_.stop();
  handler.forget_held();
}

}  // namespace dr::test
