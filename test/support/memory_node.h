#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>

#include "dimse/base/clock.h"
#include "dimse/service/handler.h"
#include "dimse/service/listener.h"

namespace dr::test {

/// Some io_contexts, one thread each, until stop() or destruction.
class IoThreads {
 public:
  explicit IoThreads(std::size_t count);
  ~IoThreads();
  IoThreads(const IoThreads&) = delete;
  IoThreads& operator=(const IoThreads&) = delete;
  std::vector<asio::io_context*> contexts();
  void stop();

 private:
  std::vector<std::unique_ptr<asio::io_context>> contexts_;
  std::vector<asio::executor_work_guard<asio::io_context::executor_type>> work_;
  std::vector<std::thread> threads_;
};

/// Keeps what it receives in memory, and does what a test told it to.
class MemoryHandler final : public service::Handler {
 public:
  struct Object {
    service::StoreRequest request;
    Bytes data;
  };
  struct Ended {
    service::AssociationInfo peer;
    service::AssociationSummary summary;
  };

  // Set before the first association.
  std::function<std::optional<ul::AAssociateRj>(const service::AssociationInfo&)> on_admit;
  std::function<service::StoreResponse(const Object&)> on_finish;
  std::size_t buffer_size = 64 * 1024;
  bool keep = true;   // false: the octets are counted and forgotten
  bool hold = false;  // finish() waits for release()

  /// Lets one object that waits in finish() go on: the `index`th of those that wait.
  void release(std::size_t index = 0);
  void wait_for_held(std::size_t count);
  std::vector<Object> wait_for_objects(std::size_t count);
  std::vector<Ended> wait_for_ended(std::size_t count);
  void wait_for_begun(std::size_t count);
  std::size_t begun();
  /// What is held goes down with its io_context.
  void forget_held();
  /// Sinks that died without finish().
  std::size_t wait_for_discarded(std::size_t count);
  std::vector<std::uint16_t> statuses();
  std::uint64_t octets();

  std::optional<ul::AAssociateRj> admit(const service::AssociationInfo& peer) override;
  void associated(const service::AssociationInfo& peer) override;
  void ended(const service::AssociationInfo& peer,
             const service::AssociationSummary& summary) override;
  std::unique_ptr<service::ObjectSink> begin_store(service::StoreRequest request) override;
  void responded(const service::AssociationInfo& peer, std::uint16_t status,
                 double seconds) override;

 private:
  class Sink;
  template <class Predicate>
  void wait(std::unique_lock<std::mutex>& lock, Predicate predicate);

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Object> objects_;
  std::vector<Ended> ended_;
  std::vector<std::function<void()>> held_;
  std::vector<std::uint16_t> statuses_;
  std::size_t begun_ = 0;
  std::size_t discarded_ = 0;
  std::uint64_t octets_ = 0;
};

/// A listener on loopback with a MemoryHandler behind it.
class MemoryNode {
 public:
  explicit MemoryNode(service::ListenerConfig config = {}, std::size_t threads = 1,
                      ul::Timers& timers = ul::system_timers());
  ~MemoryNode();
  MemoryNode(const MemoryNode&) = delete;
  MemoryNode& operator=(const MemoryNode&) = delete;

  MemoryHandler handler;
  service::Listener& listener() { return *listener_; }
  std::uint16_t port() const { return listener_->port(); }
  /// Returns when what the node has begun has been carried on as far as it goes by itself.
  void settle();
  /// One of the node's own, for clients of the test.
  asio::io_context& context() { return *io_.contexts().front(); }

 private:
  SystemClock clock_;
  IoThreads io_;
  std::unique_ptr<service::Listener> listener_;
};

}  // namespace dr::test
