#include "dimse/base/block_chain.h"

#include <algorithm>
#include <new>
#include <utility>

#include "dimse/base/crc32c.h"

namespace dr {
namespace {

constexpr std::align_val_t kAlignment{4096};

}  // namespace

BlockPool::BlockPool(std::size_t budget_octets) : budget_(budget_octets) {}

BlockPool::~BlockPool() {
  for (std::byte* block : free_) ::operator delete(block, kAlignment);
}

std::byte* BlockPool::try_take() {
  {
    const std::scoped_lock lock(mutex_);
    if ((taken_ + 1) * kBlockSize > budget_) return nullptr;
    ++taken_;
    if (!free_.empty()) {
      std::byte* block = free_.back();
      free_.pop_back();
      return block;
    }
  }
  return static_cast<std::byte*>(::operator new(kBlockSize, kAlignment));
}

void BlockPool::give_back(std::byte* block) noexcept {
  {
    const std::scoped_lock lock(mutex_);
    --taken_;
    if (free_.size() < kKeep) {
      free_.push_back(block);
      return;
    }
  }
  ::operator delete(block, kAlignment);
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
