#include "router/delivery/http_destination.h"

#include <utility>

#include "dimse/base/thread_name.h"

namespace dr::delivery {

HttpDestination::HttpDestination(std::shared_ptr<Core> core, DestinationSettings settings)
    : Destination(std::move(core), std::move(settings)) {}

HttpDestination::~HttpDestination() {
  for (std::thread& each : threads_) {
    if (each.joinable()) each.join();
  }
}

void HttpDestination::start() {
  for (std::uint32_t i = 0; i < settings_.associations; ++i) {
    threads_.emplace_back([this] { run(); });
  }
}

void HttpDestination::work() {
  const std::scoped_lock lock(mutex_);
  queue_.promote(core_->now());
  arm_timer();
  if (may_work()) wake_.notify_one();
}

/// While it is down, one request at a time finds out whether it is up again.
bool HttpDestination::may_work() const {
  return queue_.ready() > 0 && !paused_ && !core_->halted &&
         (health_.up() || (in_flight_ == 0 && health_.may_try(core_->now())));
}

void HttpDestination::run() {
  name_thread("http");
  HttpClient client(settings_);
  {
    const std::scoped_lock lock(mutex_);
    clients_.push_back(&client);
  }
  while (const auto delivery = next()) {
    Attempt attempt = begin(*delivery);
    const AttemptResult result = deliver(client, attempt);
    (void)settle(attempt, result, 1, true);
    const std::scoped_lock lock(mutex_);
    --in_flight_;
    arm_timer();
    if (may_work()) wake_.notify_all();
    done_.notify_all();
  }
  const std::scoped_lock lock(mutex_);
  std::erase(clients_, &client);
}

std::optional<Delivery> HttpDestination::next() {
  std::unique_lock lock(mutex_);
  queue_.promote(core_->now());
  arm_timer();
  wake_.wait(lock, [this] { return stopping_ || may_work(); });
  if (stopping_) return std::nullopt;
  auto delivery = queue_.take([](const Delivery&) { return true; });
  if (delivery) ++in_flight_;
  // This thread takes no further notice: where more is ready, another one begins now.
  if (may_work()) wake_.notify_one();
  return delivery;
}

AttemptResult HttpDestination::deliver(HttpClient& client, Attempt& attempt) {
  auto copy = to_send(attempt);
  if (auto* const result = std::get_if<AttemptResult>(&copy)) return std::move(*result);
  auto& object = std::get<StoredObject>(copy);
  core_->loops.sent(name(), object.record.sop_instance_uid, {object.octets, object.crc});
  AttemptResult result = send(client, object);
  result.octets = object.octets;
  return result;
}

void HttpDestination::begin_stop() {
  Destination::begin_stop();
  const std::scoped_lock lock(mutex_);
  wake_.notify_all();
}

void HttpDestination::finish_stop(std::chrono::steady_clock::time_point deadline) {
  {
    std::unique_lock lock(mutex_);
    done_.wait_until(lock, deadline, [this] { return in_flight_ == 0; });
    for (HttpClient* const each : clients_) each->stop();
  }
  for (std::thread& each : threads_) each.join();
}

}  // namespace dr::delivery
