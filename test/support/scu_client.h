#pragma once

#include <chrono>
#include <future>
#include <memory>
#include <utility>
#include <vector>

#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>
#include <asio/use_future.hpp>

#include "dimse/service/storage_scu.h"

namespace dr::test {

/// Gives its pieces one after another, in memory that is gone with the next call, then its end.
class PiecewiseSource final : public service::DataSetSource {
 public:
  explicit PiecewiseSource(std::vector<Bytes> pieces) : pieces_(std::move(pieces)) {}
  /// Fails instead of ending.
  void fail_at_end() { fails_ = true; }

  asio::awaitable<Result<ByteSpan>> next() override {
    current_.reset();
    if (next_ == pieces_.size()) {
      if (fails_) co_return Error{Errc::kIo, "test"};
      co_return ByteSpan();
    }
    current_ = std::make_unique<Bytes>(pieces_[next_++]);
    co_return ByteSpan(*current_);
  }

 private:
  std::vector<Bytes> pieces_;
  std::unique_ptr<Bytes> current_;
  std::size_t next_ = 0;
  bool fails_ = false;
};

/// Runs coroutines on `context`, whose thread is not the caller's, and waits for their outcome.
template <class T>
T wait_for(asio::io_context& context, asio::awaitable<T> coroutine) {
  std::future<T> outcome = asio::co_spawn(context, std::move(coroutine), asio::use_future);
  return outcome.get();
}

}  // namespace dr::test
