#pragma once

#include <array>
#include <functional>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "dimse/base/result.h"
#include "router/worker/descriptor.h"

namespace dr::delivery {

/// SPOOL/uid-map: the pairs of original and new UID of reversible remaps, one sealed line each.
class UidMap {
 public:
  explicit UidMap(const std::string& folder);

  /// Writes the pairs that are not there yet, and returns once they are durable. Any thread.
  Result<void> keep(const std::vector<std::string>& sealed);

 private:
  /// The 96-bit pseudorandom name by which a sealed pair begins.
  using Pair = std::array<char, 24>;

  const std::string folder_;
  std::mutex mutex_;
  worker::Descriptor file_;
  std::set<Pair> kept_;
};

struct UidPair {
  std::string original;
  std::string pseudonym;
};
/// What a look-up has read.
struct UidLookup {
  std::vector<UidPair> found;    // in the order in which they were kept
  std::uint64_t pairs = 0;       // of this key
  std::uint64_t unreadable = 0;  // lines of another key, or damaged
};
/// The pairs of the map in which one of `uids` is either. kNotFound: no map was ever written there.
/// Reads the whole map.
Result<UidLookup> look_up(const std::string& folder, const std::string& pseudonym_key,
                          const std::set<std::string>& uids);

}  // namespace dr::delivery
