#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "router/extraction/extractor.h"
#include "router/extraction/store.h"
#include "router/extraction/tasks.h"

namespace dr::extraction {

/// The jobs that are not final, and what comes next for each. Every method that changes a job puts
/// it into the store, inside of a change that its caller has begun. One thread.
class Schedule {
 public:
  static constexpr std::uint32_t kTries = 2;

  Schedule(Store& store, const Settings& settings, const Hooks& hooks)
      : store_(store), settings_(settings), hooks_(hooks) {}

  /// Forgets all and reads the store.
  Result<void> load();

  // What has happened.
  void added(Job job);
  void passed(const Uid& sop_instance_uid);
  Result<void> linked(const Linked& linked);
  Result<void> ended(Finished finished);
  /// A result of this node's, durable in the journal.
  Result<void> published(const journal::ExtractionRecord& record, UtcMicros now);
  /// An operator has let these be forgotten: nothing comes of them any more.
  void forgotten(std::span<const journal::Sequence> instances);
  /// Its octets can not be had: it fails.
  Result<void> unreadable(journal::Sequence instance, const std::string& why, UtcMicros now);

  // What is to be done.
  /// Those that have waited long enough become ready. The next deadline.
  Result<std::optional<UtcMicros>> due(UtcMicros now);
  std::vector<journal::Sequence> in(State state) const;
  const Job& job(journal::Sequence instance) const { return jobs_.at(instance); }
  /// What a worker needs to know around a job, and its doses.
  Result<Site> site(const Job& job);
  Result<std::vector<DoseOf>> doses(const Job& job);
  Result<void> set_doses(journal::Sequence instance, std::string text);

  std::size_t size() const { return jobs_.size(); }

 private:
  Result<void> change(const Job& job);
  Result<void> await(Job& job, const References& references);
  void stop_waiting(journal::Sequence instance);
  Result<void> referenced(Job job, const Finished& finished);
  Result<void> extracted(Job job, Finished& finished);
  Result<void> failed(Job job, const Finished& finished, const Error& error);
  Result<void> fail(Job job, const std::string& outcome, UtcMicros started, UtcMicros finished);
  Result<void> reconsider(Job job);

  Store& store_;
  const Settings& settings_;
  const Hooks& hooks_;
  std::map<journal::Sequence, Job> jobs_;
  std::map<journal::Sequence, std::set<Uid>> missing_;
  std::map<Uid, std::set<journal::Sequence>> wanted_;  // by what is missing
};

/// Everything around a job for a worker; reads only.
Result<Site> site_of(Store& store, const Job& job, const rtstruct::Expectations& expectations);

}  // namespace dr::extraction
