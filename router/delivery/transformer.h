#pragma once

#include <array>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>

#include "router/delivery/attempt.h"
#include "router/delivery/object_source.h"
#include "router/delivery/settings.h"
#include "router/worker/pool.h"

namespace dr::delivery {

struct TransformerSettings {
  std::string pseudonym_key;
  std::string system;  // the node's AE title, as ModifyingSystem
  std::string folder;  // for copies while they are sent, and the map of reversible UIDs: the spool
  worker::Settings workers;
};

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
  void stop();

 private:
  /// The 96-bit pseudorandom name by which a sealed pair begins.
  using Pair = std::array<char, 24>;

  Result<worker::Job> prepare(const StoredObject& object, const std::string& canonical);
  Result<StoredObject> finish(journal::ObjectRecord record, ByteSpan answer,
                              worker::Descriptor copy);
  Result<void> keep_uids(const std::vector<std::string>& sealed);
  Result<worker::Descriptor> unnamed_file() const;

  const TransformerSettings settings_;
  worker::Pool pool_;
  std::mutex mutex_;  // of the map of UIDs
  worker::Descriptor uid_map_;
  std::set<Pair> kept_;
};

/// The route by which this object came to a destination; nullptr where it names none such.
const journal::RouteRecord* route_to(const journal::ObjectRecord& object, const std::string& name);
/// The reason why a copy may not be sent there at all, whoever asks: `conflicting_transforms`,
/// `not_deidentified`; empty: it may.
std::string_view why_held(const journal::RouteRecord& route, const DestinationSettings& settings);
/// The transfer syntax in which the route's copy is sent.
Uid transfer_syntax_sent(const journal::ObjectRecord& object, const std::string& name);
/// What became of an attempt that had no copy to send.
AttemptResult not_transformed(const Error& error, std::uint32_t attempts);
AttemptResult held(std::string_view reason);

}  // namespace dr::delivery
