#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "db/audit_store.h"
#include "dimse/base/bytes.h"
#include "dimse/base/result.h"
#include "dimse/base/uid.h"
#include "router/admin/explain.h"
#include "router/delivery/engine.h"

namespace dr::admin {

/// Able to accept objects, or why not: one short word or phrase each, without patient data.
struct Readiness {
  bool ready = false;
  std::vector<std::string> reasons;
};

/// One structure set that was to be extracted.
struct StructureSetAnswer {
  std::string document;       // of `dicom-router extract`; empty: there is none (yet)
  nlohmann::json extraction;  // state, attempts, reason, times
  bool ended = false;         // nothing more will come of itself
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
  /// Records that somebody has asked for the originals of these UIDs, or the other way round.
  virtual Result<void> uids_looked_up(const std::vector<std::string>& uids,
                                      const std::string& who) = 0;
  virtual std::vector<delivery::QueueItem> queue(
      const delivery::QueueFilter& filter, std::size_t limit,
      const std::optional<delivery::QueuePosition>& after) = 0;
  /// The signed report of one day (router/loss_report.h); today where it is empty. kInvalid: no
  /// day; kTimeout: the audit is behind.
  virtual Result<nlohmann::json> loss_report(const std::string& day) = 0;
  /// What an operator asks of the queues (delivery/operations.h).
  virtual Result<delivery::OperationReport> operate(delivery::OperationRequest request) = 0;
  virtual bool has_destination(const std::string& name) = 0;
  /// Those in force.
  virtual std::shared_ptr<const rules::RuleSet> rules() = 0;
  /// Who sends an object that comes from nowhere, as far as `query` does not say it (with_query):
  /// called is this node, received is now.
  virtual Result<Sender> sender(const std::map<std::string, std::string>& query) = 0;
  /// For an object that is explained, so that its copies can be tried: a file that nobody else
  /// sees. kNoSpace: `octets` would not leave what the spool keeps free.
  virtual Result<worker::Descriptor> sample_file(std::uint64_t octets) = 0;
  virtual TryCopy try_copies(OpenSample open) = 0;
  /// What the rules in force say of an object of the journal (explain_stored.h).
  virtual Result<nlohmann::json> explain(const std::string& sop_instance_uid) = 0;
  /// kNotFound: no such structure set was to be extracted.
  virtual Result<StructureSetAnswer> structure_set(const Uid& sop_instance_uid) = 0;
  /// A ROI's voxels as a gzipped NIfTI file. kNotFound.
  virtual Result<Bytes> mask(const Uid& sop_instance_uid, std::int32_t roi_number) = 0;
  /// As configured, in order.
  virtual std::vector<delivery::DestinationStatus> destinations() = 0;
};

}  // namespace dr::admin
