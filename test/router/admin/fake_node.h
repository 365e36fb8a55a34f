#pragma once

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "router/admin/node_view.h"

namespace dr::test {

/// A node that knows what it is told. Not to be changed while it is asked.
class FakeNode final : public admin::NodeView {
 public:
  admin::Readiness ready{true, {}};
  std::vector<delivery::DestinationStatus> known;
  std::vector<db::TracedObject> objects;
  std::vector<delivery::QueueItem> items;
  std::string metrics = "# nothing\n";
  std::optional<Error> trace_fails;
  std::atomic<int> asked = 0;
  std::shared_ptr<const rules::RuleSet> in_force;
  std::unique_ptr<delivery::Transformer> transformer;

  admin::Readiness readiness() override {
    ++asked;
    return ready;
  }
  nlohmann::json status() override {
    if (metrics.empty()) throw std::logic_error("no status");
    return {{"node", "router-1"}};
  }
  std::string metrics_text() override { return metrics; }
  Result<std::vector<db::TracedObject>> trace(const std::string& uid, std::size_t limit) override {
    if (trace_fails) return *trace_fails;
    std::vector<db::TracedObject> found;
    for (const auto& object : objects) {
      const auto& row = object.instance;
      if ((row.sop_instance_uid == uid || row.study_instance_uid == uid) && found.size() < limit) {
        found.push_back(object);
      }
    }
    return found;
  }
  std::string forgotten, forgotten_by;
  Result<void> forget(const std::string& patient_id, const std::string& who) override {
    if (patient_id == "unknown") return Error{Errc::kUnsupported, "no [keys] audit"};
    forgotten = patient_id;
    forgotten_by = who;
    return {};
  }
  std::vector<std::string> looked_up;
  Result<void> uids_looked_up(const std::vector<std::string>& uids,
                              const std::string& /*who*/) override {
    looked_up = uids;
    return {};
  }
  std::vector<delivery::QueueItem> queue(
      const delivery::QueueFilter& filter, std::size_t limit,
      const std::optional<delivery::QueuePosition>& after) override {
    std::vector<delivery::QueueItem> found;
    bool behind = !after;
    for (const auto& item : items) {
      const bool wanted = (filter.destination.empty() || filter.destination == item.destination) &&
                          (!filter.state || *filter.state == item.state);
      if (behind && wanted && found.size() < limit) found.push_back(item);
      if (after && after->destination == item.destination && after->sequence == item.sequence) {
        behind = true;
      }
    }
    return found;
  }
  Result<nlohmann::json> loss_report(const std::string& day) override {
    if (day == "never") return Error{Errc::kInvalid, "not a day"};
    if (day == "2026-01-02") return Error{Errc::kTimeout, "behind"};
    return nlohmann::json{{"day", day}};
  }
  std::optional<delivery::OperationRequest> operated;
  Result<delivery::OperationReport> operation = delivery::OperationReport{};
  Result<delivery::OperationReport> operate(delivery::OperationRequest request) override {
    operated = std::move(request);
    return operation;
  }
  bool has_destination(const std::string& name) override {
    return std::ranges::find(known, name, &delivery::DestinationStatus::name) != known.end();
  }
  std::vector<delivery::DestinationStatus> destinations() override { return known; }
  std::shared_ptr<const rules::RuleSet> rules() override { return in_force; }
  Result<admin::Sender> sender(const std::map<std::string, std::string>& query) override {
    return admin::with_query({}, query);
  }
  Result<worker::Descriptor> sample_file(std::uint64_t /*octets*/) override {
    return transformer ? transformer->unnamed_file() : Error{Errc::kNoSpace, "free=0"};
  }
  admin::TryCopy try_copies(admin::OpenSample open) override {
    if (!transformer) return {};
    return admin::try_copies({*transformer, destinations_, {}}, std::move(open));
  }
  Result<admin::StructureSetAnswer> structure_set(const Uid& uid) override {
    if (uid == "1.2.3") {
      return admin::StructureSetAnswer{"{\n  \"label\": \"A\"\n}", {{"state", "done"}}, true};
    }
    if (uid == "1.2.4") return admin::StructureSetAnswer{"", {{"state", "waiting"}}, false};
    if (uid == "1.2.5") return admin::StructureSetAnswer{"", {{"state", "held"}}, true};
    return Error{Errc::kNotFound, "none"};
  }
  Result<Bytes> mask(const Uid& uid, std::int32_t roi_number) override {
    if (!(uid == "1.2.3") || roi_number != -7) return Error{Errc::kNotFound, "no such ROI"};
    return Bytes{std::byte{0x1f}, std::byte{0}, std::byte{0x8b}};
  }
  Result<nlohmann::json> explain(const std::string& uid) override {
    if (uid != "1.2.3") return Error{Errc::kNotFound, "not in the journal"};
    return nlohmann::json{{"sop_instance_uid", uid}};
  }

 private:
  const std::vector<delivery::DestinationSettings> destinations_;
};

}  // namespace dr::test
