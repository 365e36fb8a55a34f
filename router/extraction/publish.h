#pragma once

#include <span>

#include "dimse/base/block_chain.h"
#include "router/extraction/extractor.h"
#include "router/extraction/store.h"
#include "router/journal/journal.h"

namespace dr::extraction {

/// Puts what was made into the journal: SEG and SR as objects that the rules send on, then the
/// result's records. One thread; blocking until the objects are durable.
class Publisher {
 public:
  Publisher(journal::Journal& journal, BlockPool& blocks, const Hooks& hooks)
      : journal_(journal), blocks_(blocks), hooks_(hooks) {}

  /// An object that is durable leaves the store at once. Errors: the journal's and the store's;
  /// then no record of the result is in the journal, or none can be any more in this life.
  Result<void> publish(journal::Sequence instance, std::span<const Outgoing> outgoing,
                       Store& store);

 private:
  Result<void> append(journal::Sequence instance, const Outgoing& object);

  journal::Journal& journal_;
  BlockPool& blocks_;
  const Hooks& hooks_;
};

}  // namespace dr::extraction
