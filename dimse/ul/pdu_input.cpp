#include "dimse/ul/pdu_input.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <utility>

namespace dr::ul {
namespace {

constexpr std::uint32_t kPdvHeaderLength = 6;
constexpr std::size_t kHeadersBetweenPdvs = kPduHeaderLength + kPdvHeaderLength;

}  // namespace

// Not zeroed: pages that were never touched cost an idle association nothing.
PduInput::PduInput(Transport& transport)
    : transport_(transport), look_ahead_(std::make_unique_for_overwrite<std::byte[]>(kLookAhead)) {}

asio::awaitable<Result<void>> PduInput::need(std::size_t octets) {
  while (held() < octets) {
    if (begin_ > 0) {
      std::memmove(look_ahead_.get(), look_ahead_.get() + begin_, held());
      end_ -= begin_;
      begin_ = 0;
    }
    const std::array buffer{asio::mutable_buffer(look_ahead_.get() + end_, kLookAhead - end_)};
    Result<std::size_t> n = co_await transport_.read_some(buffer);
    if (!n) co_return std::move(n).error();
    end_ += *n;
  }
  co_return Result<void>();
}

std::size_t PduInput::take_held(std::byte* into, std::size_t most) noexcept {
  const std::size_t n = std::min(most, held());
  std::memcpy(into, look_ahead_.get() + begin_, n);
  begin_ += n;
  if (begin_ == end_) begin_ = end_ = 0;
  return n;
}

asio::awaitable<Result<PduHeader>> PduInput::header() {
  if (held() < kPduHeaderLength) {
    Result<void> there = co_await need(kPduHeaderLength);
    if (!there) co_return std::move(there).error();
  }
  std::byte octets[kPduHeaderLength];
  take_held(octets, sizeof octets);
  const PduHeader header = decode_pdu_header(octets);
  pdu_left_ = header.length;
  pdv_left_ = 0;
  co_return header;
}

asio::awaitable<Result<Bytes>> PduInput::body(std::uint32_t limit) {
  if (pdu_left_ > limit) {
    co_return Error{Errc::kTooLong,
                    "PDU length=" + std::to_string(pdu_left_) + " limit=" + std::to_string(limit)};
  }
  Bytes octets(pdu_left_);
  std::size_t have = take_held(octets.data(), octets.size());
  while (have < octets.size()) {
    const std::array buffer{asio::mutable_buffer(octets.data() + have, octets.size() - have)};
    Result<std::size_t> n = co_await transport_.read_some(buffer);
    if (!n) co_return std::move(n).error();
    have += *n;
  }
  pdu_left_ = 0;
  co_return octets;
}

asio::awaitable<Result<void>> PduInput::skip() {
  pdu_left_ += std::exchange(pdv_left_, 0U);
  while (pdu_left_ > 0) {
    if (held() == 0) {
      Result<void> there = co_await need(1);
      if (!there) co_return std::move(there).error();
    }
    const std::size_t n = std::min<std::size_t>(pdu_left_, held());
    begin_ += n;
    if (begin_ == end_) begin_ = end_ = 0;
    pdu_left_ -= static_cast<std::uint32_t>(n);
  }
  co_return Result<void>();
}

asio::awaitable<Result<PdvHeader>> PduInput::pdv() {
  if (pdu_left_ < kPdvHeaderLength) {
    co_return Error{Errc::kMalformed, "PDV header in " + std::to_string(pdu_left_) + " octets"};
  }
  if (held() < kPdvHeaderLength) {
    Result<void> there = co_await need(kPdvHeaderLength);
    if (!there) co_return std::move(there).error();
  }
  std::byte octets[kPdvHeaderLength];
  take_held(octets, sizeof octets);
  pdu_left_ -= kPdvHeaderLength;
  // The item length counts the context ID and the message control header (PS3.8 table 9-23).
  const std::uint32_t length = load_be<std::uint32_t>(octets);
  if (length < 2 || length - 2 > pdu_left_) {
    co_return Error{Errc::kMalformed, "PDV length=" + std::to_string(length) +
                                          " left=" + std::to_string(pdu_left_ + 2)};
  }
  const auto control = std::to_integer<unsigned>(octets[5]);
  pdv_left_ = pdv_length_ = length - 2;
  pdv_last_ = (control & 2) != 0;
  pdu_left_ -= pdv_left_;
  co_return PdvHeader{.id = PresentationContextId{std::to_integer<std::uint8_t>(octets[4])},
                      .command = (control & 1) != 0,
                      .last = pdv_last_,
                      .length = pdv_left_};
}

ByteSpan PduInput::buffered() const noexcept {
  return {look_ahead_.get() + begin_, std::min<std::size_t>(held(), pdv_left_)};
}

// Behind a large fragment in the middle of a data set stand two headers and then data that can go
// straight to its place with the next call; behind a last or small one more is taken along.
std::size_t PduInput::read_behind() const noexcept {
  return pdv_last_ || pdv_length_ < kLookAhead / 2 ? kLookAhead : kHeadersBetweenPdvs;
}

asio::awaitable<Result<std::size_t>> PduInput::read(MutableByteSpan into) {
  const std::size_t want = std::min<std::size_t>(into.size(), pdv_left_);
  if (held() > 0) {
    const std::size_t n = take_held(into.data(), want);
    pdv_left_ -= static_cast<std::uint32_t>(n);
    co_return n;
  }
  // The look-ahead may follow only where the PDV ends inside `into`.
  const std::array buffers{asio::mutable_buffer(into.data(), want),
                           asio::mutable_buffer(look_ahead_.get(), read_behind())};
  const std::size_t used = want == pdv_left_ ? 2 : 1;
  Result<std::size_t> n = co_await transport_.read_some(std::span(buffers).first(used));
  if (!n) co_return std::move(n).error();
  const std::size_t direct = std::min(*n, want);
  end_ = *n - direct;
  pdv_left_ -= static_cast<std::uint32_t>(direct);
  co_return direct;
}

}  // namespace dr::ul
