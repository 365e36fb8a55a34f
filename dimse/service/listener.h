#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <asio/io_context.hpp>

#include "dimse/base/clock.h"
#include "dimse/base/result.h"
#include "dimse/service/handler.h"
#include "dimse/ul/timer.h"

namespace dr::service {

struct ListenerConfig {
  std::string name;
  std::string address = "0.0.0.0";  // numeric, IPv4 or IPv6 ("::" takes both)
  std::uint16_t port = 0;           // 0: the kernel chooses
  std::uint32_t max_pdu = 131072;
  std::uint16_t async_ops = 8;
  std::size_t max_connections = 8192;          // beyond them a connection is closed unanswered
  std::chrono::milliseconds artim{30'000};     // PS3.8 9.1.5
  std::chrono::milliseconds progress{30'000};  // for each PDU within a message, and each write
  std::chrono::milliseconds idle{300'000};     // between messages
  std::chrono::milliseconds response{8'000};   // C-STORE-RSP at the latest, then A700H
};

/// A number for one association of this process, in or out; listeners take theirs here.
std::uint64_t next_association_number();

/// Accepts associations on one port and serves Verification and Storage on them (PS3.8 7.1, PS3.4 A
/// and B). Each connection goes to the io_context that serves the fewest and stays there. Every
/// io_context is run by one thread of the caller's. All functions may be called from any thread.
class Listener {
 public:
  /// Listens from now on. `handler`, `clock` and `timers` outlive the contexts: an object may
  /// still be finished in them after its association has ended. Before the contexts are destroyed,
  /// stop and wait_until_closed().
  static Result<std::unique_ptr<Listener>> open(ListenerConfig config,
                                                std::vector<asio::io_context*> contexts,
                                                Handler& handler, const Clock& clock,
                                                ul::Timers& timers = ul::system_timers());
  /// stop_now().
  ~Listener();

  std::uint16_t port() const noexcept;
  /// Connections that are not closed yet.
  std::size_t open_associations() const;

  /// First phase: accepts nothing more. An association without a message in flight is aborted at
  /// once, the others after their responses.
  void stop();
  /// Second phase: aborts what is left.
  void stop_now();
  /// Blocks until no association is open, at most so long: whether that came. Not to be called on
  /// a thread that runs one of the contexts.
  bool wait_until_closed(std::chrono::milliseconds at_most);

 private:
  struct State;
  explicit Listener(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

}  // namespace dr::service
