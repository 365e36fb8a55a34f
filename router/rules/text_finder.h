#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace dr::rules {

/// Finds which of many words occur in a text, all in one pass (Aho and Corasick, 1975). ASCII
/// letters are compared without their case. Immutable once built; any thread.
class TextFinder {
 public:
  /// Words may not be empty; each is known by its place in the list.
  explicit TextFinder(const std::vector<std::string>& words);

  /// Calls `found(word)` for every occurrence of every word.
  template <class Found>
  void find(std::string_view text, Found&& found) const {
    std::uint32_t at = 0;
    for (const char c : text) {
      at = next(at, lower(c));
      for (std::uint32_t hit = states_[at].ends ? at : states_[at].shorter; hit != 0;
           hit = states_[hit].shorter) {
        for (const std::uint32_t word : states_[hit].words) found(word);
      }
    }
  }

 private:
  struct Edge {
    unsigned char octet = 0;
    std::uint32_t to = 0;
  };
  struct State {
    std::vector<Edge> edges;           // by octet
    std::vector<std::uint32_t> words;  // that end here
    std::uint32_t fail = 0;            // the longest proper suffix that is a state
    std::uint32_t shorter = 0;         // the longest such suffix at which a word ends
    bool ends = false;
  };

  static unsigned char lower(char c) {
    return static_cast<unsigned char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  }
  static const Edge* edge(const State& state, unsigned char octet);
  std::uint32_t next(std::uint32_t from, unsigned char octet) const;
  std::uint32_t insert(std::string_view word);
  void link();

  std::vector<State> states_;
  std::vector<std::uint32_t> root_;  // of the first state, every octet
};

}  // namespace dr::rules
