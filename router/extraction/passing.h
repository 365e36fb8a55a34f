#pragma once

#include <functional>

#include "router/extraction/inputs.h"
#include "router/extraction/store.h"
#include "router/journal/journal.h"

namespace dr::extraction {

/// Notes what passes through the node, object by object, inside of a change of the store that its
/// caller has begun. One thread.
class Passing {
 public:
  struct Told {
    std::function<void(Job)> structure_set;             // that shall be extracted
    std::function<void(const Uid&)> instance;           // an object that some job may wait for
    std::function<Result<void>(const Linked&)> linked;  // a plan or dose
  };
  Passing(journal::Journal& journal, Store& store, const Inputs& inputs, Told told)
      : journal_(journal), store_(store), inputs_(inputs), told_(std::move(told)) {}

  /// `note_others`: images, plans and doses too. Errors: it must be noted again.
  Result<void> note(journal::Sequence sequence, const journal::ObjectRecord& object,
                    bool note_others);

 private:
  Result<void> structure_set(journal::Sequence sequence, const journal::ObjectRecord& object);
  Result<void> link(journal::Sequence sequence, const journal::ObjectRecord& object, bool dose);
  Result<void> instance(journal::Sequence sequence, const journal::ObjectRecord& object);

  journal::Journal& journal_;
  Store& store_;
  const Inputs& inputs_;
  const Told told_;
};

}  // namespace dr::extraction
