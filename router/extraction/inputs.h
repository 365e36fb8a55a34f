#pragma once

#include <set>
#include <string>

#include "dimse/base/result.h"
#include "router/journal/journal.h"
#include "router/worker/descriptor.h"

namespace dr::extraction {

/// The octets of structure sets and doses, kept beside the journal as long as results are: what
/// waits for its images, or for a dose, keeps no segment of the journal. One file an object, named
/// by its sequence, 0600. Blocking.
class Inputs {
 public:
  explicit Inputs(std::string folder) : folder_(std::move(folder)) {}

  /// Makes the folder. kIo.
  Result<void> prepare() const;
  /// Copies an object's octets; on disk when it returns. Errors: the journal's, kIo, kNoSpace.
  Result<void> keep(journal::Journal& journal, journal::Sequence instance) const;
  Result<worker::Descriptor> open(journal::Sequence instance) const;
  /// Removes all up to `upto` but those of `needed`.
  void sweep(const std::set<journal::Sequence>& needed, journal::Sequence upto) const;
  const std::string& folder() const { return folder_; }

 private:
  std::string path(journal::Sequence instance) const;

  const std::string folder_;
};

}  // namespace dr::extraction
