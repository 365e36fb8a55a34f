#include "dimse/service/storage_scu.h"

#include <algorithm>
#include <array>
#include <utility>

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/experimental/as_tuple.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>

#include "dimse/base/log.h"
#include "dimse/encoding/transfer_syntax.h"
#include "dimse/message/message_reader.h"
#include "dimse/service/sop_classes.h"
#include "dimse/ul/association.h"
#include "dimse/ul/transport.h"

namespace dr::service {
namespace {

using message::Command;
using message::CommandSet;
using ul::Association;

constexpr auto kUse = asio::experimental::as_tuple(asio::use_awaitable);

// What one P-DATA-TF of ours may hold behind its header (PS3.8 D.1): the peer's limit, bounded so
// that an absurd one neither stalls nor splits a message into crumbs.
constexpr std::uint32_t kMostPduLength = 131072;
constexpr std::uint32_t kLeastPduLength = 1024;
constexpr std::uint32_t kPdvHeaderLength = 6;
// PDUs handed to the network in one call: with their headers as many parts as Asio takes at once.
constexpr std::size_t kPdusInOneWrite = 8;
// How long an aborted association waits for the peer to close (ARTIM in Sta13).
constexpr std::chrono::milliseconds kLongestGoodbye{5'000};

std::uint32_t fragment_length(std::uint32_t peer_max) {
  const std::uint32_t most = peer_max == 0 ? kMostPduLength : peer_max;
  return std::clamp(most, kLeastPduLength, kMostPduLength) - kPdvHeaderLength;
}

// What the association's reader and its user share.
struct Session {
  explicit Session(std::shared_ptr<Association> a)
      : association(std::move(a)),
        changed(association->transport().executor(), asio::steady_timer::time_point::max()) {}

  struct Context {
    ProposedContext proposed;
    bool accepted = false;
  };
  static ul::PresentationContextId id_of(std::size_t index) {
    return ul::PresentationContextId{static_cast<std::uint8_t>(2 * index + 1)};
  }
  const Context* find(const ProposedContext& context) const {
    const auto at = std::find_if(contexts.begin(), contexts.end(),
                                 [&](const Context& c) { return c.proposed == context; });
    return at == contexts.end() ? nullptr : &*at;
  }

  std::shared_ptr<Association> association;
  std::vector<Context> contexts;
  std::uint32_t fragment = 0;
  std::optional<CommandSet> response;
  bool awaited = false;  // somebody waits for a response
  bool ended = false;
  asio::steady_timer changed;  // never expires; cancelled when response or ended was set
};
using SessionPtr = std::shared_ptr<Session>;

// Reads all the while, also when nobody waits: a peer that aborts while data is still being sent,
// or closes an association that rests, is noticed when it happens.
asio::awaitable<void> read_responses(SessionPtr session) {
  Association& association = *session->association;
  message::MessageReader::Contexts accepted{};
  for (std::size_t i = 0; i < session->contexts.size(); ++i) {
    accepted[static_cast<std::uint8_t>(Session::id_of(i))] = session->contexts[i].accepted;
  }
  message::MessageReader reader(session->association, accepted);
  while (true) {
    Result<std::optional<message::Message>> message =
        co_await reader.next(Association::Wait::kForEver);
    if (!message) break;
    if (!*message) {
      association.respond_release();
      break;
    }
    CommandSet& command = (*message)->command;
    if (command.has_data_set() && !(co_await reader.skip_data_set())) break;
    if (!session->awaited || session->response || !command.command_field ||
        !message::is_response(*command.command_field)) {
      association.abort("a message that nobody asked for", ul::Ending::kInvalid);
      break;
    }
    session->response = std::move(command);
    session->changed.cancel();
  }
  session->ended = true;
  session->changed.cancel();
  co_await association.closed();
}

// Splits a data set into fragments and keeps its last octets back, since only the source's end
// tells which fragment is the last, and its memory may be gone by then.
class DataSetWriter {
 public:
  /// `deflated`: a data set of odd length ends in one octet of zero (PS3.5 A.5), which inflating
  /// never sees; peers reject an odd fragment. Any other data set goes as it is.
  DataSetWriter(Association& association, ul::PresentationContextId id, std::uint32_t fragment,
                bool deflated)
      : association_(association), id_(id), fragment_(fragment), deflated_(deflated) {}

  /// Goes out in front of the next fragment, in the same write.
  void prefix(ByteSpan pdu) { parts_.push_back(asio::buffer(pdu.data(), pdu.size())); }

  asio::awaitable<Result<void>> put(ByteSpan octets) {
    if (kept_.size() + octets.size() <= kKeepBack) {
      kept_.insert(kept_.end(), octets.begin(), octets.end());
      co_return Result<void>();
    }
    std::size_t keep = std::min(octets.size(), kKeepBack);
    if ((kept_.size() + octets.size() - keep) % 2 != 0) --keep;  // fragments are even (PS3.8 E.2)
    Result<void> sent = co_await send(octets.first(octets.size() - keep), false);
    kept_.assign(octets.end() - static_cast<std::ptrdiff_t>(keep), octets.end());
    co_return sent;
  }
  asio::awaitable<Result<void>> finish() {
    if (deflated_ && (octets_ + kept_.size()) % 2 != 0) kept_.push_back(std::byte{0});
    co_return co_await send({}, true);
  }

  std::uint64_t octets() const { return octets_; }

 private:
  static constexpr std::size_t kKeepBack = 512;  // below the least fragment

  // What was kept, then `octets`, in fragments of which the final one is `last` if asked for.
  asio::awaitable<Result<void>> send(ByteSpan octets, bool last) {
    ByteSpan kept(kept_);
    do {
      std::size_t pdus = 0;
      for (; pdus < kPdusInOneWrite && (pdus == 0 || kept.size() + octets.size() > 0); ++pdus) {
        const std::size_t length = std::min<std::size_t>(fragment_, kept.size() + octets.size());
        const bool final = length == kept.size() + octets.size();
        headers_[pdus] =
            ul::p_data_header(id_, false, last && final, static_cast<std::uint32_t>(length));
        parts_.push_back(asio::buffer(headers_[pdus]));
        const std::size_t from_octets = length - kept.size();  // kept is below a fragment
        add(kept);
        add(octets.first(from_octets));
        octets = octets.subspan(from_octets);
        octets_ += length;
        kept = {};
      }
      Result<void> written = co_await association_.write(parts_);
      parts_.clear();
      if (!written) co_return written;
    } while (!octets.empty());
    co_return Result<void>();
  }
  void add(ByteSpan octets) {
    if (!octets.empty()) parts_.push_back(asio::buffer(octets.data(), octets.size()));
  }

  Association& association_;
  const ul::PresentationContextId id_;
  const std::uint32_t fragment_;
  const bool deflated_;
  std::vector<std::byte> kept_;
  std::vector<asio::const_buffer> parts_;
  std::array<std::array<std::byte, 12>, kPdusInOneWrite> headers_{};
  std::uint64_t octets_ = 0;
};

class AsioStorageScu final : public StorageScu {
 public:
  AsioStorageScu(SessionPtr session, Peer peer)
      : session_(std::move(session)), peer_(std::move(peer)) {}
  ~AsioStorageScu() override {
    if (session_->association->state() != ul::State::Sta1) abort();
  }

  bool accepted(const ProposedContext& context) const override {
    const Session::Context* found = session_->find(context);
    return found != nullptr && found->accepted;
  }
  bool proposed(const ProposedContext& context) const override {
    return session_->find(context) != nullptr;
  }
  bool open() const override { return !session_->ended && session_->association->open(); }
  void abort() override { session_->association->abort_and_close("aborted"); }

  asio::awaitable<StoreOutcome> store(ProposedContext context, Uid sop_instance_uid,
                                      DataSetSource& source) override;
  asio::awaitable<Result<std::uint16_t>> echo() override;
  asio::awaitable<void> release() override;

 private:
  std::optional<ul::PresentationContextId> id_of(const ProposedContext& context) const;
  std::uint16_t next_message_id();
  asio::awaitable<Result<void>> send_data_set(DataSetWriter& writer, DataSetSource& source,
                                              StoreOutcome& outcome);
  asio::awaitable<Result<CommandSet>> await_response(CommandSet request);
  asio::awaitable<Error> why_not_sent(Error error);

  SessionPtr session_;
  const Peer peer_;
  std::uint16_t message_id_ = 0;
};

std::optional<ul::PresentationContextId> AsioStorageScu::id_of(
    const ProposedContext& context) const {
  const Session::Context* found = session_->find(context);
  if (found == nullptr || !found->accepted) return std::nullopt;
  return Session::id_of(static_cast<std::size_t>(found - session_->contexts.data()));
}

std::uint16_t AsioStorageScu::next_message_id() {
  message_id_ =
      message_id_ == 0xffff ? std::uint16_t{1} : static_cast<std::uint16_t>(message_id_ + 1);
  return message_id_;
}

Bytes command_pdu(ul::PresentationContextId id, const CommandSet& command) {
  const Bytes octets = message::encode_command(command);
  const auto header = ul::p_data_header(id, true, true, static_cast<std::uint32_t>(octets.size()));
  Bytes pdu;
  pdu.reserve(header.size() + octets.size());
  ByteWriter out(pdu);
  out.put(header);
  out.put(octets);
  return pdu;
}

asio::awaitable<StoreOutcome> AsioStorageScu::store(ProposedContext context, Uid sop_instance_uid,
                                                    DataSetSource& source) {
  StoreOutcome outcome;
  const auto id = id_of(context);
  if (!id) {
    outcome.error = Error{Errc::kUnsupported, "presentation context not accepted"};
    co_return outcome;
  }
  CommandSet request;
  request.affected_sop_class_uid = context.abstract_syntax;
  request.command_field = Command::kCStoreRq;
  request.message_id = next_message_id();
  request.priority = std::uint16_t{0};
  request.command_data_set_type = message::kDataSetFollows;
  request.affected_sop_instance_uid = sop_instance_uid;
  const Bytes command = command_pdu(*id, request);

  session_->response.reset();
  session_->awaited = true;
  DataSetWriter writer(*session_->association, *id, session_->fragment,
                       encoding::transfer_syntax(context.transfer_syntax).deflated);
  writer.prefix(command);
  const Result<void> sent = co_await send_data_set(writer, source, outcome);
  outcome.octets = writer.octets();
  if (!sent) {
    outcome.error = co_await why_not_sent(sent.error());
    co_return outcome;
  }
  const Result<CommandSet> response = co_await await_response(std::move(request));
  if (!response) {
    outcome.error = response.error();
    co_return outcome;
  }
  outcome.status = *response->status;
  outcome.error_comment = log::escape(response->error_comment.value_or(""));
  co_return outcome;
}

asio::awaitable<Result<void>> AsioStorageScu::send_data_set(DataSetWriter& writer,
                                                            DataSetSource& source,
                                                            StoreOutcome& outcome) {
  while (true) {
    const Result<ByteSpan> octets = co_await source.next();
    if (!octets) {
      // Before the last fragment has left: the peer must not take half an object for a whole one.
      session_->association->abort_and_close("the data set can not be read");
      co_return octets.error();
    }
    if (octets->empty()) break;
    Result<void> sent = co_await writer.put(*octets);
    if (!sent) co_return sent;
  }
  outcome.sent_all = true;  // from here on nobody can say how much has arrived
  co_return co_await writer.finish();
}

// The connection's failure, or better the A-ABORT that went before it and may still stand unread.
asio::awaitable<Error> AsioStorageScu::why_not_sent(Error error) {
  Association& association = *session_->association;
  const bool of_the_connection = error.code == Errc::kClosed || error.code == Errc::kIo;
  if (of_the_connection && !session_->ended) {
    association.watchdog().set(ul::Watchdog::kResponse, std::chrono::seconds(1));
    while (!session_->ended) (void)co_await session_->changed.async_wait(kUse);
  }
  association.abort_and_close("not sent");
  const bool told = association.ending() == ul::Ending::kPeerAborted ||
                    association.ending() == ul::Ending::kInvalid ||
                    association.ending() == ul::Ending::kTimeout;
  co_return told ? association.error() : error;
}

asio::awaitable<Result<CommandSet>> AsioStorageScu::await_response(CommandSet request) {
  Association& association = *session_->association;
  association.transport().quick_ack();
  association.watchdog().set(ul::Watchdog::kResponse, peer_.response_timeout);
  while (!session_->response && !session_->ended) {
    (void)co_await session_->changed.async_wait(kUse);
  }
  association.watchdog().clear(ul::Watchdog::kResponse);
  session_->awaited = false;
  if (!session_->response) co_return association.error();
  CommandSet response = *std::exchange(session_->response, std::nullopt);
  if (response.message_id_being_responded_to != request.message_id || !response.status ||
      response.command_field != message::response_to(*request.command_field)) {
    association.abort_and_close("a response that does not match");
    co_return Error{Errc::kMalformed, "a response that does not match its request"};
  }
  co_return response;
}

asio::awaitable<Result<std::uint16_t>> AsioStorageScu::echo() {
  const auto at = std::find_if(session_->contexts.begin(), session_->contexts.end(),
                               [](const Session::Context& c) {
                                 return c.accepted && c.proposed.abstract_syntax == kVerification;
                               });
  if (at == session_->contexts.end()) {
    co_return Error{Errc::kUnsupported, "Verification was not accepted"};
  }
  CommandSet request;
  request.affected_sop_class_uid = at->proposed.abstract_syntax;
  request.command_field = Command::kCEchoRq;
  request.message_id = next_message_id();
  request.command_data_set_type = message::kNoDataSet;
  const Bytes pdu = command_pdu(
      Session::id_of(static_cast<std::size_t>(at - session_->contexts.begin())), request);
  session_->response.reset();
  session_->awaited = true;
  const std::array parts{asio::const_buffer(asio::buffer(pdu))};
  const Result<void> sent = co_await session_->association->write(parts);
  if (!sent) co_return co_await why_not_sent(sent.error());
  const Result<CommandSet> response = co_await await_response(std::move(request));
  if (!response) co_return response.error();
  co_return *response->status;
}

asio::awaitable<void> AsioStorageScu::release() {
  session_->association->request_release(peer_.response_timeout);
  while (!session_->ended) (void)co_await session_->changed.async_wait(kUse);
  session_->association->abort_and_close("not released in time");
}

// --- Connecting ----------------------------------------------------------------------------------

using asio::ip::tcp;

asio::awaitable<Result<std::vector<tcp::endpoint>>> resolve(std::shared_ptr<tcp::resolver> resolver,
                                                            std::string host, std::uint16_t port) {
  std::error_code numeric;
  const auto address = asio::ip::make_address(host, numeric);
  if (!numeric) co_return std::vector<tcp::endpoint>{{address, port}};
  const auto [ec, found] =
      co_await resolver->async_resolve(host, std::to_string(port), tcp::resolver::flags(), kUse);
  if (ec) co_return Error{Errc::kIo, "resolve: " + ec.message()};
  std::vector<tcp::endpoint> endpoints;
  for (const auto& entry : found) endpoints.push_back(entry.endpoint());
  co_return endpoints;
}

asio::awaitable<Result<std::unique_ptr<ul::Transport>>> connect(asio::any_io_executor executor,
                                                                const Peer& peer) {
  auto resolver = std::make_shared<tcp::resolver>(executor);
  auto socket = std::make_shared<tcp::socket>(executor);
  auto late = std::make_shared<bool>(false);
  const auto timer = ul::system_timers().make(executor);
  timer->arm(ul::system_timers().now() + peer.connect_timeout, [resolver, socket, late] {
    *late = true;
    resolver->cancel();
    socket->close();
  });
  const Result<std::vector<tcp::endpoint>> endpoints =
      co_await resolve(resolver, peer.host, peer.port);
  if (!endpoints && !*late) co_return endpoints.error();
  Error error{Errc::kIo, "connect: no address"};
  for (std::size_t i = 0; endpoints && i < endpoints->size() && !*late; ++i) {
    std::error_code ignored;
    socket->close(ignored);
    const auto [ec] = co_await socket->async_connect((*endpoints)[i], kUse);
    if (*late) break;
    if (!ec) co_return ul::make_tcp_transport(std::move(*socket));
    error.detail = "connect: " + ec.message();
  }
  if (*late) co_return Error{Errc::kTimeout, "connect"};
  co_return error;
}

ul::AAssociateRq proposal(const Peer& peer, const std::vector<ProposedContext>& contexts) {
  ul::AAssociateRq rq;
  rq.called_ae_title = peer.called_ae_title.str();
  rq.calling_ae_title = peer.calling_ae_title.str();
  rq.application_context = std::string(ul::kApplicationContext);
  for (std::size_t i = 0; i < contexts.size(); ++i) {
    rq.contexts.push_back({.id = Session::id_of(i),
                           .abstract_syntax = contexts[i].abstract_syntax,
                           .transfer_syntaxes = {contexts[i].transfer_syntax}});
  }
  rq.user.max_pdu_length = peer.max_pdu;
  rq.user.implementation_class_uid = implementation_class_uid().str();
  rq.user.implementation_version_name = std::string(kImplementationVersionName);
  return rq;
}

std::vector<Session::Context> outcome_of(const std::vector<ProposedContext>& proposed,
                                         const ul::AAssociateAc& answer) {
  std::vector<Session::Context> contexts;
  for (const ProposedContext& context : proposed) contexts.push_back({context, false});
  for (const ul::PresentationContextAc& judged : answer.contexts) {
    const auto id = static_cast<std::size_t>(judged.id);
    const std::size_t index = id / 2;
    // An acceptor that names a transfer syntax which was not proposed has accepted nothing.
    if (id % 2 == 1 && index < contexts.size() && judged.result == ul::ContextResult::kAcceptance &&
        judged.transfer_syntax == contexts[index].proposed.transfer_syntax) {
      contexts[index].accepted = true;
    }
  }
  return contexts;
}

}  // namespace

asio::awaitable<Result<std::unique_ptr<StorageScu>>> StorageScu::associate(
    asio::any_io_executor executor, Peer peer, std::vector<ProposedContext> contexts) {
  if (contexts.empty() || contexts.size() > ul::kMaxPresentationContexts) {
    co_return Error{Errc::kInvalid, "presentation contexts=" + std::to_string(contexts.size()) +
                                        " limit=" + std::to_string(ul::kMaxPresentationContexts)};
  }
  Result<std::unique_ptr<ul::Transport>> transport = co_await connect(executor, peer);
  if (!transport) co_return transport.error();
  auto association = Association::make(
      std::move(*transport),
      {.max_pdu = peer.max_pdu,
       .artim = std::min<std::chrono::milliseconds>(peer.response_timeout, kLongestGoodbye),
       .progress = peer.progress_timeout,
       .idle = std::chrono::milliseconds(0)});
  const Result<ul::AAssociateAc> answer =
      co_await association->request(proposal(peer, contexts), peer.response_timeout);
  if (!answer) {
    association->abort_and_close("no association");
    co_return answer.error();
  }
  auto session = std::make_shared<Session>(association);
  session->contexts = outcome_of(contexts, *answer);
  session->fragment = fragment_length(answer->user.max_pdu_length);
  association->on_response_timeout(
      [raw = association.get()] { raw->abort("no response in time", ul::Ending::kTimeout); });
  asio::co_spawn(executor, read_responses(session), asio::detached);
  co_return std::unique_ptr<StorageScu>(
      std::make_unique<AsioStorageScu>(std::move(session), std::move(peer)));
}

}  // namespace dr::service
