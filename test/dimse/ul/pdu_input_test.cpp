#include "dimse/ul/pdu_input.h"

#include <algorithm>
#include <cstring>
#include <deque>

#include <gtest/gtest.h>

#include "test/support/memory_node.h"
#include "test/support/messages.h"
#include "test/support/scu_client.h"

namespace dr::ul {
namespace {

using test::hex;
using test::operator+;

// Gives out octets in portions, and writes down where they went.
class PortionedTransport final : public Transport {
 public:
  PortionedTransport(asio::any_io_executor executor, Bytes octets, std::size_t portion)
      : executor_(std::move(executor)), octets_(std::move(octets)), portion_(portion) {}

  asio::any_io_executor executor() override { return executor_; }
  const PeerAddress& peer() const override { return peer_; }
  asio::awaitable<Result<std::size_t>> read_some(
      std::span<const asio::mutable_buffer> into) override {
    ++reads;
    std::size_t n = 0;
    for (const asio::mutable_buffer& buffer : into) {
      const std::size_t take = std::min({buffer.size(), octets_.size() - at_, portion_ - n});
      std::memcpy(buffer.data(), octets_.data() + at_, take);
      at_ += take;
      n += take;
      targets.emplace_back(buffer.data(), take);
    }
    if (n == 0) co_return Error{Errc::kClosed, "end"};
    co_return n;
  }
  asio::awaitable<Result<void>> write(std::span<const asio::const_buffer>) override {
    co_return Result<void>();
  }
  void cancel() noexcept override {}
  void close() noexcept override {}

  std::size_t reads = 0;
  std::vector<std::pair<void*, std::size_t>> targets;

 private:
  asio::any_io_executor executor_;
  PeerAddress peer_;
  Bytes octets_;
  std::size_t portion_;
  std::size_t at_ = 0;
};

class PduInputTest : public testing::Test {
 protected:
  asio::io_context& context() { return *io_.contexts().front(); }
  PortionedTransport transport(Bytes octets, std::size_t portion = SIZE_MAX) {
    return {context().get_executor(), std::move(octets), portion};
  }
  test::IoThreads io_{1};
};

// All data of P-DATA-TFs until the end of the stream, read `chunk` octets at most at a time.
asio::awaitable<Bytes> all_data(PduInput* input, std::size_t chunk) {
  Bytes data;
  Bytes buffer(chunk);
  while (true) {
    const auto header = co_await input->header();
    if (!header) co_return data;
    while (input->pdu_left() > 0) {
      const auto pdv = co_await input->pdv();
      if (!pdv) co_return data;
      while (input->pdv_left() > 0) {
        const auto n = co_await input->read(buffer);
        if (!n) co_return data;
        data.insert(data.end(), buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(*n));
      }
    }
  }
}

TEST_F(PduInputTest, GivesTheSameOctetsHoweverTheyArriveAndAreTaken) {
  const Bytes data = test::some_data(60'000);
  const Bytes stream = test::p_data(1, false, false, ByteSpan(data).first(20'001)) +
                       test::p_data(1, false, false, {}) +
                       test::p_data(1, false, false, ByteSpan(data).subspan(20'001, 1)) +
                       test::p_data(1, false, true, ByteSpan(data).subspan(20'002));
  for (const std::size_t portion : {1UL, 5UL, 13UL, 4'096UL, 100'000UL}) {
    for (const std::size_t chunk : {1UL, 100UL, 30'000UL, 100'000UL}) {
      PortionedTransport from = transport(stream, portion);
      PduInput input(from);
      EXPECT_TRUE(test::wait_for(context(), all_data(&input, chunk)) == data)
          << "portion " << portion << " chunk " << chunk;
    }
  }
}

TEST_F(PduInputTest, ReadsALargeFragmentStraightIntoTheCallersMemory) {
  const Bytes data = test::some_data(4 * 100'000);
  Bytes stream;
  for (std::size_t at = 0; at < data.size(); at += 100'000) {
    stream = stream + test::p_data(1, false, at + 100'000 == data.size(),
                                   ByteSpan(data).subspan(at, 100'000));
  }
  PortionedTransport from = transport(stream);
  PduInput input(from);
  EXPECT_TRUE(test::wait_for(context(), all_data(&input, 100'000)) == data);
  std::size_t elsewhere = 0;  // through the look-ahead: copied
  for (const auto& [where, octets] : from.targets) {
    if (octets <= PduInput::kLookAhead) elsewhere += octets;
  }
  EXPECT_LE(elsewhere, PduInput::kLookAhead + 4 * 12);
  EXPECT_LE(from.reads, 6U);
}

TEST_F(PduInputTest, RefusesAPduBodyAboveTheLimitBeforeAllocating) {
  PortionedTransport from = transport(hex("01 00 ffffffff"));
  PduInput input(from);
  const auto coroutine = [](PduInput* in) -> asio::awaitable<Result<Bytes>> {
    (void)co_await in->header();
    co_return co_await in->body(1000);
  };
  const Result<Bytes> body = test::wait_for(context(), coroutine(&input));
  ASSERT_FALSE(body);
  EXPECT_EQ(body.error().code, Errc::kTooLong);
}

TEST_F(PduInputTest, RefusesAPdvThatDoesNotFitIntoItsPdu) {
  for (const auto* octets : {"04 00 00000008 00000005 0100 0000", "04 00 00000006 00000001 0100",
                             "04 00 00000005 00000002 01", "04 00 00000006 ffffffff 0100"}) {
    PortionedTransport from = transport(hex(octets));
    PduInput input(from);
    const auto coroutine = [](PduInput* in) -> asio::awaitable<Result<PdvHeader>> {
      (void)co_await in->header();
      co_return co_await in->pdv();
    };
    const Result<PdvHeader> pdv = test::wait_for(context(), coroutine(&input));
    ASSERT_FALSE(pdv) << octets;
    EXPECT_EQ(pdv.error().code, Errc::kMalformed);
  }
}

}  // namespace
}  // namespace dr::ul
