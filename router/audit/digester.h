#pragma once

#include <chrono>
#include <memory>

#include "router/journal/journal.h"

namespace dr::audit {

/// SHA-256 of every object's data set, behind the acknowledgement: follows the journal with the
/// cursor "digest" and appends a DigestRecord for each object that has none yet. While objects keep
/// coming in it stands back, so that no sender waits for a core or for memory that it uses; but it
/// never falls further behind than kMostBehind. A body that does not match its checksum is counted
/// by the journal and passed over.
class Digester {
 public:
  static constexpr std::uint64_t kMostBehind = 2ULL << 30;  // octets that came in since the start

  explicit Digester(journal::Journal& journal);
  ~Digester();
  Digester(const Digester&) = delete;
  Digester& operator=(const Digester&) = delete;

  /// From journal::Listener: only wakes.
  void advanced(journal::Sequence watermark);
  /// From journal::Listener: objects of so many octets have just become durable.
  void received(std::uint64_t octets);
  /// Ends its thread after the object in hand.
  void stop();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace dr::audit
