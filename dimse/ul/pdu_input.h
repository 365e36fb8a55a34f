#pragma once

#include <cstdint>
#include <memory>

#include <asio/awaitable.hpp>

#include "dimse/base/bytes.h"
#include "dimse/base/result.h"
#include "dimse/ul/pdu.h"
#include "dimse/ul/transport.h"

namespace dr::ul {

/// The six octets before the data of a PDV (PS3.8 9.3.5.1 and E.2), without the data.
struct PdvHeader {
  PresentationContextId id{};
  bool command = false;
  bool last = false;
  std::uint32_t length = 0;  // of the data
};

/// Takes PDUs apart as they arrive, without ever holding one whole. Headers pass through a small
/// look-ahead buffer; the data of a PDV is read with one call into the caller's memory plus the
/// look-ahead behind it, so that only what had come along with a header is copied. Knows lengths
/// only, no states.
class PduInput {
 public:
  /// Also the most that is ever copied of a PDV: larger saves calls on small objects, smaller saves
  /// copying on large ones.
  static constexpr std::size_t kLookAhead = 16 * 1024;

  explicit PduInput(Transport& transport);

  /// The next PDU's header; the present PDU must have been read to its end.
  asio::awaitable<Result<PduHeader>> header();
  std::uint32_t pdu_left() const noexcept { return pdu_left_ + pdv_left_; }
  /// All that is left of the PDU, at most `limit` (else kTooLong).
  asio::awaitable<Result<Bytes>> body(std::uint32_t limit);
  /// Drops what is left of the PDU.
  asio::awaitable<Result<void>> skip();

  /// The next PDV of a P-DATA-TF with octets left; kMalformed when its length does not fit in.
  asio::awaitable<Result<PdvHeader>> pdv();
  std::uint32_t pdv_left() const noexcept { return pdv_left_; }
  ByteSpan buffered() const noexcept;
  asio::awaitable<Result<std::size_t>> read(MutableByteSpan into);

 private:
  asio::awaitable<Result<void>> need(std::size_t octets);
  std::size_t held() const noexcept { return end_ - begin_; }
  std::size_t take_held(std::byte* into, std::size_t most) noexcept;

  Transport& transport_;
  std::unique_ptr<std::byte[]> look_ahead_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::size_t read_behind() const noexcept;

  std::uint32_t pdu_left_ = 0;  // behind the present PDV
  std::uint32_t pdv_left_ = 0;
  std::uint32_t pdv_length_ = 0;
  bool pdv_last_ = false;
};

}  // namespace dr::ul
