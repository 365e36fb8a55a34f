#include "router/rules/text_finder.h"

#include <algorithm>
#include <random>
#include <set>

#include <gtest/gtest.h>

namespace dr::rules {
namespace {

std::multiset<std::string> found_in(const std::vector<std::string>& words, std::string_view text) {
  std::multiset<std::string> found;
  TextFinder(words).find(text, [&](std::uint32_t word) { found.insert(words[word]); });
  return found;
}

using Found = std::multiset<std::string>;

TEST(TextFinder, FindsEveryOccurrenceOfEveryWord) {
  const std::vector<std::string> words{"he", "she", "his", "hers", "e"};
  EXPECT_EQ(found_in(words, "ushers"), (Found{"she", "he", "e", "hers"}));
  EXPECT_EQ(found_in(words, "hehe"), (Found{"he", "e", "he", "e"}));
  EXPECT_EQ(found_in(words, ""), Found{});
  EXPECT_EQ(found_in({}, "ushers"), Found{});
}

TEST(TextFinder, DoesNotMindTheCaseOfAsciiLetters) {
  EXPECT_EQ(found_in({"trial"}, "TRIAL-7 Trial"), (Found{"trial", "trial"}));
  EXPECT_EQ(found_in({"\xc3\xa4"}, "\xc3\x84"), Found{});
}

TEST(TextFinder, AgreesWithASearchForEachWord) {
  constexpr std::uint32_t kSeed = 11;
  std::mt19937 random(kSeed);
  const auto text = [&](std::size_t length) {
    std::string out(length, ' ');
    for (char& c : out) c = "abc\xff"[random() % 4];
    return out;
  };
  for (int round = 0; round < 500; ++round) {
    std::set<std::string> distinct;
    for (int n = 0; n < 12; ++n) distinct.insert(text(1 + random() % 5));
    const std::vector<std::string> words(distinct.begin(), distinct.end());
    const std::string in = text(random() % 40);
    Found expected;
    for (const std::string& word : words) {
      for (auto at = in.find(word); at != std::string::npos; at = in.find(word, at + 1)) {
        expected.insert(word);
      }
    }
    EXPECT_EQ(found_in(words, in), expected) << "seed " << kSeed << " round " << round;
  }
}

}  // namespace
}  // namespace dr::rules
