#include "router/journal/sequence_map.h"

#include <map>
#include <random>

#include <gtest/gtest.h>

namespace dr::journal {
namespace {

struct Item {
  Sequence instance{};
  int value = 0;
};

std::vector<std::uint64_t> keys(const SequenceMap<Item>& map, std::uint64_t from) {
  std::vector<std::uint64_t> found;
  map.each_from(Sequence{from}, [&](const Item& item) {
    found.push_back(value(item.instance));
    return true;
  });
  return found;
}

TEST(SequenceMap, DoesWhatAMapDoes) {
  std::minstd_rand random(7);
  std::map<std::uint64_t, int> expected;
  SequenceMap<Item> map;
  for (int i = 0; i < 40'000; ++i) {
    // First it grows, mostly at its end, then it shrinks, mostly at its beginning.
    const bool grow = random() % 100 < (i < 20'000 ? 70 : 30);
    const std::uint64_t any = random() % 30'000;
    if (grow) {
      const std::uint64_t key =
          random() % 4 == 0 || expected.empty() ? any : expected.rbegin()->first + 1 + any % 3;
      if (expected.contains(key)) continue;
      expected[key] = i;
      EXPECT_EQ(map.insert({Sequence{key}, i}).value, i);
    } else {
      const auto near = random() % 4 == 0 ? expected.lower_bound(any) : expected.begin();
      const std::uint64_t key = near == expected.end() ? any : near->first;
      map.erase(Sequence{key});
      expected.erase(key);
    }
    ASSERT_EQ(map.size(), expected.size());
    const auto at = expected.find(any);
    const Item* found = map.find(Sequence{any});
    ASSERT_EQ(found != nullptr, at != expected.end());
    if (found != nullptr) {
      ASSERT_EQ(found->value, at->second);
    }
    if (i % 500 != 0) continue;
    std::vector<std::uint64_t> all;
    for (auto one = expected.lower_bound(any); one != expected.end(); ++one) {
      all.push_back(one->first);
    }
    ASSERT_EQ(keys(map, any), all);
  }
}

TEST(SequenceMap, StopsWhenToldTo) {
  SequenceMap<Item> map;
  for (std::uint64_t i = 1; i <= 1000; ++i) map.insert({Sequence{i}, 0});
  int seen = 0;
  map.each_from(Sequence{500}, [&](const Item&) { return ++seen < 3; });
  EXPECT_EQ(seen, 3);
  EXPECT_TRUE(keys(map, 1001).empty());
  EXPECT_EQ(map.find(Sequence{0}), nullptr);
}

}  // namespace
}  // namespace dr::journal
