#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "db/audit_store.h"
#include "router/audit/seal.h"
#include "router/journal/journal.h"

namespace dr::audit {

/// What happens in a feed, for logs and metrics. From the feed's thread.
struct FeedEvents {
  std::function<void(const std::string& sink, std::size_t rows)> written;
  std::function<void(const std::string& sink, std::size_t rows)> refused;
};

/// Follows the journal with a cursor of its own ("audit-<sink>") and writes what it reads to one
/// audit database, in batches, on a thread of its own. A database that is down or refuses holds
/// nobody else back: it is opened and tried again with growing pauses.
class Feed {
 public:
  using Open = std::function<Result<std::unique_ptr<db::AuditStore>>()>;

  /// With a sealer, which outlives it, each row gets its seal.
  Feed(std::string sink, Open open, journal::Journal& journal, std::string node, FeedEvents events,
       const Sealer* sealer = nullptr);
  /// stop().
  ~Feed();
  Feed(const Feed&) = delete;
  Feed& operator=(const Feed&) = delete;

  /// From journal::Listener: only wakes.
  void advanced(journal::Sequence watermark);
  /// Writes what is durable so far, at most so long, and ends its thread.
  void stop(std::chrono::milliseconds at_most);
  const std::string& sink() const;
  /// Waits until the database has everything up to `sequence`, at most so long. Whether it has. Any
  /// thread.
  bool wait_written(journal::Sequence sequence, std::chrono::milliseconds at_most) const;
  /// Records behind the watermark.
  std::uint64_t lag() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace dr::audit
