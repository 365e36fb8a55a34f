#pragma once

#include <asio/awaitable.hpp>
#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>

#include "dimse/service/storage_scu.h"
#include "router/delivery/settings.h"

namespace dr::cli {

/// A destination's own settings, as an SCU takes them.
service::Peer peer_of(const delivery::DestinationSettings& destination);

/// Runs one coroutine to its end on this thread.
template <class T>
T run_to_end(asio::io_context& context, asio::awaitable<T> work) {
  std::optional<T> result;
  std::exception_ptr failure;
  asio::co_spawn(context, std::move(work), [&](std::exception_ptr e, T value) {
    failure = e;
    result = std::move(value);
    context.stop();  // a timer of an ended association may still be set
  });
  context.run();
  if (failure) std::rethrow_exception(failure);
  return std::move(*result);
}

}  // namespace dr::cli
