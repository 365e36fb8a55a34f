#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "dimse/base/ae_title.h"
#include "dimse/base/clock.h"
#include "dimse/base/uid.h"
#include "dimse/encoding/header_scanner.h"
#include "router/rules/questions.h"

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

/// One rule file as it was read: what a reload is recorded with.
struct RuleFileInfo {
  std::string name;     // in the rule folder
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
  /// Reads `folder`/*.toml in name order; where `folder` is a link, all from what it leads to now. `targets`: destinations and groups that a route may name.
  static Loaded load(const std::string& folder, const std::set<std::string>& targets);

  virtual ~RuleSet() = default;
  virtual const std::vector<RuleInfo>& rules() const = 0;
  /// Elements that the rules ask for, and those that the node itself needs.
  virtual const encoding::ScanPlan& scan_plan() const = 0;
  /// SHA-256 over names and contents of all files, hexadecimal.
  virtual const std::string& sha256() const = 0;
  virtual const std::vector<RuleFileInfo>& files() const = 0;
  virtual Decision decide(const Facts& facts) const = 0;
  /// What its conditions ask, attribute by attribute.
  virtual std::vector<Question> questions() const = 0;
};

}  // namespace dr::rules
