#include "router/rules/suggest.h"

#include <algorithm>
#include <vector>

namespace dr::rules {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

/// Twice the number of letters to insert, delete, replace or swap with a neighbour; a letter in the
/// other case costs one.
unsigned distance(std::string_view a, std::string_view b) {
  std::vector<unsigned> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  for (unsigned j = 0; j <= b.size(); ++j) last[j] = 2 * j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = static_cast<unsigned>(2 * i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const char x = a[i - 1];
      const char y = b[j - 1];
      const unsigned replace = x == y ? 0 : lower(x) == lower(y) ? 1 : 2;
      row[j] = std::min({last[j] + 2, row[j - 1] + 2, last[j - 1] + replace});
      if (i > 1 && j > 1 && x == b[j - 2] && a[i - 2] == y)
        row[j] = std::min(row[j], before[j - 2] + 2);
    }
    std::swap(before, last);
    std::swap(last, row);
  }
  return last[b.size()];
}

}  // namespace

std::string suggestion(std::string_view unknown, std::span<const std::string_view> known) {
  constexpr std::size_t kLongest = 64;  // of DICOM's keywords, and of any name here
  if (unknown.empty() || unknown.size() > kLongest) return {};
  const unsigned most = std::max<unsigned>(4, static_cast<unsigned>(unknown.size() / 2));
  unsigned best = most + 1;
  std::string_view word;
  for (const std::string_view candidate : known) {
    const std::size_t longer = std::max(candidate.size(), unknown.size());
    if (2 * (longer - std::min(candidate.size(), unknown.size())) >= best) continue;
    const unsigned d = distance(unknown, candidate);
    if (d < best && d < 2 * longer) {
      best = d;
      word = candidate;
    }
  }
  return word.empty() ? "" : ", did you mean '" + std::string(word) + "'?";
}

}  // namespace dr::rules
