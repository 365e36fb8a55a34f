#include "router/delivery/folder_destination.h"

#include <utility>

#include "dimse/base/log.h"
#include "dimse/base/thread_name.h"

namespace dr::delivery {

using Ending = AttemptResult::Ending;

namespace {

constexpr std::size_t kBatch = 32;

/// What the folder's file system said. Most of it is about the disk, not about the object.
AttemptResult failed(const Error& error) {
  AttemptResult result;
  if (error.code == Errc::kCorrupt) return unreadable(error);
  result.outcome = word(error.code);
  if (error.code == Errc::kInvalid || error.code == Errc::kConflict) {
    result.ending = Ending::kHeld;
    result.outcome = "refused";
    result.reason = error.code == Errc::kInvalid ? "no_legal_name" : "name_conflict";
    return result;
  }
  result.ending = Ending::kPostponed;
  result.fault = result.outcome;
  return result;
}

}  // namespace

FolderDestination::FolderDestination(std::shared_ptr<Core> core, DestinationSettings settings)
    : Destination(std::move(core), std::move(settings)) {}

FolderDestination::~FolderDestination() {
  if (thread_.joinable()) thread_.join();
}

void FolderDestination::start() {
  thread_ = std::thread([this] { run(); });
}

void FolderDestination::work() {
  const std::scoped_lock lock(mutex_);
  queue_.promote(core_->now());
  arm_timer();
  if (may_work()) wake_.notify_one();
}

bool FolderDestination::may_work() const {
  return queue_.ready() > 0 && !paused_ && health_.may_try(core_->now()) && !core_->halted;
}

void FolderDestination::run() {
  name_thread("folder");
  for (auto batch = next_batch(); !batch.empty(); batch = next_batch()) deliver(batch);
}

std::vector<Delivery> FolderDestination::next_batch() {
  std::unique_lock lock(mutex_);
  queue_.promote(core_->now());
  arm_timer();
  wake_.wait(lock, [this] { return stopping_ || may_work(); });
  std::vector<Delivery> batch;
  // One object finds out whether a folder that was at fault works again.
  const std::size_t most = health_.up() ? kBatch : 1;
  while (!stopping_ && batch.size() < most) {
    const auto next = queue_.take([](const Delivery&) { return true; });
    if (!next) break;
    batch.push_back(*next);
  }
  return batch;
}

Result<void> FolderDestination::open_store() {
  if (store_) return {};
  auto files = core_->context.open_folder(settings_.path);
  if (!files) return files.error();
  store_.emplace(std::move(*files), core_->context.journal.spool_id(), core_->context.blocks);
  auto started = store_->start();
  if (!started) store_.reset();
  return started;
}

void FolderDestination::deliver(const std::vector<Delivery>& batch) {
  std::vector<Stored> stored;
  bool broken = false;
  for (const Delivery& delivery : batch) {
    bool stopping = false;
    {
      const std::scoped_lock lock(mutex_);
      stopping = stopping_ || paused_;
      if (stopping || broken) queue_.put_back(delivery);
    }
    if (stopping || broken) continue;
    Attempt attempt = begin(delivery);
    AttemptResult result = store(attempt);
    broken = !result.fault.empty();
    stored.push_back({attempt, std::move(result)});
  }
  const Result<void> durable = store_ ? store_->sync_names() : Result<void>();
  for (Stored& each : stored) {
    if (!durable && each.result.ending == Ending::kDelivered) each.result = failed(durable.error());
    (void)settle(each.attempt, each.result, 1, true);
  }
}

AttemptResult FolderDestination::store(Attempt& attempt) {
  if (auto opened = open_store(); !opened) return failed(opened.error());
  auto copy = to_send(attempt);
  if (auto* const result = std::get_if<AttemptResult>(&copy)) return std::move(*result);
  auto& object = std::get<StoredObject>(copy);
  const auto put = store_->put(object, attempt.delivery.instance);
  if (!put) {
    log::event(log::Level::kWarning, "delivery.folder",
               {{"destination", name()},
                {"sequence", journal::value(attempt.delivery.instance)},
                {"error", word(put.error().code)}});
    return failed(put.error());
  }
  AttemptResult result;
  result.ending = Ending::kDelivered;
  result.outcome = "delivered";
  result.comment = put->was_there ? "already there" : "";
  result.octets = put->octets;
  return result;
}

void FolderDestination::begin_stop() {
  Destination::begin_stop();
  const std::scoped_lock lock(mutex_);
  wake_.notify_one();
}

// An object that is being written is finished: the disk can not be told to hurry.
void FolderDestination::finish_stop(std::chrono::steady_clock::time_point) {
  if (thread_.joinable()) thread_.join();
}

}  // namespace dr::delivery
