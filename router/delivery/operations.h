#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "dimse/base/uid.h"
#include "router/delivery/core.h"
#include "router/delivery/destination.h"
#include "router/delivery/paused.h"
#include "router/rules/rule_set.h"

namespace dr::delivery {

/// Does what operators ask of the queues, and records each as an operator's action. Whatever it is
/// asked about, it works in slices, so that no destination's lock is held for longer than one pass
/// over its queue; one operation at a time. Blocking: reads the journal.
class Operations {
 public:
  using Destinations = std::vector<std::shared_ptr<Destination>>;

  Operations(std::shared_ptr<Core> core, const Destinations& destinations);

  /// Pauses what was paused before the start. Where that can not be read nothing is sent: all are
  /// paused.
  void start();
  /// The report once it is durable. kInvalid: a request that says nothing sensible, in words for
  /// people; kNotFound: a UID that nothing open has; else the journal's or the disk's error.
  Result<OperationReport> operate(const OperationRequest& request);

 private:
  using Which = std::function<bool(const Delivery&)>;

  Result<OperationReport> retry(const OperationRequest& request);
  Result<OperationReport> drop(const OperationRequest& request);
  Result<OperationReport> pause(const OperationRequest& request);
  Result<void> drop_unqueued(const OperationRequest& request, OperationReport& report);
  Result<void> drop_all(Destination& destination, const OperationRequest& request,
                        OperationReport& report);
  Result<void> retry_all(Destination& destination, const OperationRequest& request,
                         OperationReport& report);
  /// Those of `destination` that the request means.
  std::vector<journal::Sequence> chosen(const Destination& destination,
                                        const OperationRequest& request, bool gathered,
                                        const Which& which) const;
  Result<void> record(const OperationRequest& request, const OperationReport& report);
  bool configured(const std::string& name) const;

  const std::shared_ptr<Core> core_;
  const Destinations& destinations_;
  std::mutex mutex_;  // of operations
  PausedFile paused_;
};

}  // namespace dr::delivery
