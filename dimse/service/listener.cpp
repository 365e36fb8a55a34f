#include "dimse/service/listener.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>
#include <utility>

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/experimental/as_tuple.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/ip/v6_only.hpp>
#include <asio/post.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>

#include "dimse/base/log.h"
#include "dimse/service/sop_classes.h"
#include "dimse/service/storage_scp.h"
#include "dimse/ul/acceptor.h"
#include "dimse/ul/association.h"
#include "dimse/ul/transport.h"

namespace dr::service {
namespace {

using asio::ip::tcp;
using ul::Association;
using ul::Ending;

constexpr auto kUse = asio::experimental::as_tuple(asio::use_awaitable);
constexpr int kBacklog = 1024;
// Out of descriptors: without a pause accept() would fail again at once, for ever.
constexpr std::chrono::milliseconds kAcceptPause{100};

std::string_view outcome_of(Ending ending) {
  switch (ending) {
    case Ending::kReleased:
      return "released";
    case Ending::kRejected:
      return "rejected";
    case Ending::kPeerAborted:
      return "peer-aborted";
    case Ending::kTimeout:
      return "timeout";
    case Ending::kAborted:
    case Ending::kInvalid:
      return "aborted";
    case Ending::kNone:
    case Ending::kClosed:
      break;
  }
  return "closed";
}

// One association from its connection on; touched on its own io_context only.
struct Connection {
  std::shared_ptr<Association> association;
  std::shared_ptr<StorageScp> scp;  // once associated
  asio::io_context* io = nullptr;
};

}  // namespace

std::uint64_t next_association_number() {
  static std::atomic<std::uint64_t> number = 0;
  return ++number;
}

struct Listener::State : std::enable_shared_from_this<Listener::State> {
  struct Context {
    asio::io_context* io = nullptr;
    std::atomic<std::size_t> load = 0;
  };

  State(ListenerConfig c, const std::vector<asio::io_context*>& io, Handler& h, const Clock& clk,
        ul::Timers& t)
      : config(std::move(c)),
        handler(h),
        clock(clk),
        timers(t),
        contexts(io.size()),
        acceptor(*io.front()),
        pause(*io.front()) {
    for (std::size_t i = 0; i < io.size(); ++i) contexts[i].io = io[i];
    policy = {.serves = [](const Uid& uid) { return uid == kVerification || is_storage(uid); },
              .max_pdu = config.max_pdu,
              .async_ops = config.async_ops,
              .implementation_class_uid = implementation_class_uid(),
              .implementation_version_name = std::string(kImplementationVersionName)};
  }

  Result<void> listen();
  static asio::awaitable<void> accept_all(std::shared_ptr<State> self);
  bool take_one();
  Context& least_loaded();
  static asio::awaitable<void> serve(std::shared_ptr<State> self, std::uint64_t number,
                                     std::shared_ptr<Connection> connection, Context* context);
  asio::awaitable<bool> associate(Connection& connection, std::shared_ptr<AssociationInfo> info);
  std::optional<ul::AAssociateRj> judge(const ul::AAssociateRq& request, AssociationInfo& info);
  template <class Action>
  void for_each_connection(Action action);

  const ListenerConfig config;
  Handler& handler;
  const Clock& clock;
  ul::Timers& timers;
  ul::AcceptorPolicy policy;
  std::vector<Context> contexts;
  tcp::acceptor acceptor;
  asio::steady_timer pause;
  std::uint16_t port = 0;

  mutable std::mutex mutex;  // over what follows
  std::condition_variable closed;
  bool stopping = false;
  bool accepting = false;
  std::map<std::uint64_t, std::shared_ptr<Connection>> connections;
};

Result<void> Listener::State::listen() {
  std::error_code ec;
  const auto address = asio::ip::make_address(config.address, ec);
  if (ec) return Error{Errc::kInvalid, "listener address: " + ec.message()};
  const tcp::endpoint endpoint(address, config.port);
  const auto failed = [&](std::string_view what) {
    return Error{Errc::kIo, std::string(what) + " " + config.address + " port " +
                                std::to_string(config.port) + ": " + ec.message()};
  };
  if (acceptor.open(endpoint.protocol(), ec); ec) return failed("socket");
  if (acceptor.set_option(tcp::acceptor::reuse_address(true), ec); ec)
    return failed("SO_REUSEADDR");
  if (address.is_v6()) acceptor.set_option(asio::ip::v6_only(false), ec);
  if (ec) return failed("IPV6_V6ONLY");
  if (acceptor.bind(endpoint, ec); ec) return failed("bind");
  if (acceptor.listen(kBacklog, ec); ec) return failed("listen");
  if (acceptor.non_blocking(true, ec); ec) return failed("non-blocking");
  port = acceptor.local_endpoint(ec).port();
  accepting = true;
  return {};
}

asio::awaitable<void> Listener::State::accept_all(std::shared_ptr<State> self) {
  while (self->acceptor.is_open()) {
    const auto [ec] = co_await self->acceptor.async_wait(tcp::acceptor::wait_read, kUse);
    if (ec == asio::error::operation_aborted) break;
    if (self->take_one()) continue;
    self->pause.expires_after(kAcceptPause);
    (void)co_await self->pause.async_wait(kUse);
  }
  const std::lock_guard lock(self->mutex);
  self->accepting = false;
  self->closed.notify_all();
}

// The socket is made on the context that is least loaded now, not when the wait began. False: let
// some time pass before the next.
bool Listener::State::take_one() {
  Context& context = least_loaded();
  std::error_code ec;
  tcp::socket socket = acceptor.accept(*context.io, ec);
  if (ec == asio::error::would_block || ec == asio::error::connection_aborted) return true;
  if (ec) {
    log::event(log::Level::kError, "listener.accept_failed",
               {{"listener", config.name}, {"error", ec.message()}});
    return false;
  }
  auto transport = ul::make_tcp_transport(std::move(socket));
  if (!transport) return true;  // gone already
  auto connection = std::make_shared<Connection>();
  connection->io = context.io;
  connection->association = Association::make(std::move(*transport), {.timers = &timers,
                                                                      .max_pdu = config.max_pdu,
                                                                      .artim = config.artim,
                                                                      .progress = config.progress,
                                                                      .idle = config.idle});
  const std::uint64_t number = next_association_number();
  {
    const std::lock_guard lock(mutex);
    if (stopping || connections.size() >= config.max_connections) return true;
    connections.emplace(number, connection);
  }
  ++context.load;
  asio::co_spawn(*context.io, serve(shared_from_this(), number, std::move(connection), &context),
                 asio::detached);
  return true;
}

Listener::State::Context& Listener::State::least_loaded() {
  return *std::min_element(contexts.begin(), contexts.end(), [](const auto& a, const auto& b) {
    return a.load.load() < b.load.load();
  });
}

asio::awaitable<void> Listener::State::serve(std::shared_ptr<State> self, std::uint64_t number,
                                             std::shared_ptr<Connection> connection,
                                             Context* context) {
  Association& association = *connection->association;
  auto info = std::make_shared<AssociationInfo>();
  info->number = number;
  info->listener = self->config.name;
  info->peer_address = association.transport().peer().address;
  info->peer_port = association.transport().peer().port;
  info->tls_subject = association.transport().tls_subject();
  info->started = self->clock.now_utc();
  const bool requested = co_await self->associate(*connection, info);
  co_await association.closed();

  AssociationSummary summary;
  summary.outcome = outcome_of(association.ending());
  summary.reason = association.ending_reason();
  summary.hostile = association.ending() == Ending::kInvalid;
  if (connection->scp) {
    summary.objects = connection->scp->objects();
    summary.octets = connection->scp->octets();
  }
  // A port scan or a load balancer's probe is no association.
  if (requested || summary.hostile) self->handler.ended(*info, summary);
  --context->load;
  const std::lock_guard lock(self->mutex);
  self->connections.erase(number);
  self->closed.notify_all();
}

// Whether an A-ASSOCIATE-RQ came.
asio::awaitable<bool> Listener::State::associate(Connection& connection,
                                                 std::shared_ptr<AssociationInfo> info) {
  Association& association = *connection.association;
  const Result<ul::AAssociateRq> request = co_await association.await_request();
  if (!request) co_return association.ending() == Ending::kRejected;
  if (const auto rejection = judge(*request, *info)) {
    association.reject(*rejection);
    co_return true;
  }
  ul::Negotiated negotiated = ul::negotiate(*request, policy);
  association.accept(negotiated.answer);
  handler.associated(*info);
  connection.scp =
      std::make_shared<StorageScp>(connection.association, info,
                                   StorageScp::Options{.contexts = std::move(negotiated.contexts),
                                                       .window = negotiated.window,
                                                       .response = config.response},
                                   handler);
  co_await connection.scp->run();
  co_return true;
}

std::optional<ul::AAssociateRj> Listener::State::judge(const ul::AAssociateRq& request,
                                                       AssociationInfo& info) {
  const auto called = AeTitle::parse(request.called_ae_title);
  const auto calling = AeTitle::parse(request.calling_ae_title);
  if (called) info.called_ae_title = *called;
  if (calling) info.calling_ae_title = *calling;
  info.implementation = log::escape(request.user.implementation_class_uid + " " +
                                    request.user.implementation_version_name);
  // Types 1 and 2 of PS3.7 D.3.3.7 begin with the user's name; the others are tickets.
  if (const auto& identity = request.user.user_identity; identity && identity->type <= 2) {
    info.user = log::escape(as_text(identity->primary));
  }
  if (const auto rejection = ul::judge_application_context(request)) return rejection;
  if (!called) return ul::AAssociateRj{.result = 1, .source = 1, .reason = 7};
  if (!calling) return ul::AAssociateRj{.result = 1, .source = 1, .reason = 3};
  return handler.admit(info);
}

template <class Action>
void Listener::State::for_each_connection(Action action) {
  const std::lock_guard lock(mutex);
  for (const auto& [number, connection] : connections) {
    asio::post(*connection->io, [connection = connection, action] { action(*connection); });
  }
}

Listener::Listener(std::shared_ptr<State> state) : state_(std::move(state)) {}

Listener::~Listener() { stop_now(); }

Result<std::unique_ptr<Listener>> Listener::open(ListenerConfig config,
                                                 std::vector<asio::io_context*> contexts,
                                                 Handler& handler, const Clock& clock,
                                                 ul::Timers& timers) {
  auto state = std::make_shared<State>(std::move(config), contexts, handler, clock, timers);
  Result<void> listening = state->listen();
  if (!listening) return std::move(listening).error();
  asio::co_spawn(*contexts.front(), State::accept_all(state), asio::detached);
  return std::unique_ptr<Listener>(new Listener(std::move(state)));
}

std::uint16_t Listener::port() const noexcept { return state_->port; }

std::size_t Listener::open_associations() const {
  const std::lock_guard lock(state_->mutex);
  return state_->connections.size();
}

void Listener::stop() {
  {
    const std::lock_guard lock(state_->mutex);
    if (std::exchange(state_->stopping, true)) return;
  }
  asio::post(state_->acceptor.get_executor(), [state = state_] {
    state->acceptor.close();
    state->pause.cancel();
  });
  state_->for_each_connection([](Connection& connection) {
    if (connection.scp) {
      connection.scp->stop();
    } else {
      connection.association->close();
    }
  });
}

void Listener::stop_now() {
  stop();
  state_->for_each_connection([](Connection& connection) {
    connection.association->abort_and_close("this node is stopping");
  });
}

bool Listener::wait_until_closed(std::chrono::milliseconds at_most) {
  std::unique_lock lock(state_->mutex);
  return state_->closed.wait_for(
      lock, at_most, [this] { return !state_->accepting && state_->connections.empty(); });
}

}  // namespace dr::service
