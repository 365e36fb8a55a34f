#include "router/rules/text_finder.h"

#include <algorithm>

namespace dr::rules {

TextFinder::TextFinder(const std::vector<std::string>& words) : states_(1), root_(256, 0) {
  for (std::uint32_t word = 0; word < words.size(); ++word) {
    State& last = states_[insert(words[word])];
    last.words.push_back(word);
    last.ends = true;
  }
  for (State& state : states_) std::ranges::sort(state.edges, {}, &Edge::octet);
  for (const Edge& first : states_[0].edges) root_[first.octet] = first.to;
  link();
}

std::uint32_t TextFinder::insert(std::string_view word) {
  std::uint32_t at = 0;
  for (const char c : word) {
    const unsigned char octet = lower(c);
    const auto known = std::ranges::find(states_[at].edges, octet, &Edge::octet);
    if (known != states_[at].edges.end()) {
      at = known->to;
      continue;
    }
    const auto added = static_cast<std::uint32_t>(states_.size());
    states_[at].edges.push_back({octet, added});
    states_.emplace_back();
    at = added;
  }
  return at;
}

/// Breadth first: the suffixes of a state are shorter than it is.
void TextFinder::link() {
  std::vector<std::uint32_t> waiting{0};
  for (std::size_t i = 0; i < waiting.size(); ++i) {
    const std::uint32_t from = waiting[i];
    for (const auto& [octet, to] : states_[from].edges) {
      State& state = states_[to];
      state.fail = from == 0 ? 0 : next(states_[from].fail, octet);
      const State& suffix = states_[state.fail];
      state.shorter = suffix.ends ? state.fail : suffix.shorter;
      waiting.push_back(to);
    }
  }
}

const TextFinder::Edge* TextFinder::edge(const State& state, unsigned char octet) {
  if (state.edges.size() == 1) {  // most states
    return state.edges[0].octet == octet ? state.edges.data() : nullptr;
  }
  const auto at = std::ranges::lower_bound(state.edges, octet, {}, &Edge::octet);
  return at != state.edges.end() && at->octet == octet ? &*at : nullptr;
}

std::uint32_t TextFinder::next(std::uint32_t from, unsigned char octet) const {
  while (from != 0) {
    if (const Edge* known = edge(states_[from], octet)) return known->to;
    from = states_[from].fail;
  }
  return root_[octet];
}

}  // namespace dr::rules
