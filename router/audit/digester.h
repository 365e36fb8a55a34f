#pragma once

#include <chrono>
#include <memory>

#include "router/journal/journal.h"

namespace dr::audit {

/// SHA-256 of every object's data set, behind the acknowledgement: follows the journal with the
/// cursor "digest" and appends a DigestRecord for each object that has none yet. A body that does
/// not match its checksum is counted by the journal and passed over.
class Digester {
 public:
  explicit Digester(journal::Journal& journal);
  ~Digester();
  Digester(const Digester&) = delete;
  Digester& operator=(const Digester&) = delete;

  /// From journal::Listener: only wakes.
  void advanced(journal::Sequence watermark);
  /// Ends its thread after the object in hand.
  void stop();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace dr::audit
