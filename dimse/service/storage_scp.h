#pragma once

#include <chrono>
#include <cstdint>
#include <list>
#include <memory>

#include <asio/awaitable.hpp>
#include <asio/steady_timer.hpp>

#include "dimse/message/message_reader.h"
#include "dimse/service/handler.h"
#include "dimse/ul/acceptor.h"
#include "dimse/ul/association.h"

namespace dr::service {

/// Verification and Storage as SCP (PS3.4 A and B) on one accepted association. One coroutine
/// reads message after message; each C-STORE that has arrived whole is finished in a coroutine of
/// its own, so up to `window` responses are outstanding while the next messages arrive (PS3.7
/// D.3.3.3), and each leaves in one write as soon as its object is durable. A full window stops
/// the reading. An object whose finish() takes longer than `response` gets A700H and is finished
/// all the same: a resend is the same object again.
class StorageScp : public std::enable_shared_from_this<StorageScp> {
 public:
  struct Options {
    std::shared_ptr<const ul::AcceptedContexts> contexts;
    std::uint16_t window = 1;
    std::chrono::milliseconds response{8'000};
  };

  StorageScp(std::shared_ptr<ul::Association> association,
             std::shared_ptr<const AssociationInfo> info, Options options, Handler& handler);

  /// Until the association is no longer open; then await its closed(). Objects being finished go on
  /// after that and keep this alive.
  asio::awaitable<void> run();

  /// Aborts as soon as no message is in flight: at once, or after what is outstanding is answered.
  void stop();

  std::uint64_t objects() const noexcept { return objects_; }
  std::uint64_t octets() const noexcept { return octets_; }

 private:
  /// A C-STORE without its response.
  struct Outstanding {
    std::uint16_t message_id = 0;
    ul::PresentationContextId context{};
    Uid sop_class;
    Uid sop_instance;
    std::unique_ptr<ObjectSink> sink;
    SteadyTime received{};  // its last octet
    SteadyTime deadline{};
    bool answered = false;
  };
  using OutstandingPtr = std::shared_ptr<Outstanding>;

  asio::awaitable<bool> handle(message::Message message);
  asio::awaitable<bool> store(message::Message message);
  asio::awaitable<bool> echo(message::Message message);
  asio::awaitable<bool> refuse(message::Message message, std::uint16_t status);
  std::uint16_t judge_store(const message::Message& message) const;
  bool is_outstanding(std::uint16_t message_id) const;

  static asio::awaitable<void> finish(std::shared_ptr<StorageScp> self, OutstandingPtr store);
  static asio::awaitable<void> answer_late(std::shared_ptr<StorageScp> self, OutstandingPtr store);
  asio::awaitable<void> answer(OutstandingPtr store, StoreResponse response);
  void on_response_timeout();
  void watch_oldest();
  void abort_if_drained();

  asio::awaitable<bool> respond(ul::PresentationContextId context, message::CommandSet response);
  asio::awaitable<void> wait_until_outstanding_below(std::size_t limit);

  const std::shared_ptr<ul::Association> association_;
  const std::shared_ptr<const AssociationInfo> info_;
  const Options options_;
  Handler& handler_;
  message::MessageReader reader_;
  std::list<OutstandingPtr> outstanding_;  // in order of arrival, so of deadline
  asio::steady_timer answered_;            // never expires; cancelled when a response has left
  bool stopping_ = false;
  std::uint64_t objects_ = 0;
  std::uint64_t octets_ = 0;
};

}  // namespace dr::service
