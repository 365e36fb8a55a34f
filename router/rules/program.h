#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "dimse/encoding/tag.h"
#include "router/rules/pattern.h"
#include "router/rules/rule_set.h"

namespace dr::rules {

/// The creator of an element of PS3.6.
inline constexpr std::uint32_t kStandard = 0xffffffff;

/// One step into a sequence: `Seq.` (any item) or `Seq[1].` (that item, counted from 1).
struct Step {
  encoding::Tag sequence;
  std::uint32_t creator = kStandard;  // of a private sequence, as in Field
  std::uint32_t item = 0;             // 0: any
};

/// Something that a condition asks about.
struct Field {
  enum class Source : std::uint8_t {
    kCallingAeTitle,
    kCalledAeTitle,
    kAddress,
    kListener,
    kTlsSubject,
    kUser,
    kSopClass,
    kTransferSyntax,
    kReceived,
    kElement,
  };

  static constexpr std::uint32_t kStandard = rules::kStandard;

  std::string name;  // the one by which it is known: "Modality"
  Source source = Source::kElement;
  std::vector<Step> path;             // sequences from the top level down to the element
  encoding::Tag tag;                  // of a private element: xx of (gggg,bbxx)
  encoding::Vr vr{};                  // the dictionary's
  bool opaque = false;                // a sequence or bulk data: there or not
  std::uint32_t creator = kStandard;  // of a private element: index into Program::creators
};

/// A private creator (PS3.5 7.8.1), which each object may give another block of its group.
struct PrivateCreator {
  std::uint16_t group = 0;
  std::string name;
};

class Index;

/// All conditions of a rule set, flat. A test that several rules share stands here once and is made
/// at most once an object.
struct Program {
  struct Test {
    std::uint32_t field = 0;
    Pattern pattern;
  };
  /// A node's children stand behind it, up to `end`.
  struct Node {
    enum class Op : std::uint8_t { kAll, kAny, kNot, kTest } op = Op::kAll;
    std::uint32_t end = 0;
    std::uint32_t test = 0;
    bool list = false;  // kAll that was written `all = [ ... ]`
  };
  struct Rule {
    std::string name;
    std::uint32_t condition = 0;  // its first node; the others stand behind it
    bool unmatched = false;       // instead of a condition
    bool stop = false;
    bool extract = false;
    Priority priority = Priority::kNormal;
    std::optional<std::uint16_t> reject;
    Wait wait;
    std::vector<std::uint32_t> destinations;
    std::string transform;  // canonical; empty: none
    std::string rest;  // what is done with its copies, as lines of TOML: equal texts, equal rules
  };

  Program();
  Program(Program&&) noexcept;
  Program& operator=(Program&&) noexcept;
  ~Program();

  std::vector<Field> fields;
  std::vector<PrivateCreator> creators;
  std::vector<Test> tests;
  std::vector<Node> nodes;
  std::vector<Rule> rules;
  std::vector<std::string> destinations;
  TimeZone zone;
  std::unique_ptr<const Index> index;

  /// The top-level elements that a scan must bring, those that the node itself needs among them.
  encoding::ScanPlan scan_plan() const;
  /// Looks only at rules of which the condition that is rarest among rules holds. Any thread.
  Decision decide(const Facts& facts) const;
  /// The same, all conditions tested one by one.
  Explanation explain(const Facts& facts) const;
  /// See RuleSet::canonical().
  std::string canonical() const;
};

/// Puts a program together; what is equal becomes one.
class ProgramBuilder {
 public:
  std::uint32_t field(Field field);
  std::uint32_t creator(std::uint16_t group, const std::string& name);
  std::uint32_t destination(const std::string& name);
  /// A node that is closed by end_node() when its children have been added.
  std::uint32_t begin_node(Program::Node::Op op, bool list = false);
  void end_node(std::uint32_t node);
  void add_test(std::uint32_t field, Pattern pattern);

  std::uint32_t next_node() const { return static_cast<std::uint32_t>(program_.nodes.size()); }
  std::vector<Program::Rule>& rules() { return program_.rules; }
  const Program& program() const { return program_; }
  Program finish(TimeZone zone) &&;

 private:
  Program program_;
  std::map<std::string, std::uint32_t> fields_;
  std::map<std::string, std::uint32_t> tests_;
};

}  // namespace dr::rules
