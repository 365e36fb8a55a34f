#include "router/journal/recent.h"

#include <utility>
#include <vector>

namespace dr::journal {
namespace {

/// A chain takes whole blocks: what fills a small part of one is copied out of it.
constexpr std::size_t kCopied = BlockPool::kBlockSize / 4;

Bytes copy_of(const BlockChain& chain) {
  Bytes octets;
  octets.reserve(chain.size());
  for (const ByteSpan part : chain.spans()) octets.insert(octets.end(), part.begin(), part.end());
  return octets;
}

std::uint64_t memory_of(const RecentRecord& record) {
  constexpr std::uint64_t kOverhead = 256;  // of the maps and the record itself
  const std::uint64_t blocks =
      record.chain ? round_up(record.chain->size(), BlockPool::kBlockSize) : 0;
  return kOverhead + record.framed.size() + record.body.size() + blocks;
}

}  // namespace

void Recent::keep(std::uint64_t segment, std::uint64_t offset, Pending pending) {
  if (most_ == 0) return;
  auto record = std::make_shared<RecentRecord>();
  record->header = pending.header;
  record->framed = std::move(pending.framed);
  record->body = std::move(pending.body);
  if (pending.chain && pending.chain->size() <= kCopied) {
    record->body = copy_of(*pending.chain);
  } else {
    record->chain = std::move(pending.chain);
  }
  const Key key{segment, offset};
  const std::uint64_t octets = memory_of(*record);
  std::vector<std::shared_ptr<const RecentRecord>> gone;  // freed without the lock
  const std::scoped_lock lock(mutex_);
  octets_ += octets;
  order_.push_back({key, octets});
  records_[key] = std::move(record);
  while (octets_ > most_) {
    const Kept oldest = order_.front();
    order_.pop_front();
    octets_ -= oldest.octets;
    const auto found = records_.find(oldest.key);
    if (found == records_.end()) continue;
    gone.push_back(std::move(found->second));
    records_.erase(found);
  }
}

std::shared_ptr<const RecentRecord> Recent::find(std::uint64_t segment,
                                                 std::uint64_t offset) const {
  const std::scoped_lock lock(mutex_);
  const auto found = records_.find({segment, offset});
  return found == records_.end() ? nullptr : found->second;
}

void Recent::forget(std::uint64_t segment, std::uint64_t offset) {
  const std::scoped_lock lock(mutex_);
  records_.erase({segment, offset});
}

}  // namespace dr::journal
