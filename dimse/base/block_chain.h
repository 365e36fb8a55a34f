#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "dimse/base/bytes.h"

namespace dr {

/// Fixed-size blocks of memory for objects in flight, under one budget ([limits] memory), out of
/// huge pages where the system has them: the disk takes such memory for a direct write at once.
/// Freed blocks are kept and handed out again, the last one first: fresh pages cost more than
/// copying into them. Thread-safe. Must outlive every chain that took a block from it.
class BlockPool {
 public:
  static constexpr std::size_t kBlockSize = 256 * 1024;  // aligned to 4096

  explicit BlockPool(std::size_t budget_octets);
  ~BlockPool();
  BlockPool(const BlockPool&) = delete;
  BlockPool& operator=(const BlockPool&) = delete;

  /// A block, or nullptr when the budget is used up or the system has no memory.
  std::byte* try_take();
  void give_back(std::byte* block) noexcept;
  std::size_t octets_in_use() const;
  std::size_t budget() const noexcept { return budget_; }

 private:
  bool add_slab();

  static constexpr std::size_t kKeep = 128;  // free blocks kept for reuse: 32 MiB

  const std::size_t budget_;
  mutable std::mutex mutex_;
  std::size_t taken_ = 0;  // blocks
  std::vector<std::byte*> free_;
  std::unordered_map<std::byte*, unsigned> slabs_;  // and how many blocks of each are free
};

/// The octets of one object, in order, in blocks of a pool. Movable; gives its blocks back when it
/// dies.
class BlockChain {
 public:
  explicit BlockChain(BlockPool& pool) noexcept : pool_(&pool) {}
  BlockChain(BlockChain&& other) noexcept;
  BlockChain& operator=(BlockChain&& other) noexcept;
  ~BlockChain();

  std::size_t size() const noexcept { return size_; }
  /// Free space behind the last octet; takes a block when there is none. Empty: the budget is used
  /// up.
  MutableByteSpan writable();
  /// `n` octets of what writable() gave are filled.
  void commit(std::size_t n) noexcept { size_ += n; }
  /// The filled part of each block, in order.
  std::vector<ByteSpan> spans() const;
  void clear() noexcept;
  /// CRC32C of all octets (seed 0). Only what was committed since the last call is read: called
  /// after each piece that arrives, it reads octets that are still in the cache, while the next
  /// ones are on their way.
  std::uint32_t checksum() noexcept;

 private:
  BlockPool* pool_;
  std::vector<std::byte*> blocks_;
  std::size_t size_ = 0;
  std::size_t summed_ = 0;  // octets that crc_ covers
  std::uint32_t crc_ = 0;
};

}  // namespace dr
