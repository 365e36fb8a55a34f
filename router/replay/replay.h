#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "router/replay/snapshot.h"
#include "router/rules/rule_set.h"

namespace dr::replay {

/// Objects that would go elsewhere, or elsewise, by the same rule for the same reason.
struct Change {
  std::string what;         // "added", "removed", "changed" (transform, hold or wait)
  std::string destination;  // or "(unrouted)", "(refused 0124H)", "(extraction)"
  std::string rule;         // that adds it: a candidate; that had sent it there: one of then
  std::uint64_t objects = 0;
  std::string example;  // SOP Instance UID of the first
  bool certain = true;  // false: it may come of what is not kept of the object
};

/// A condition that could not be answered for some objects as it was when they came.
struct Unanswered {
  std::string key;     // what it asks about
  std::string reason;  // for people
  std::uint64_t objects = 0;
  std::vector<std::string> rules;  // that ask it
};

struct Comparison {
  std::uint64_t objects = 0;
  std::uint64_t same = 0;
  std::uint64_t different = 0;
  std::uint64_t perhaps = 0;  // different, as far as can be said
  std::vector<Change> changes;
  std::vector<Unanswered> unanswered;
};

/// Runs candidate rules over snapshots, and holds what they say against what was decided then.
/// Association facts are those of then. What was hashed is compared with the hashes of the rules'
/// literals; whatever else is asked of it is unanswered, as is what was too long to be kept.
class Replay {
 public:
  /// (0008,0005) of objects like this that have none.
  using CharacterSetOf = std::function<std::string(const journal::ObjectRecord&)>;
  /// `key`: that of the hashes. `rules` must outlive the replay.
  Replay(const rules::RuleSet& rules, std::string key, CharacterSetOf character_set = {});

  void add(const Snapshot& snapshot, Keep keep);
  Comparison take();

 private:
  rules::Decision decide(const Snapshot& snapshot, bool& certain, Keep keep);
  bool note_unanswered(const Snapshot& snapshot, const encoding::HeaderScanner& header, Keep keep);
  void compare(const Snapshot& snapshot, const rules::Decision& decision, bool certain);
  void change(const Snapshot& snapshot, std::string what, std::string destination, std::string rule,
              bool certain);

  const rules::RuleSet& rules_;
  const std::vector<rules::Question> questions_;
  const CharacterSetOf character_set_;
  std::map<std::string, std::string> known_;                              // hashes of literals
  std::map<std::pair<std::string, std::string>, Unanswered> unanswered_;  // by key and reason
  std::map<std::tuple<std::string, std::string, std::string, bool>, Change> changes_;
  Comparison result_;
};

}  // namespace dr::replay
