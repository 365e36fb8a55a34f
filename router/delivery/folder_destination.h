#pragma once

#include <condition_variable>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "router/delivery/destination.h"
#include "router/delivery/folder_store.h"

namespace dr::delivery {

/// Delivers into a folder, from a thread of its own: disks may wait, I/O threads may not. Takes a
/// few objects at a time, so that the names of those of one series become durable together.
class FolderDestination final : public Destination {
 public:
  FolderDestination(std::shared_ptr<Core> core, DestinationSettings settings);
  ~FolderDestination() override;

  void start() override;
  void work() override;
  void begin_stop() override;
  void finish_stop(std::chrono::steady_clock::time_point deadline) override;

 private:
  struct Stored {
    Attempt attempt;
    AttemptResult result;
  };

  void run();
  /// Waits for work; empty: it is time to end.
  std::vector<Delivery> next_batch();
  bool may_work() const;  // under the lock
  Result<void> open_store();
  void deliver(const std::vector<Delivery>& batch);
  AttemptResult store(Attempt& attempt);

  std::condition_variable wake_;      // with mutex_
  std::optional<FolderStore> store_;  // the thread's own
  std::thread thread_;
};

}  // namespace dr::delivery
