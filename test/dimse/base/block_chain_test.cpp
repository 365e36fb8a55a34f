#include "dimse/base/block_chain.h"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <numeric>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace dr {
namespace {

constexpr std::size_t kBlock = BlockPool::kBlockSize;

/// Appends `data` as a socket would fill it: as much as fits, again and again.
bool append(BlockChain& chain, ByteSpan data) {
  while (!data.empty()) {
    const MutableByteSpan space = chain.writable();
    if (space.empty()) return false;
    const std::size_t n = std::min(space.size(), data.size());
    std::memcpy(space.data(), data.data(), n);
    chain.commit(n);
    data = data.subspan(n);
  }
  return true;
}

Bytes contents(const BlockChain& chain) {
  Bytes all;
  for (const ByteSpan part : chain.spans()) all.insert(all.end(), part.begin(), part.end());
  return all;
}

Bytes pattern(std::size_t n) {
  Bytes data(n);
  for (std::size_t i = 0; i < n; ++i) data[i] = static_cast<std::byte>(i * 7 + i / 251);
  return data;
}

TEST(BlockPool, HandsOutAlignedBlocksUpToItsBudget) {
  BlockPool pool(2 * kBlock + kBlock / 2);  // the half is none
  std::byte* first = pool.try_take();
  std::byte* second = pool.try_take();
  ASSERT_NE(first, nullptr);
  ASSERT_NE(second, nullptr);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(first) % 4096, 0U);
  EXPECT_EQ(pool.octets_in_use(), 2 * kBlock);
  EXPECT_EQ(pool.try_take(), nullptr);
  EXPECT_EQ(pool.octets_in_use(), 2 * kBlock);
  pool.give_back(first);
  EXPECT_EQ(pool.try_take(), first);  // the one whose pages are warm
  pool.give_back(first);
  pool.give_back(second);
  EXPECT_EQ(pool.octets_in_use(), 0U);
}

TEST(BlockPool, WithoutBudgetHandsOutNothing) {
  BlockPool pool(kBlock - 1);
  EXPECT_EQ(pool.try_take(), nullptr);
}

TEST(BlockPool, TakesBackMoreThanItKeeps) {
  BlockPool pool(200 * kBlock);
  std::vector<std::byte*> taken;
  while (std::byte* block = pool.try_take()) taken.push_back(block);
  EXPECT_EQ(taken.size(), 200U);
  for (std::byte* block : taken) pool.give_back(block);
  EXPECT_EQ(pool.octets_in_use(), 0U);
}

TEST(BlockPool, HoldsItsBudgetUnderThreads) {
  BlockPool pool(8 * kBlock);
  std::atomic<int> out{0};
  std::atomic<int> most{0};
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < 2'000; ++i) {
          std::byte* a = pool.try_take();
          std::byte* b = pool.try_take();
          std::byte* c = pool.try_take();
          const int mine = (a != nullptr) + (b != nullptr) + (c != nullptr);
          const int now = out += mine;
          for (int seen = most; now > seen && !most.compare_exchange_weak(seen, now);) {
          }
          out -= mine;
          for (std::byte* block : {a, b, c}) {
            if (block != nullptr) pool.give_back(block);
          }
        }
      });
    }
  }
  EXPECT_GT(most, 0);
  EXPECT_LE(most, 8);
  EXPECT_EQ(pool.octets_in_use(), 0U);
}

TEST(BlockChain, KeepsOctetsInOrderAcrossBlocks) {
  BlockPool pool(8 * kBlock);
  for (const std::size_t n : {std::size_t{0}, std::size_t{1}, kBlock - 1, kBlock, kBlock + 1,
                              3 * kBlock, 3 * kBlock + 17}) {
    BlockChain chain(pool);
    const Bytes data = pattern(n);
    ASSERT_TRUE(append(chain, data)) << n;
    EXPECT_EQ(chain.size(), n);
    EXPECT_EQ(chain.spans().size(), (n + kBlock - 1) / kBlock) << n;
    EXPECT_TRUE(contents(chain) == data) << n;
  }
}

TEST(BlockChain, AsksForNoBlockBeforeTheLastIsFull) {
  BlockPool pool(2 * kBlock);
  BlockChain chain(pool);
  const MutableByteSpan first = chain.writable();
  EXPECT_EQ(first.size(), kBlock);
  EXPECT_EQ(chain.writable().data(), first.data());  // nothing was committed
  chain.commit(10);
  EXPECT_EQ(chain.writable().data(), first.data() + 10);
  EXPECT_EQ(pool.octets_in_use(), kBlock);
  chain.commit(kBlock - 10);
  EXPECT_EQ(pool.octets_in_use(), kBlock);
  EXPECT_EQ(chain.writable().size(), kBlock);
  EXPECT_EQ(pool.octets_in_use(), 2 * kBlock);
}

TEST(BlockChain, SaysWhenTheBudgetIsUsedUpAndKeepsWhatItHas) {
  BlockPool pool(kBlock);
  BlockChain chain(pool);
  const Bytes data = pattern(kBlock);
  EXPECT_FALSE(append(chain, pattern(kBlock + 1)));
  EXPECT_EQ(chain.size(), kBlock);
  EXPECT_TRUE(contents(chain) == data);
}

TEST(BlockChain, GivesItsBlocksBack) {
  BlockPool pool(4 * kBlock);
  {
    BlockChain chain(pool);
    ASSERT_TRUE(append(chain, pattern(2 * kBlock)));
    chain.clear();
    EXPECT_EQ(pool.octets_in_use(), 0U);
    EXPECT_EQ(chain.size(), 0U);
    ASSERT_TRUE(append(chain, pattern(kBlock + 1)));
  }
  EXPECT_EQ(pool.octets_in_use(), 0U);
}

TEST(BlockChain, MovesWithoutSharing) {
  BlockPool pool(4 * kBlock);
  const Bytes data = pattern(kBlock + 5);
  BlockChain from(pool);
  ASSERT_TRUE(append(from, data));
  BlockChain to(std::move(from));
  EXPECT_TRUE(contents(to) == data);
  BlockChain other(pool);
  ASSERT_TRUE(append(other, pattern(1)));
  other = std::move(to);
  EXPECT_TRUE(contents(other) == data);
  EXPECT_EQ(pool.octets_in_use(), 2 * kBlock);  // the one of `other` went back
}

}  // namespace
}  // namespace dr
