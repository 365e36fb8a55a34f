#pragma once

#include <atomic>
#include <memory>
#include <string>

#include <asio/any_io_executor.hpp>

#include "dimse/base/block_chain.h"
#include "dimse/base/clock.h"
#include "dimse/service/handler.h"
#include "router/access.h"
#include "router/admin/metrics.h"
#include "router/delivery/decided.h"
#include "router/journal/journal.h"
#include "router/patient_key.h"
#include "router/rules/rule_set.h"

namespace dr {

/// The rule set in force, swapped whole between two objects.
using CurrentRules = std::atomic<std::shared_ptr<const rules::RuleSet>>;

/// What intake works with; all of it outlives every association.
struct IntakeContext {
  std::string node;
  std::uint64_t process_start = 0;  // UTC us
  std::uint64_t inline_limit = 4U << 20;
  journal::Journal& journal;
  BlockPool& blocks;
  const Clock& clock;
  const CurrentRules& rules;
  const PatientKey& patient_key;
  Access& access;
  admin::Metrics& metrics;
  asio::any_io_executor disk;  // threads that may wait for the disk
  delivery::Routed routed{};   // of every object that is kept
};

/// From the listener to the journal: admits associations, takes each data set into memory (or into
/// a file of its own above the inline limit), scans its header on the way, lets the rules decide,
/// and answers once octets and decision are durable.
class Intake final : public service::Handler {
 public:
  explicit Intake(IntakeContext context) : context_(std::move(context)) {}

  std::optional<ul::AAssociateRj> admit(const service::AssociationInfo& peer) override;
  void associated(const service::AssociationInfo& peer) override;
  void ended(const service::AssociationInfo& peer,
             const service::AssociationSummary& summary) override;
  std::unique_ptr<service::ObjectSink> begin_store(service::StoreRequest request) override;
  void responded(const service::AssociationInfo& peer, std::uint16_t status,
                 double seconds) override;

 private:
  void record_security(const service::AssociationInfo& peer, std::string kind, std::string detail);

  IntakeContext context_;
};

}  // namespace dr
