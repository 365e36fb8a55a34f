#include "router/extraction/schedule.h"

#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

#include "dimse/base/log.h"

namespace dr::extraction {
namespace {

using journal::Sequence;

constexpr std::string_view kSegmentationStorage = "1.2.840.10008.5.1.4.1.1.66.4";
constexpr std::string_view kComprehensiveSrStorage = "1.2.840.10008.5.1.4.1.1.88.33";

/// A fault of the worker, which may be one of the moment; anything else is the object's.
bool is_of_the_worker(const Error& error) {
  switch (error.code) {
    case Errc::kAborted:
    case Errc::kTimeout:
    case Errc::kNoSpace:
    case Errc::kIo:
    case Errc::kClosed:
      return true;
    default:
      return false;
  }
}

State state_of(const std::string& outcome) {
  if (outcome == "held") return State::kHeld;
  return outcome == "failed" ? State::kFailed : State::kDone;
}

double seconds_between(UtcMicros from, UtcMicros to) {
  return std::chrono::duration<double>(to - from).count();
}

/// What a webhook is told: identifiers, counts and words of this program.
std::string message_of(const Settings& settings, const journal::ExtractionRecord& r) {
  return nlohmann::json{{"event", "extraction"},
                        {"node", settings.node},
                        {"sequence", value(r.instance)},
                        {"sop_instance_uid", r.sop_instance_uid.str()},
                        {"outcome", r.outcome},
                        {"reason", r.reason},
                        {"attempts", r.attempts},
                        {"reference",
                         {{"verdict", r.reference_verdict},
                          {"instances_referenced", r.instances_referenced},
                          {"instances_present", r.instances_present}}},
                        {"rois", r.roi_count},
                        {"path", "/api/v1/rtstruct/" + r.sop_instance_uid.str()}}
      .dump();
}

}  // namespace

Result<Site> site_of(Store& store, const Job& job, const rtstruct::Expectations& expectations) {
  const auto references = decode_references(as_bytes(job.references));
  if (!references) return references.error();
  Site site;
  site.expectations = expectations;
  auto present = store.present(references->instances);
  if (!present) return present.error();
  site.references.instances = *std::move(present);
  auto slices = store.slices(references->instances, references->series, references->frames);
  if (!slices) return slices.error();
  site.references.slices = *std::move(slices);
  return site;
}

Result<void> Schedule::load() {
  jobs_.clear();
  missing_.clear();
  wanted_.clear();
  auto all = store_.jobs(false);
  if (!all) return all.error();
  for (Job& job : *all) {
    if (job.state == State::kWaiting) {
      const auto references = decode_references(as_bytes(job.references));
      if (!references) return references.error();
      if (auto awaited = await(job, *references); !awaited) return awaited;
    }
    jobs_[job.instance] = std::move(job);
  }
  return {};
}

Result<void> Schedule::change(const Job& job) {
  if (auto put = store_.put(job); !put) return put;
  jobs_[job.instance] = job;
  return {};
}

void Schedule::added(Job job) { jobs_[job.instance] = std::move(job); }

/// Waits for what has not passed, where anything has not.
Result<void> Schedule::await(Job& job, const References& references) {
  const auto present = store_.present(references.instances);
  if (!present) return present.error();
  std::set<Uid> missing(references.instances.begin(), references.instances.end());
  for (const Uid& uid : *present) missing.erase(uid);
  job.state = missing.empty() ? State::kReady : State::kWaiting;
  job.deadline = job.received + settings_.wait;
  for (const Uid& uid : missing) wanted_[uid].insert(job.instance);
  if (!missing.empty()) missing_[job.instance] = std::move(missing);
  return {};
}

void Schedule::passed(const Uid& uid) {
  const auto found = wanted_.find(uid);
  if (found == wanted_.end()) return;
  for (const Sequence instance : found->second) missing_[instance].erase(uid);
  wanted_.erase(found);
}

void Schedule::stop_waiting(Sequence instance) {
  const auto found = missing_.find(instance);
  if (found == missing_.end()) return;
  for (const Uid& uid : found->second) {
    if (auto& waiting = wanted_[uid]; waiting.erase(instance) > 0 && waiting.empty()) {
      wanted_.erase(uid);
    }
  }
  missing_.erase(found);
}

Result<std::optional<UtcMicros>> Schedule::due(UtcMicros now) {
  std::optional<UtcMicros> next;
  for (const Sequence instance : in(State::kWaiting)) {
    const std::set<Uid>& missing = missing_[instance];
    const UtcMicros deadline = jobs_.at(instance).deadline;
    if (!missing.empty() && deadline > now) {
      next = next ? std::min(*next, deadline) : deadline;
      continue;
    }
    stop_waiting(instance);
    Job job = jobs_.at(instance);
    job.state = State::kReady;
    if (auto changed = change(job); !changed) return std::move(changed).error();
  }
  return next;
}

std::vector<Sequence> Schedule::in(State state) const {
  std::vector<Sequence> found;
  for (const auto& [instance, job] : jobs_) {
    if (job.state == state) found.push_back(instance);
  }
  return found;
}

Result<Site> Schedule::site(const Job& job) { return site_of(store_, job, settings_.expectations); }

Result<std::vector<DoseOf>> Schedule::doses(const Job& job) {
  const auto references = decode_references(as_bytes(job.references));
  if (!references) return references.error();
  return store_.doses(job.sop_instance_uid, references->frames);
}

Result<void> Schedule::set_doses(Sequence instance, std::string text) {
  Job job = jobs_.at(instance);
  job.doses = std::move(text);
  return change(job);
}

/// A plan or a dose has passed: whom it concerns is extracted again, if that has ended.
Result<void> Schedule::linked(const Linked& linked) {
  Uid structure_set = linked.links.structure_set;
  if (structure_set.empty() && !linked.links.plan.empty()) {
    auto through = store_.structure_set_of(linked.links.plan);
    if (!through) return through.error();
    structure_set = *through;
  }
  std::vector<Job> concerned;
  if (!structure_set.empty()) {
    auto found = store_.find(structure_set);
    if (!found) return found.error();
    if (*found) concerned.push_back(**found);
  }
  if (!linked.links.frame_of_reference.empty()) {
    auto found = store_.in_frame(linked.links.frame_of_reference);
    if (!found) return found.error();
    std::ranges::move(*found, std::back_inserter(concerned));
  }
  for (const Job& job : concerned) {
    if (job.state != State::kDone) continue;  // looks for its doses when it is its turn
    if (auto done = reconsider(job); !done) return done;
  }
  return {};
}

/// Ready again if its doses are others now.
Result<void> Schedule::reconsider(Job job) {
  const auto now = doses(job);
  if (!now) return now.error();
  if (text_of(*now) == job.doses) return {};
  job.state = State::kReady;
  job.attempts = 0;
  job.reason.clear();
  return change(job);
}

Result<void> Schedule::ended(Finished finished) {
  const auto found = jobs_.find(finished.instance);
  if (found == jobs_.end()) return {};
  if (const Error* error = finished.error()) return failed(found->second, finished, *error);
  if (finished.task == Task::kReferences) return referenced(found->second, finished);
  return extracted(found->second, finished);
}

Result<void> Schedule::referenced(Job job, const Finished& finished) {
  job.references = as_text(encode(*finished.references));
  if (auto set = store_.put(job); !set) return set;
  if (auto set = store_.set_frames(job.instance, finished.references->frames); !set) return set;
  if (auto awaited = await(job, *finished.references); !awaited) return awaited;
  return change(job);
}

Result<void> Schedule::extracted(Job job, Finished& finished) {
  Made& made = *finished.made;
  if (auto set = store_.set_result(job.instance, made.json); !set) return set;
  if (!job.objects_made) {
    const auto uids = result_uids(job.sop_instance_uid);
    for (Outgoing object : {Outgoing{0, true, uid_literal(kSegmentationStorage), uids.segmentation,
                                     std::move(made.segmentation)},
                            Outgoing{0, true, uid_literal(kComprehensiveSrStorage), uids.report,
                                     std::move(made.report)}}) {
      if (object.octets.empty()) continue;
      if (auto added = store_.add_outgoing(job.instance, object); !added) return added;
    }
  }
  job.started = finished.started;
  job.finished = finished.finished;
  for (const Bytes& head : made.records) {
    auto record = journal::decode_extraction(head);
    if (!record) return failed(job, finished, {Errc::kMalformed, "the worker's result"});
    record->instance = job.instance;
    record->started = job.started;
    record->finished = job.finished;
    record->attempts = job.attempts + 1;
    if (auto added = store_.add_outgoing(job.instance, {0, false, {}, {}, encode(*record)});
        !added) {
      return added;
    }
  }
  job.state = State::kPublishing;
  hooks_.ended("done", seconds_between(job.started, job.finished));
  return change(job);
}

Result<void> Schedule::failed(Job job, const Finished& finished, const Error& error) {
  if (error.code == Errc::kCancelled) return {};  // the node stops: again after its start
  job.reason = log::escape(error.to_string());
  ++job.attempts;
  const bool again = is_of_the_worker(error) && job.attempts < kTries;
  const std::string outcome = !is_of_the_worker(error) ? "failed" : again ? "retried" : "held";
  log::event(log::Level::kWarning, "extraction." + outcome,
             {{"sequence", value(job.instance)}, {"attempt", job.attempts}, {"error", job.reason}});
  hooks_.ended(outcome, seconds_between(finished.started, finished.finished));
  if (again) return change(job);
  return fail(std::move(job), outcome, finished.started, finished.finished);
}

Result<void> Schedule::unreadable(Sequence instance, const std::string& why, UtcMicros now) {
  Job job = jobs_.at(instance);
  job.reason = why;
  hooks_.ended("failed", 0);
  return fail(std::move(job), "failed", now, now);
}

Result<void> Schedule::fail(Job job, const std::string& outcome, UtcMicros started,
                            UtcMicros finished) {
  journal::ExtractionRecord record;
  record.instance = job.instance;
  record.sop_instance_uid = job.sop_instance_uid;
  record.started = job.started = started;
  record.finished = job.finished = finished;
  record.attempts = job.attempts;
  record.outcome = outcome;
  record.reason = job.reason;
  if (auto dropped = store_.drop_outgoing(job.instance); !dropped) return dropped;
  if (auto added = store_.add_outgoing(job.instance, {0, false, {}, {}, encode(record)}); !added) {
    return added;
  }
  job.state = State::kPublishing;
  return change(job);
}

void Schedule::forgotten(std::span<const Sequence> instances) {
  for (const Sequence instance : instances) {
    stop_waiting(instance);
    jobs_.erase(instance);
  }
}

Result<void> Schedule::published(const journal::ExtractionRecord& record, UtcMicros now) {
  const auto found = jobs_.find(record.instance);
  if (!record.last || found == jobs_.end() || found->second.state != State::kPublishing) return {};
  Job job = found->second;
  job.state = state_of(record.outcome);
  job.objects_made = job.objects_made || job.state == State::kDone;
  if (auto dropped = store_.drop_outgoing(job.instance); !dropped) return dropped;
  if (settings_.messages) {
    if (auto added = store_.add_message(record.instance, message_of(settings_, record), now);
        !added)
      return added;
  }
  if (auto put = store_.put(job); !put) return put;
  jobs_.erase(found);
  return job.state == State::kDone ? reconsider(job) : Result<void>();
}

}  // namespace dr::extraction
