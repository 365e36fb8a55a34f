#include "dimse/ul/association.h"

#include <utility>

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/experimental/as_tuple.hpp>
#include <asio/use_awaitable.hpp>

namespace dr::ul {
namespace {

constexpr auto kUse = asio::experimental::as_tuple(asio::use_awaitable);

}  // namespace

std::shared_ptr<Association> Association::make(std::unique_ptr<Transport> transport,
                                               AssociationOptions options) {
  return std::shared_ptr<Association>(new Association(std::move(transport), options));
}

Association::Association(std::unique_ptr<Transport> transport, AssociationOptions options)
    : options_(options),
      transport_(std::move(transport)),
      input_(*transport_),
      watchdog_(*options.timers, transport_->executor(),
                [this](Watchdog::Slot slot) { on_expired(slot); }),
      turn_(transport_->executor(), asio::steady_timer::time_point::max()) {}

// --- The state table at work ---------------------------------------------------------------------

bool Association::fire(Event event, std::uint8_t abort_reason, Bytes pdu) {
  const std::optional<Transition> cell = lookup(state_, event, role_);
  if (!cell) return false;  // over already: what was still under way has no meaning any more
  const bool was_writable = writable();
  state_ = cell->next;
  perform(cell->action, abort_reason, std::move(pdu));
  if (was_writable && !writable() && ended_) ended_();
  return true;
}

void Association::perform(Action action, std::uint8_t abort_reason, Bytes pdu) {
  switch (action) {
    case Action::AE_1:  // the caller brings a connection that stands
    case Action::AE_3:  // indications and confirmations: what the awaiting caller gets
    case Action::AR_2:
    case Action::AR_6:
    case Action::AR_8:
    case Action::AR_10:
    case Action::DT_1:  // data moves where it is read and written
    case Action::DT_2:
    case Action::AR_7:
    case Action::AA_6:
      return;
    case Action::AE_2:
    case Action::AE_7:
      return post(std::move(pdu));
    case Action::AE_5:
      return watchdog_.set(Watchdog::kRead, options_.artim);
    case Action::AE_6:
      if (role_.acceptable) return watchdog_.clear(Watchdog::kRead);
      [[fallthrough]];
    case Action::AE_8:
      post(std::move(pdu));
      return watchdog_.set(Watchdog::kRead, options_.artim);
    case Action::AR_1:
      return post(encode(AReleaseRq{}));
    case Action::AR_4:
      post(encode(AReleaseRp{}));
      return watchdog_.set(Watchdog::kRead, options_.artim);
    case Action::AR_9:
      return post(encode(AReleaseRp{}));
    case Action::AA_1:
      post(encode(AAbort{.source = 0, .reason = 0}));
      return watchdog_.set(Watchdog::kRead, options_.artim);
    case Action::AA_7:
      return post(encode(AAbort{.source = 2, .reason = abort_reason}));
    case Action::AA_8:
      post(encode(AAbort{.source = 2, .reason = abort_reason}));
      return watchdog_.set(Watchdog::kRead, options_.artim);
    case Action::AE_4:
    case Action::AR_3:
    case Action::AR_5:
    case Action::AA_2:
    case Action::AA_3:
    case Action::AA_4:
    case Action::AA_5:
      return close();
  }
}

void Association::end(Ending ending, std::string reason) {
  if (ending_ != Ending::kNone) return;  // the first cause counts
  ending_ = ending;
  ending_reason_ = std::move(reason);
}

Error Association::error() const {
  switch (ending_) {
    case Ending::kRejected:
      return {Errc::kRejected, ending_reason_};
    case Ending::kAborted:
    case Ending::kPeerAborted:
      return {Errc::kAborted, ending_reason_};
    case Ending::kInvalid:
      return {Errc::kMalformed, ending_reason_};
    case Ending::kTimeout:
      return {Errc::kTimeout, ending_reason_};
    case Ending::kNone:
    case Ending::kReleased:
    case Ending::kClosed:
      return {Errc::kClosed, ending_reason_};
  }
  return {Errc::kClosed, ending_reason_};
}

void Association::on_expired(Watchdog::Slot slot) {
  switch (slot) {
    case Watchdog::kResponse:
      if (response_timeout_) response_timeout_();
      return;
    case Watchdog::kWrite:  // nothing can be said to a peer that does not read
      end(Ending::kTimeout, "the peer does not read");
      return close();
    case Watchdog::kRead:
      if (state_ == State::Sta2 || state_ == State::Sta13) {
        end(Ending::kTimeout, "ARTIM");
        (void)fire(Event::Evt18);
        return;
      }
      if (progress_counts_ && !reading_) return watchdog_.set(slot, options_.progress);
      return abort(progress_counts_ ? "no progress within a PDU" : "nothing received in time",
                   Ending::kTimeout);
  }
}

// --- Local requests ------------------------------------------------------------------------------

void Association::accept(const AAssociateAc& answer) { (void)fire(Event::Evt7, 0, encode(answer)); }

void Association::reject(AAssociateRj answer) {
  end(Ending::kRejected, numbers(answer));
  (void)fire(Event::Evt8, 0, encode(answer));
}

void Association::request_release(std::chrono::milliseconds timeout) {
  if (!fire(Event::Evt11)) return;
  progress_counts_ = false;
  watchdog_.set(Watchdog::kRead, timeout);
}

void Association::respond_release() {
  end(Ending::kReleased, "released by the peer");
  (void)fire(Event::Evt14);
}

void Association::abort(std::string why, Ending ending) {
  const Ending before = ending_;
  end(ending, std::move(why));
  if (!fire(Event::Evt15)) {
    ending_ = before;
    return;
  }
  // The reader must not hold a peer's half object for longer. A write that this tears asunder
  // leaves nothing that an A-ABORT could follow: it fails, and the connection is closed.
  transport_->cancel();
}

void Association::abort_and_close(std::string why) {
  abort(std::move(why));
  if (writing_) return close();  // to a peer that does not read, as far as anyone can tell
  asio::co_spawn(transport_->executor(), close_after_sending(shared_from_this()), asio::detached);
}

Error Association::refuse_input(std::uint8_t reason, std::string why) {
  end(Ending::kInvalid, std::move(why));
  (void)fire(Event::Evt19, reason);
  return error();
}

void Association::close() {
  end(Ending::kClosed, "closed");
  const bool was_writable = writable();
  state_ = State::Sta1;
  for (const auto slot : {Watchdog::kRead, Watchdog::kWrite, Watchdog::kResponse}) {
    watchdog_.clear(slot);
  }
  transport_->close();
  if (was_writable && ended_) ended_();
}

// --- Writing -------------------------------------------------------------------------------------

void Association::post(Bytes pdu) {
  posted_.push_back(std::move(pdu));
  asio::co_spawn(transport_->executor(), run_send_posted(shared_from_this()), asio::detached);
}

asio::awaitable<void> Association::run_send_posted(std::shared_ptr<Association> self) {
  co_await self->take_turn();
  co_await self->write_posted();
  self->give_turn();
}

asio::awaitable<void> Association::close_after_sending(std::shared_ptr<Association> self) {
  co_await run_send_posted(self);
  self->close();
}

asio::awaitable<void> Association::take_turn() {
  while (writing_) (void)co_await turn_.async_wait(kUse);
  writing_ = true;
}

void Association::give_turn() {
  writing_ = false;
  turn_.cancel_one();
}

asio::awaitable<void> Association::write_posted() {
  while (!posted_.empty()) {
    const std::vector<Bytes> pdus = std::exchange(posted_, {});
    std::vector<asio::const_buffer> parts;
    for (const Bytes& pdu : pdus) parts.push_back(asio::buffer(pdu));
    (void)co_await write_now(parts);
  }
}

asio::awaitable<Result<void>> Association::write_now(std::span<const asio::const_buffer> parts) {
  if (state_ == State::Sta1) co_return error();
  watchdog_.set(Watchdog::kWrite, options_.progress);
  Result<void> written = co_await transport_->write(parts);
  watchdog_.clear(Watchdog::kWrite);
  // A connection that failed is closed by who reads: an A-ABORT may stand there to be read still.
  if (!written && written.error().code == Errc::kCancelled) close();
  co_return written;
}

asio::awaitable<Result<void>> Association::write(std::span<const asio::const_buffer> parts) {
  if (writing_) {
    co_await take_turn();
  } else {
    writing_ = true;
  }
  if (!posted_.empty()) co_await write_posted();
  if (!fire(Event::Evt9)) {
    give_turn();
    co_return error();
  }
  Result<void> written = co_await write_now(parts);
  give_turn();
  co_return written;
}

}  // namespace dr::ul
