#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "router/delivery/attempt.h"
#include "router/delivery/object_source.h"
#include "router/delivery/settings.h"
#include "router/delivery/uid_map.h"
#include "router/rules/transform_explain.h"
#include "router/rules/transform_job.h"
#include "router/worker/pool.h"

namespace dr::delivery {

struct TransformerSettings {
  std::string pseudonym_key;
  std::string system;  // the node's AE title, as ModifyingSystem
  std::string folder;  // for copies while they are sent, and the map of reversible UIDs: the spool
  std::uint64_t most_inflated = rules::kMostInflated;  // of a deflated data set
  /// (0008,0005) of objects like this that have none.
  std::function<std::string(const journal::ObjectRecord&)> character_set;
  worker::Settings workers;
};

/// An object of which copies are tried: an open file that has its data set from `offset` on.
struct Sample {
  worker::Descriptor file;
  std::uint64_t offset = 0;
  Uid transfer_syntax_uid;
  UtcMicros received{};
  std::string character_set;  // (0008,0005) where it has none
};
/// Of a DICOM file (PS3.10), by its own header.
Result<Sample> part10_sample(worker::Descriptor file, UtcMicros received,
                             std::string character_set);

/// Makes the copies that rules transform, in sandboxed workers. A copy is a file without a name in
/// the spool: whatever ends the node ends the file, and the next attempt makes it again. All
/// methods from any thread.
class Transformer {
 public:
  explicit Transformer(TransformerSettings settings);
  ~Transformer();

  using Done = std::function<void(Result<StoredObject>)>;
  /// Blocking while the object's octets are read; then `done` is called, on a thread of the workers
  /// or, for what fails before, on this one. The copy's record has the copy's own UIDs and transfer
  /// syntax. Errors: those of the worker, and the journal's own as `unreadable`.
  void transform(StoredObject object, const std::string& canonical, Done done);
  /// The same, waiting for the end.
  Result<StoredObject> transform(StoredObject object, const std::string& canonical);
  /// What the copy would be, element by element; waits for the end. Nothing is kept. Errors as
  /// those of transform().
  Result<rules::TransformChanges> explain(const Sample& sample, const std::string& canonical);
  /// (0008,0005) of such an object, if it has none; empty: the default repertoire.
  std::string character_set_of(const journal::ObjectRecord& object) const;
  /// Octets of the journal in a file of their own, to be tried.
  Result<Sample> sample(const StoredObject& object) const;
  /// A file that goes away with its last descriptor, in the folder.
  Result<worker::Descriptor> unnamed_file() const;
  void stop();

 private:
  Result<worker::Job> prepare(std::string_view kind, const Sample& sample,
                              const std::string& canonical) const;
  Result<StoredObject> finish(journal::ObjectRecord record, ByteSpan answer,
                              worker::Descriptor copy);

  const TransformerSettings settings_;
  UidMap uids_;
  worker::Pool pool_;
};

/// The route by which this object came to a destination; nullptr where it names none such.
const journal::RouteRecord* route_to(const journal::ObjectRecord& object, const std::string& name);
/// The reason why a copy may not be sent there at all, whoever asks: `conflicting_transforms`,
/// `not_deidentified`; empty: it may.
std::string_view why_held(const journal::RouteRecord& route, const DestinationSettings& settings);
/// The transfer syntax in which the route's copy is sent.
Uid transfer_syntax_sent(const journal::ObjectRecord& object, const std::string& name);
/// Whether a copy was not made for a reason that may be gone the next time: a fault of the worker
/// or the disk, not the object's own.
bool is_of_the_moment(const Error& error);
/// What became of an attempt that had no copy to send.
AttemptResult not_transformed(const Error& error, std::uint32_t attempts);
AttemptResult held(std::string_view reason);

}  // namespace dr::delivery
