#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "db/audit_store.h"
#include "dimse/base/result.h"
#include "router/admin/explain.h"
#include "router/delivery/engine.h"

namespace dr::admin {

/// Able to accept objects, or why not: one short word or phrase each, without patient data.
struct Readiness {
  bool ready = false;
  std::vector<std::string> reasons;
};

/// What the admin interface asks of the running node. Any thread; may wait for a disk.
class NodeView {
 public:
  virtual ~NodeView() = default;
  virtual Readiness readiness() = 0;
  /// Everything at a glance; counts and states, no patient data.
  virtual nlohmann::json status() = 0;
  virtual std::string metrics_text() = 0;
  /// The life of each object whose SOP Instance, Series or Study Instance UID this is, oldest
  /// first.
  virtual Result<std::vector<db::TracedObject>> trace(const std::string& uid,
                                                      std::size_t limit) = 0;
  /// Records that every audit database shall forget this patient; each does once it comes to the
  /// record. kUnsupported: without [keys] audit the rows are not known again.
  virtual Result<void> forget(const std::string& patient_id, const std::string& who) = 0;
  virtual std::vector<delivery::QueueItem> queue(
      const delivery::QueueFilter& filter, std::size_t limit,
      const std::optional<delivery::QueuePosition>& after) = 0;
  virtual bool has_destination(const std::string& name) = 0;
  /// Those in force.
  virtual std::shared_ptr<const rules::RuleSet> rules() = 0;
  /// Who sends an object that comes from nowhere: called is this node, received is now.
  virtual Sender unnamed_sender() = 0;
  /// What the rules in force say of an object of the journal (explain_stored.h).
  virtual Result<nlohmann::json> explain(const std::string& sop_instance_uid) = 0;
  /// As configured, in order.
  virtual std::vector<delivery::DestinationStatus> destinations() = 0;
};

}  // namespace dr::admin
