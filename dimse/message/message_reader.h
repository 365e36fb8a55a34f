#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>

#include <asio/awaitable.hpp>

#include "dimse/base/bytes.h"
#include "dimse/base/result.h"
#include "dimse/message/command_set.h"
#include "dimse/ul/association.h"

namespace dr::message {

/// The command part of a DIMSE message; its data set, if any, is read next.
struct Message {
  ul::PresentationContextId context{};
  CommandSet command;
};

/// Takes P-DATA apart into messages (PS3.7 6.3, PS3.8 E): first the command set, at most
/// kMaxCommandSet, then the data set, streamed. What is not a message aborts the association: a PDV
/// in a context that was not accepted as an invalid PDU parameter (AA-8, 2/6), a data set without
/// its command or an undecodable command set by this user (AA-1). Used by the association's reader.
class MessageReader {
 public:
  /// `accepted` by presentation context ID.
  using Contexts = std::array<bool, 256>;
  MessageReader(std::shared_ptr<ul::Association> association, const Contexts& accepted);

  /// nullopt: A-RELEASE-RQ.
  asio::awaitable<Result<std::optional<Message>>> next(ul::Association::Wait wait);

  /// Waiting for the first fragment of a message.
  bool between_messages() const noexcept { return between_; }

  /// The data set of the message that next() gave, to its last fragment. `Sink` has
  /// `awaitable<MutableByteSpan> buffer()`, never empty, and `filled(n)`. Octets received.
  template <class Sink>
  asio::awaitable<Result<std::uint64_t>> data_set(Sink& sink);
  /// Reads and drops it.
  asio::awaitable<Result<std::uint64_t>> skip_data_set();

 private:
  /// The next data fragment: true when it is the last.
  asio::awaitable<Result<bool>> next_data_fragment();
  asio::awaitable<Result<bool>> read_command_fragment(ul::PdvHeader pdv);
  Error out_of_step(std::string why);

  std::shared_ptr<ul::Association> association_;
  const Contexts accepted_;
  Bytes command_;
  ul::PresentationContextId context_{};
  bool between_ = false;
};

template <class Sink>
asio::awaitable<Result<std::uint64_t>> MessageReader::data_set(Sink& sink) {
  std::uint64_t octets = 0;
  for (bool last = false; !last;) {
    const Result<bool> fragment = co_await next_data_fragment();
    if (!fragment) co_return fragment.error();
    last = *fragment;
    while (association_->pdv_left() > 0) {
      const MutableByteSpan into = co_await sink.buffer();
      const Result<std::size_t> n = co_await association_->read(into);
      if (!n) co_return n.error();
      sink.filled(*n);
      octets += *n;
    }
  }
  co_return octets;
}

}  // namespace dr::message
