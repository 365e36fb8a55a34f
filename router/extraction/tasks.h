#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "dimse/base/clock.h"
#include "router/extraction/inputs.h"
#include "router/extraction/job.h"
#include "router/extraction/store.h"
#include "router/worker/pool.h"

namespace dr::extraction {

/// What a worker made of one structure set; the pieces are empty where it failed.
struct Made {
  std::string json;
  std::vector<Bytes> records;  // heads of ExtractionRecords, as the worker knows them
  Bytes segmentation, report;
};

/// A task that ended.
struct Finished {
  journal::Sequence instance{};
  Result<References> references;  // of kReferences, or
  Result<Made> made;              // of kExtract
  Task task{};
  UtcMicros started{}, finished{};

  const Error* error() const {
    if (task == Task::kReferences) return references ? nullptr : &references.error();
    return made ? nullptr : &made.error();
  }
};

/// The identifiers of what is made from a structure set: the same for the same one, on every node.
rtstruct::ResultUids result_uids(const Uid& structure_set);

/// Puts structure sets before sandboxed workers and takes what these make. Any thread.
class Tasks {
 public:
  /// `ended` is called once for each task that was begun, on a thread of the workers.
  Tasks(const Inputs& inputs, const Clock& clock, worker::Settings workers,
        std::function<void(Finished)> ended);

  Result<void> begin_references(const Job& job);
  /// What belongs to `objects` is made as well.
  struct Objects {
    bool segmentation = false, report = false;
  };
  Result<void> begin_extract(const Job& job, const Site& site, std::span<const DoseOf> doses,
                             Objects objects);
  /// Waits for the end.
  Result<Bytes> mask(const Job& job, const Site& site, std::int32_t roi_number);
  /// Tasks that were begun end with kCancelled.
  void stop() { pool_.stop(); }
  worker::Stats stats() const { return pool_.stats(); }

 private:
  Result<worker::Order> order(const Job& job, const Request& request, const Site* site) const;

  const Inputs& inputs_;
  const Clock& clock_;
  const std::function<void(Finished)> ended_;
  worker::Pool pool_;  // last: its threads use the rest
};

}  // namespace dr::extraction
