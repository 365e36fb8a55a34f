#include "router/journal/loss_invariant.h"

#include "dimse/base/log.h"

namespace dr::journal {

LossInvariant::LossInvariant(Journal& journal) : journal_(journal) {
  for (const DestinationTally& tally : journal_.tallies()) {
    routed_[tally.destination] = tally.total();
  }
  check();
}

void LossInvariant::routed(const std::vector<std::string>& destinations) {
  const std::scoped_lock lock(mutex_);
  for (const std::string& destination : destinations) ++routed_[destination];
}

void LossInvariant::check() {
  auto tallies = journal_.tallies();
  const std::scoped_lock lock(mutex_);
  for (const auto& [destination, count] : routed_) {
    Row& row = rows_[destination];
    row.destination = destination;
    row.routed = count;
    row.known = {destination, {}};
  }
  for (DestinationTally& tally : tallies) {
    Row& row = rows_[tally.destination];
    row.destination = tally.destination;
    row.known = std::move(tally);
  }
  for (auto& [destination, row] : rows_) {
    const std::uint64_t known = row.known.total();
    const std::uint64_t differ = row.routed > known ? row.routed - known : known - row.routed;
    if (differ != row.violations) {
      log::event(differ > row.violations ? log::Level::kError : log::Level::kWarning,
                 "loss_invariant.violated",
                 {{"destination", destination}, {"routed", row.routed}, {"known", known}});
    }
    row.violations = differ;
  }
}

std::vector<LossInvariant::Row> LossInvariant::rows() const {
  std::vector<Row> all;
  const std::scoped_lock lock(mutex_);
  for (const auto& [destination, row] : rows_) {
    if (row.routed + row.known.total() > 0) all.push_back(row);
  }
  return all;
}

}  // namespace dr::journal
