#include "dimse/base/block_chain.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <utility>

#include <sys/mman.h>

#include "dimse/base/crc32c.h"

namespace dr {
namespace {

constexpr std::size_t kSlab = 2U << 20;  // a huge page
constexpr unsigned kBlocksInSlab = kSlab / BlockPool::kBlockSize;

std::byte* slab_of(std::byte* block) {
  return block - reinterpret_cast<std::uintptr_t>(block) % kSlab;
}

}  // namespace

BlockPool::BlockPool(std::size_t budget_octets) : budget_(budget_octets) {}

BlockPool::~BlockPool() {
  for (const auto& [slab, free] : slabs_) std::free(slab);
}

std::byte* BlockPool::try_take() {
  const std::scoped_lock lock(mutex_);
  if ((taken_ + 1) * kBlockSize > budget_) return nullptr;
  if (free_.empty() && !add_slab()) return nullptr;
  ++taken_;
  std::byte* const block = free_.back();
  free_.pop_back();
  --slabs_.at(slab_of(block));
  return block;
}

bool BlockPool::add_slab() {
  free_.reserve((slabs_.size() + 1) * kBlocksInSlab);  // so that give_back() never allocates
  auto* const slab = static_cast<std::byte*>(std::aligned_alloc(kSlab, kSlab));
  if (slab == nullptr) return false;
  ::madvise(slab, kSlab, MADV_HUGEPAGE);
  slabs_.emplace(slab, kBlocksInSlab);
  for (unsigned i = kBlocksInSlab; i > 0; --i) free_.push_back(slab + (i - 1) * kBlockSize);
  return true;
}

void BlockPool::give_back(std::byte* block) noexcept {
  std::byte* const slab = slab_of(block);
  {
    const std::scoped_lock lock(mutex_);
    --taken_;
    free_.push_back(block);
    const auto found = slabs_.find(slab);
    if (++found->second < kBlocksInSlab || free_.size() <= kKeep) return;
    slabs_.erase(found);
    std::erase_if(free_, [slab](std::byte* each) { return slab_of(each) == slab; });
  }
  std::free(slab);
}

std::size_t BlockPool::octets_in_use() const {
  const std::scoped_lock lock(mutex_);
  return taken_ * kBlockSize;
}

BlockChain::BlockChain(BlockChain&& other) noexcept
    : pool_(other.pool_),
      blocks_(std::exchange(other.blocks_, {})),
      size_(std::exchange(other.size_, 0)),
      summed_(std::exchange(other.summed_, 0)),
      crc_(std::exchange(other.crc_, 0)) {}

BlockChain& BlockChain::operator=(BlockChain&& other) noexcept {
  if (this != &other) {
    clear();
    pool_ = other.pool_;
    blocks_ = std::exchange(other.blocks_, {});
    size_ = std::exchange(other.size_, 0);
    summed_ = std::exchange(other.summed_, 0);
    crc_ = std::exchange(other.crc_, 0);
  }
  return *this;
}

BlockChain::~BlockChain() { clear(); }

MutableByteSpan BlockChain::writable() {
  if (size_ == blocks_.size() * BlockPool::kBlockSize) {
    std::byte* block = pool_->try_take();
    if (block == nullptr) return {};
    blocks_.push_back(block);
  }
  const std::size_t used = size_ % BlockPool::kBlockSize;
  return {blocks_.back() + used, BlockPool::kBlockSize - used};
}

std::vector<ByteSpan> BlockChain::spans() const {
  std::vector<ByteSpan> parts;
  for (std::size_t i = 0, left = size_; left > 0; ++i) {
    const std::size_t n = std::min(left, BlockPool::kBlockSize);
    parts.emplace_back(blocks_[i], n);
    left -= n;
  }
  return parts;
}

void BlockChain::clear() noexcept {
  for (std::byte* block : blocks_) pool_->give_back(block);
  blocks_.clear();
  size_ = 0;
  summed_ = 0;
  crc_ = 0;
}

std::uint32_t BlockChain::checksum() noexcept {
  while (summed_ < size_) {
    const std::size_t at = summed_ % BlockPool::kBlockSize;
    const std::size_t n = std::min(BlockPool::kBlockSize - at, size_ - summed_);
    crc_ = crc32c(crc_, ByteSpan(blocks_[summed_ / BlockPool::kBlockSize] + at, n));
    summed_ += n;
  }
  return crc_;
}

}  // namespace dr
