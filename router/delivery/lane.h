#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include <asio/steady_timer.hpp>

#include "router/delivery/dimse_destination.h"

namespace dr::delivery {

/// One association of a destination, from the decision to open it to its end.
struct DimseDestination::Lane {
  enum class Phase : std::uint8_t { kStarting, kBusy, kIdle, kWoken };

  Lane(std::uint32_t n, asio::any_io_executor on)
      : number(n),
        executor(std::move(on)),
        signal(executor, asio::steady_timer::time_point::max()) {}

  const std::uint32_t number;  // from 1; a later association has a greater one
  const asio::any_io_executor executor;
  AeTitle calling_ae_title;
  std::vector<service::ProposedContext> contexts;
  SteadyTime requested{};
  bool probe = false;  // opened to see whether the destination lives again

  // Guarded by the destination's lock.
  Phase phase = Phase::kStarting;
  bool retire = false;       // leaves when it next asks for work
  std::uint32_t served = 0;  // objects in a row

  // The executor's thread.
  std::unique_ptr<service::StorageScu> scu;
  asio::steady_timer signal;  // never expires; cancelled to wake the lane
  std::unique_ptr<ul::Timer> idle;
  journal::AssociationRecord record;
  bool answered = false;  // some C-STORE-RSP came
  std::string end;        // what broke it
};

}  // namespace dr::delivery
