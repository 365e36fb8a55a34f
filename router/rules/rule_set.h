#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "dimse/base/ae_title.h"
#include "dimse/base/clock.h"
#include "dimse/base/uid.h"
#include "dimse/encoding/header_scanner.h"
#include "router/rules/questions.h"
#include "router/rules/time_zone.h"

namespace dr::rules {

/// One finding about a configuration or rule file. `FILE:LINE:COL: message`.
struct Diagnostic {
  enum class Severity { kError, kWarning };
  Severity severity = Severity::kError;
  std::string file;
  std::uint32_t line = 0;
  std::uint32_t column = 0;
  std::string message;
  std::string to_string() const;
};

enum class Priority : std::uint8_t { kHigh = 0, kNormal = 1, kLow = 2 };

/// What a rule may ask about one object. References live for the call only.
struct Facts {
  const AeTitle& calling_ae_title;
  const AeTitle& called_ae_title;
  const std::string& address;
  const std::string& listener;
  const std::string& tls_subject;
  const std::string& user;
  const Uid& sop_class_uid;
  const Uid& transfer_syntax_uid;
  UtcMicros received;
  const encoding::HeaderScanner& header;
  /// (0008,0005) of a data set that has none; empty: the default repertoire.
  std::string_view character_set = {};
};

/// `after` or `hold_until` of a rule: what its copies wait for.
struct Wait {
  enum class Until : std::uint8_t { kNothing = 0, kSeries = 1, kStudy = 2, kReferences = 3 };
  enum class Late : std::uint8_t { kSend = 0, kAgain = 1, kHold = 2 };
  Until until = Until::kNothing;
  std::chrono::microseconds quiet{0};    // without another object of the series or study
  std::chrono::microseconds at_most{0};  // since its first object was received
  Late late = Late::kSend;               // what becomes of an object that comes afterwards
  friend bool operator==(const Wait&, const Wait&) = default;
};

struct Route {
  std::string destination;
  Priority priority = Priority::kNormal;
  std::string transform;  // its canonical text; empty: the octets as received
  std::string held;       // "conflicting_transforms"; empty: it is not held
  Wait wait;
};

/// A rule, for people.
struct RuleInfo {
  std::string name;
  std::string file;  // relative to the rule folder
  std::uint32_t line = 0;
  std::vector<std::string> route;
  std::string transform;  // canonical text, empty for none
};

/// What the rules say about one object.
struct Decision {
  std::vector<std::uint32_t> matched;  // indices into RuleSet::rules(), in order
  std::vector<Route> routes;           // each destination once, with its highest priority
  bool extract = false;
  std::optional<std::uint16_t> refuse;  // DIMSE status: wins over everything
};

/// One condition of a rule, and what it saw of an object.
struct ConditionOutcome {
  std::string inside;               // where it nests: "", "not", "any[2].not"
  std::string key;                  // the field's canonical name
  std::string expected;             // the value as TOML
  std::optional<std::string> seen;  // in UTF-8, several values behind backslashes; absent: nullopt
  bool matched = false;
};

struct RuleOutcome {
  bool matched = false;  // the rule applies
  bool reached = true;   // no rule before it that matched has `stop`
  std::vector<ConditionOutcome> conditions;
};

/// A decision and its reasons: one outcome for each of RuleSet::rules().
struct Explanation {
  Decision decision;
  std::vector<RuleOutcome> rules;
};

/// What the configuration says that rules refer to, or that makes one of them suspicious.
struct Site {
  /// A destination that speaks DICOM, for routes that lead back.
  struct Peer {
    std::string destination;
    std::string ae_title;
    bool is_this_node = false;  // one of its own listeners
  };
  std::set<std::string> targets;       // destinations and groups: what a route names
  std::set<std::string> destinations;  // those that some rule should use; for a warning
  std::map<std::string, std::set<std::string>> groups;  // the members of those that are groups
  std::vector<Peer> peers;
  std::set<std::string> sources;    // AE titles that may associate, without "*"
  std::set<std::string> listeners;  // empty: not known
  TimeZone zone;                    // of `received`
  bool has_pseudonym_key = true;    // [keys] pseudonym, for transforms that need one
};

/// One rule file, or one that a `map` reads, as it was read: what a reload is recorded with.
struct RuleFileInfo {
  std::string name;     // in the rule folder; of a CSV file its path
  std::string sha256;   // of its content, hexadecimal
  std::uint32_t owner;  // user id
  friend bool operator==(const RuleFileInfo&, const RuleFileInfo&) = default;
};

/// All rule files of a folder, compiled: immutable, shared by all associations, swapped whole.
class RuleSet {
 public:
  struct Loaded {
    std::shared_ptr<const RuleSet> rules;  // null when any diagnostic is an error
    std::vector<Diagnostic> diagnostics;   // every semantic error of every file
    std::vector<RuleFileInfo> files;       // all that could be read, in order
  };
  /// Reads `folder`/*.toml in name order; where `folder` is a link, all from what it leads to now.
  static Loaded load(const std::string& folder, const Site& site);
  /// `targets`: destinations and groups that a route may name.
  static Loaded load(const std::string& folder, const std::set<std::string>& targets);

  virtual ~RuleSet() = default;
  virtual const std::vector<RuleInfo>& rules() const = 0;
  /// Elements that the rules ask for, and those that the node itself needs.
  virtual const encoding::ScanPlan& scan_plan() const = 0;
  /// SHA-256 over names and contents of all files and of those that `map` reads, hexadecimal.
  virtual const std::string& sha256() const = 0;
  virtual const std::vector<RuleFileInfo>& files() const = 0;
  virtual Decision decide(const Facts& facts) const = 0;
  /// Whether any rule has `extract`.
  virtual bool extracts() const = 0;
  /// The same decision with every condition of every rule, for people. Any thread; not fast.
  virtual Explanation explain(const Facts& facts) const = 0;
  /// All rules as one TOML document that decides alike: keys and alternatives in order, every
  /// default left out, no comments.
  virtual std::string canonical() const = 0;
  /// What its conditions ask, attribute by attribute.
  virtual std::vector<Question> questions() const = 0;
};

}  // namespace dr::rules
