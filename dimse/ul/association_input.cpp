// The reading half of Association: which event a PDU is, and what its data brings.
#include <utility>

#include "dimse/ul/association.h"

namespace dr::ul {
namespace {

// Reasons of an A-ABORT by the service provider (PS3.8 9.3.8).
constexpr std::uint8_t kUnrecognisedPdu = 1;
constexpr std::uint8_t kUnexpectedPdu = 2;
constexpr std::uint8_t kInvalidParameterValue = 6;

constexpr std::uint32_t kPdvHeaderLength = 6;
// A P-DATA-TF that brings neither an octet nor the end of a fragment moves nothing; a peer that
// sends more of them than this in a row only keeps us awake.
constexpr unsigned kMaxIdlePdus = 16;

Event event_of(PduType type) {
  switch (type) {
    case PduType::kAAssociateRq:
      return Event::Evt6;
    case PduType::kAAssociateAc:
      return Event::Evt3;
    case PduType::kAAssociateRj:
      return Event::Evt4;
    case PduType::kPDataTf:
      return Event::Evt10;
    case PduType::kAReleaseRq:
      return Event::Evt12;
    case PduType::kAReleaseRp:
      return Event::Evt13;
    case PduType::kAAbort:
      return Event::Evt16;
  }
  return Event::Evt19;
}

// Their bodies are four octets (PS3.8 9.3.4, 9.3.6 to 9.3.8).
bool has_fixed_length(PduType type) {
  return type == PduType::kAAssociateRj || type == PduType::kAReleaseRq ||
         type == PduType::kAReleaseRp || type == PduType::kAAbort;
}
constexpr std::uint32_t kFixedLength = 4;

std::string describe(const PduHeader& header) {
  return "PDU type=" + std::to_string(header.type) + " length=" + std::to_string(header.length);
}

}  // namespace

std::string numbers(const AAssociateRj& rj) {
  return std::to_string(rj.result) + "/" + std::to_string(rj.source) + "/" +
         std::to_string(rj.reason);
}

// Evt19 by the header alone, whatever the state.
std::optional<std::uint8_t> Association::invalid_header(const PduHeader& header) const {
  const auto type = static_cast<PduType>(header.type);
  if (event_of(type) == Event::Evt19) return kUnrecognisedPdu;
  if (has_fixed_length(type) && header.length != kFixedLength) return kInvalidParameterValue;
  const bool associate = type == PduType::kAAssociateRq || type == PduType::kAAssociateAc;
  if (associate && header.length > kMaxAssociatePduLength) return kInvalidParameterValue;
  return std::nullopt;
}

Error Association::lost(const Error& cause) {
  // Cancelled: by abort_for(), which has set the ending; anything else is the connection's end.
  if (state_ != State::Sta1 && cause.code != Errc::kCancelled) {
    end(Ending::kClosed, cause.to_string());
    (void)fire(Event::Evt17);
  }
  return error();
}

asio::awaitable<Result<PduHeader>> Association::next_pdu() {
  reading_ = true;
  Result<PduHeader> header = co_await input_.header();
  reading_ = false;
  if (!header) co_return lost(header.error());
  co_return header;
}

asio::awaitable<Result<Bytes>> Association::body() {
  reading_ = true;
  Result<Bytes> octets = co_await input_.body(kMaxAssociatePduLength);
  reading_ = false;
  if (!octets) co_return lost(octets.error());
  co_return octets;
}

asio::awaitable<Result<AAssociateRq>> Association::await_request() {
  (void)fire(Event::Evt5);
  const Result<PduHeader> header = co_await next_pdu();
  if (!header) co_return header.error();
  if (invalid_header(*header)) co_return refuse_input(0, describe(*header));
  if (header->type != static_cast<std::uint8_t>(PduType::kAAssociateRq)) {
    co_return unexpected(*header);
  }
  const Result<Bytes> octets = co_await body();
  if (!octets) co_return octets.error();
  Result<AAssociateRq> rq = decode_associate_rq(*octets);
  if (!rq) co_return refuse_input(kInvalidParameterValue, rq.error().to_string());
  // The other bits of the protocol version are not to be tested (PS3.8 9.3.2).
  role_.acceptable = (rq->protocol_version & 1) != 0;
  if (role_.acceptable) {
    (void)fire(Event::Evt6);
    co_return rq;
  }
  const AAssociateRj rejection{.result = 1, .source = 2, .reason = 2};
  end(Ending::kRejected, numbers(rejection));
  (void)fire(Event::Evt6, 0, encode(rejection));
  co_return error();
}

asio::awaitable<Result<AAssociateAc>> Association::request(AAssociateRq proposal,
                                                           std::chrono::milliseconds timeout) {
  role_.requestor = true;
  (void)fire(Event::Evt1);
  (void)fire(Event::Evt2, 0, encode(proposal));
  watchdog_.set(Watchdog::kRead, timeout);
  const Result<PduHeader> header = co_await next_pdu();
  if (!header) co_return header.error();
  if (const auto reason = invalid_header(*header))
    co_return refuse_input(*reason, describe(*header));
  const auto type = static_cast<PduType>(header->type);
  if (type != PduType::kAAssociateAc && type != PduType::kAAssociateRj) {
    co_return co_await on_abort_or_unexpected(*header);
  }
  const Result<Bytes> octets = co_await body();
  if (!octets) co_return octets.error();
  if (type == PduType::kAAssociateRj) {
    const Result<AAssociateRj> rj = decode_associate_rj(*octets);
    if (!rj) co_return refuse_input(kInvalidParameterValue, rj.error().to_string());
    end(Ending::kRejected, numbers(*rj));
    (void)fire(Event::Evt4);
    co_return error();
  }
  Result<AAssociateAc> ac = decode_associate_ac(*octets);
  if (!ac) co_return refuse_input(kInvalidParameterValue, ac.error().to_string());
  watchdog_.clear(Watchdog::kRead);
  (void)fire(Event::Evt3);
  co_return ac;
}

Error Association::unexpected(const PduHeader& header) {
  const Event event = event_of(static_cast<PduType>(header.type));
  if (event == Event::Evt16) {
    end(Ending::kPeerAborted, "A-ABORT");
  } else {
    end(Ending::kInvalid, "unexpected " + describe(header));
  }
  (void)fire(event, kUnexpectedPdu);
  return error();
}

asio::awaitable<Error> Association::on_abort_or_unexpected(PduHeader header) {
  if (static_cast<PduType>(header.type) != PduType::kAAbort) co_return unexpected(header);
  const Result<Bytes> octets = co_await body();
  if (!octets) co_return octets.error();
  const Result<AAbort> abort = decode_abort(*octets);
  end(Ending::kPeerAborted, abort ? "A-ABORT source=" + std::to_string(abort->source) +
                                        " reason=" + std::to_string(abort->reason)
                                  : "A-ABORT");
  (void)fire(Event::Evt16);
  co_return error();
}

void Association::start_reading(Wait wait) {
  progress_counts_ = wait == Wait::kFragment;
  if (progress_counts_) {
    watchdog_.set(Watchdog::kRead, options_.progress);
  } else if (wait == Wait::kMessage && options_.idle.count() > 0) {
    watchdog_.set(Watchdog::kRead, options_.idle);
  } else if (wait == Wait::kForEver || wait == Wait::kMessage) {
    watchdog_.clear(Watchdog::kRead);
  }
}

bool Association::begin_data(const PduHeader& header) {
  // PS3.8 D.1: our announced maximum holds for all that follows the PDU's header.
  if (options_.max_pdu != 0 && header.length > options_.max_pdu) {
    (void)refuse_input(kInvalidParameterValue,
                       describe(header) + " limit=" + std::to_string(options_.max_pdu));
    return false;
  }
  idle_pdus_ = pdu_brought_something_ ? 0 : idle_pdus_ + 1;
  pdu_brought_something_ = false;
  if (header.length < kPdvHeaderLength || idle_pdus_ > kMaxIdlePdus) {
    (void)refuse_input(kInvalidParameterValue, describe(header) + " without data");
    return false;
  }
  if (!takes_data()) {  // Sta11
    (void)unexpected(header);
    return false;
  }
  if (!releasing()) {
    watchdog_.set(Watchdog::kRead, options_.progress);
    progress_counts_ = true;
  }
  return fire(Event::Evt10);
}

asio::awaitable<Result<Indication>> Association::next(Wait wait) {
  while (input_.pdu_left() == 0) {
    if (!takes_data() && !releasing()) co_return error();
    if (!releasing()) start_reading(wait);
    const Result<PduHeader> header = co_await next_pdu();
    if (!header) co_return header.error();
    if (!takes_data() && !releasing()) co_return error();  // aborted by this side meanwhile
    if (header->type == static_cast<std::uint8_t>(PduType::kPDataTf)) {
      if (!begin_data(*header)) co_return error();
      continue;
    }
    const Result<Indication> indication = co_await on_control_pdu(*header);
    if (!indication || state_ == State::Sta8) co_return indication;
  }
  if (!takes_data()) co_return error();
  reading_ = true;
  const Result<PdvHeader> pdv = co_await input_.pdv();
  reading_ = false;
  if (!pdv && pdv.error().code == Errc::kMalformed) {
    co_return refuse_input(kInvalidParameterValue, pdv.error().to_string());
  }
  if (!pdv) co_return lost(pdv.error());
  if (!takes_data()) co_return error();
  if (pdv->last || pdv->length > 0) pdu_brought_something_ = true;
  co_return Indication{.kind = Indication::Kind::kData, .pdv = *pdv};
}

asio::awaitable<Result<Indication>> Association::on_control_pdu(PduHeader header) {
  if (const auto reason = invalid_header(header)) co_return refuse_input(*reason, describe(header));
  const auto type = static_cast<PduType>(header.type);
  if (type == PduType::kAReleaseRq) {
    const Result<Bytes> octets = co_await body();
    if (!octets) co_return octets.error();
    if (!takes_data()) co_return unexpected(header);
    (void)fire(Event::Evt12);
    // Both asked at once (AR-8): the requestor answers, then awaits its own answer; the acceptor
    // awaits its answer first.
    if (state_ == State::Sta9) (void)fire(Event::Evt14);
    if (state_ == State::Sta8) watchdog_.clear(Watchdog::kRead);
    co_return Indication{.kind = Indication::Kind::kReleaseRequest, .pdv = {}};
  }
  if (type == PduType::kAReleaseRp && releasing()) {
    end(Ending::kReleased, "released");
    (void)fire(Event::Evt13);
    if (state_ == State::Sta12) (void)fire(Event::Evt14);
    co_return error();
  }
  co_return co_await on_abort_or_unexpected(header);
}

asio::awaitable<Result<std::size_t>> Association::read(MutableByteSpan into) {
  if (!takes_data()) co_return error();
  reading_ = true;
  Result<std::size_t> n = co_await input_.read(into);
  reading_ = false;
  if (!n) co_return lost(n.error());
  if (!takes_data()) co_return error();
  co_return n;
}

asio::awaitable<void> Association::closed() {
  while (state_ == State::Sta13) {
    if (input_.pdu_left() > 0) {
      const Result<void> skipped = co_await input_.skip();
      if (!skipped && skipped.error().code != Errc::kCancelled) (void)lost(skipped.error());
      continue;
    }
    const Result<PduHeader> header = co_await input_.header();
    if (!header) {
      if (header.error().code != Errc::kCancelled) (void)lost(header.error());
      continue;
    }
    const bool invalid = invalid_header(*header).has_value();
    (void)fire(invalid ? Event::Evt19 : event_of(static_cast<PduType>(header->type)),
               invalid ? kUnrecognisedPdu : kUnexpectedPdu);
  }
  close();
}

}  // namespace dr::ul
