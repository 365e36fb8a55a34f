#pragma once

#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "router/journal/journal.h"

namespace dr::journal {

/// Routed to a destination = the sum of all its states. The left side is counted where objects are
/// acknowledged, beside the journal: what was open when this was made, and what is routed since.
/// The right side is what the journal knows of each delivery. Whenever the journal has made
/// something durable both are compared, exactly: then neither side is ahead of the other.
class LossInvariant {
 public:
  struct Row {
    std::string destination;
    std::uint64_t routed = 0;
    DestinationTally known{};
    std::uint64_t violations = 0;  // deliveries by which the sides differ
  };

  /// Before anything is appended by others. `journal` must outlive it.
  explicit LossInvariant(Journal& journal);
  /// An object is durable. On the journal's writer thread, in Journal::Done.
  void routed(const std::vector<std::string>& destinations);
  /// Compares; a difference that is new is logged. On the writer's thread, from
  /// Listener::advanced().
  void check();
  /// As of the last check(), by name. Any thread.
  std::vector<Row> rows() const;

 private:
  Journal& journal_;
  mutable std::mutex mutex_;
  std::map<std::string, std::uint64_t, std::less<>> routed_;
  std::map<std::string, Row, std::less<>> rows_;
};

}  // namespace dr::journal
