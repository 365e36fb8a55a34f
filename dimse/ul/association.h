#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <asio/awaitable.hpp>
#include <asio/steady_timer.hpp>

#include "dimse/ul/pdu.h"
#include "dimse/ul/pdu_input.h"
#include "dimse/ul/state_table.h"
#include "dimse/ul/timer.h"
#include "dimse/ul/transport.h"

namespace dr::ul {

struct AssociationOptions {
  Timers* timers = &system_timers();
  std::uint32_t max_pdu = 131072;           // announced: what the peer may send (PS3.8 D.1)
  std::chrono::milliseconds artim{30'000};  // Sta2 and Sta13 (PS3.8 9.1.5)
  /// For each PDU inside a message to arrive whole, and for each write. ARTIM does not cover them.
  std::chrono::milliseconds progress{30'000};
  std::chrono::milliseconds idle{300'000};  // between messages; zero: for ever
};

/// How an association ended, as the side that looks at it sees it.
enum class Ending {
  kNone,         // it has not
  kReleased,     // A-RELEASE, in order
  kRejected,     // A-ASSOCIATE-RJ, sent or received
  kAborted,      // by this side's user
  kPeerAborted,  // A-ABORT received
  kInvalid,      // the peer broke the protocol; A-ABORT sent (AA-1 in Sta2, else AA-8)
  kTimeout,      // ARTIM or a deadline of AssociationOptions
  kClosed,       // the connection went away
};

/// What the peer sent next.
struct Indication {
  enum class Kind { kData, kReleaseRequest } kind = Kind::kData;
  PdvHeader pdv;  // of kData
};

/// "1/1/7"
std::string numbers(const AAssociateRj& rj);

/// One association, as acceptor or requestor: the runtime of the state table of PS3.8 9.2. Events
/// go in by what arrives and by the calls below; state_table says which action they have; actions
/// that send are queued and leave in order. One coroutine reads (the one that calls the awaitable
/// functions without a note), any may write; all on the transport's executor, one thread.
/// Held by shared_ptr: what sends in the background keeps it alive until it has left.
class Association : public std::enable_shared_from_this<Association> {
 public:
  static std::shared_ptr<Association> make(std::unique_ptr<Transport> transport,
                                           AssociationOptions options);
  Association(const Association&) = delete;
  Association& operator=(const Association&) = delete;

  // As acceptor.

  /// A-ASSOCIATE indication: Evt5 to Evt6 (Sta2 → Sta3). A protocol version without bit 0 is
  /// rejected here (AE-6, 1/2/2): kRejected.
  asio::awaitable<Result<AAssociateRq>> await_request();
  /// A-ASSOCIATE response, Evt7 and Evt8 (from Sta3). After reject() await closed().
  void accept(const AAssociateAc& answer);
  void reject(AAssociateRj answer);

  // As requestor.

  /// A-ASSOCIATE request: Evt1, Evt2 on a connection that stands, until Evt3 or Evt4. kRejected
  /// carries `result/source/reason` at the head of its detail.
  asio::awaitable<Result<AAssociateAc>> request(AAssociateRq proposal,
                                                std::chrono::milliseconds timeout);
  /// A-RELEASE request, Evt11. The reader goes on with next(), which fails once the release is
  /// confirmed (Ending::kReleased), refused, or the time is over. A collision of two requests is
  /// resolved there too (AR-8 to AR-10).
  void request_release(std::chrono::milliseconds timeout);

  // Both.

  enum class Wait { kMessage, kFragment, kForEver };
  /// The next PDV or A-RELEASE-RQ; what is left of the present PDV must have been read. With
  /// kMessage the idle time bounds the wait, with kFragment the progress time, else nothing does.
  asio::awaitable<Result<Indication>> next(Wait wait);
  /// Octets of the present PDV still unread.
  std::uint32_t pdv_left() const noexcept { return input_.pdv_left(); }
  /// Octets of the present PDV that are at hand without waiting, at most all of it.
  ByteSpan buffered() const noexcept { return input_.buffered(); }
  /// At least one and at most `into.size()` octets of the present PDV, which is not read to its
  /// end: straight from the socket into `into`, but for those that came along with its header.
  asio::awaitable<Result<std::size_t>> read(MutableByteSpan into);
  /// P-DATA request, whole P-DATA-TF PDUs, Evt9 (Sta6, and Sta8 by AR-7). Any coroutine. Waits for
  /// its turn; kAborted when the association has ended meanwhile.
  asio::awaitable<Result<void>> write(std::span<const asio::const_buffer> parts);
  /// A-RELEASE response, Evt14 (Sta8). Then await closed().
  void respond_release();
  /// A-ABORT request by this side's user, Evt15 (kInvalid: the peer's messages make no sense). A
  /// pending read or write ends. Then await closed().
  void abort(std::string why, Ending ending = Ending::kAborted);
  /// What arrived has a form that the standard does not allow: Evt19, with the reason of PS3.8
  /// 9.3.8 (6: invalid PDU parameter value). Then await closed().
  Error refuse_input(std::uint8_t reason, std::string why);
  /// Reads and drops what still comes in Sta13 until the peer or ARTIM closes; the reader's last
  /// call. Closing with unread input would reset the connection and take our last PDU with it.
  asio::awaitable<void> closed();
  /// Like abort(), but closes once the A-ABORT has left, without waiting for the peer to do so.
  void abort_and_close(std::string why);
  /// Closes at once, whatever is pending.
  void close();

  /// The clock of kFragment stands while nobody reads: a slow disk is not held against the peer.
  Watchdog& watchdog() noexcept { return watchdog_; }
  /// Called when no more can be written: for those who wait for something else than reading.
  void on_ended(std::function<void()> callback) { ended_ = std::move(callback); }
  /// P-DATA may still be written (Sta6, Sta8).
  bool writable() const noexcept { return state_ == State::Sta6 || state_ == State::Sta8; }
  /// Called when Watchdog::kResponse runs out.
  void on_response_timeout(std::function<void()> callback) {
    response_timeout_ = std::move(callback);
  }

  /// How it ended, as an Error.
  Error error() const;
  bool open() const noexcept { return state_ == State::Sta6; }
  State state() const noexcept { return state_; }
  Ending ending() const noexcept { return ending_; }
  /// One line for people; escaped.
  const std::string& ending_reason() const noexcept { return ending_reason_; }
  Transport& transport() noexcept { return *transport_; }

 private:
  Association(std::unique_ptr<Transport> transport, AssociationOptions options);

  bool fire(Event event, std::uint8_t abort_reason = 0, Bytes pdu = {});
  void perform(Action action, std::uint8_t abort_reason, Bytes pdu);
  void end(Ending ending, std::string reason);
  void on_expired(Watchdog::Slot slot);

  void post(Bytes pdu);
  static asio::awaitable<void> run_send_posted(std::shared_ptr<Association> self);
  static asio::awaitable<void> close_after_sending(std::shared_ptr<Association> self);
  asio::awaitable<void> take_turn();
  void give_turn();
  asio::awaitable<void> write_posted();
  asio::awaitable<Result<void>> write_now(std::span<const asio::const_buffer> parts);

  bool takes_data() const noexcept { return state_ == State::Sta6 || state_ == State::Sta7; }
  bool releasing() const noexcept {
    return state_ == State::Sta7 || state_ == State::Sta10 || state_ == State::Sta11;
  }
  void start_reading(Wait wait);
  asio::awaitable<Result<PduHeader>> next_pdu();
  asio::awaitable<Result<Bytes>> body();
  std::optional<std::uint8_t> invalid_header(const PduHeader& header) const;
  bool begin_data(const PduHeader& header);
  asio::awaitable<Result<Indication>> on_control_pdu(PduHeader header);
  asio::awaitable<Error> on_abort_or_unexpected(PduHeader header);
  Error unexpected(const PduHeader& header);
  Error lost(const Error& cause);

  const AssociationOptions options_;
  std::unique_ptr<Transport> transport_;
  PduInput input_;
  Watchdog watchdog_;
  std::function<void()> response_timeout_;
  std::function<void()> ended_;
  State state_ = State::Sta1;
  Role role_;
  Ending ending_ = Ending::kNone;
  std::string ending_reason_;
  bool reading_ = false;
  bool progress_counts_ = false;  // the read deadline is one on the peer's progress
  unsigned idle_pdus_ = 0;        // P-DATA-TF in a row that brought nothing
  bool pdu_brought_something_ = true;

  bool writing_ = false;
  std::vector<Bytes> posted_;
  asio::steady_timer turn_;  // never expires; cancelled when a writer is done
};

}  // namespace dr::ul
