#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <memory_resource>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "router/rules/pattern.h"
#include "router/rules/text_finder.h"

namespace re2 {
class FilteredRE2;
}

namespace dr::rules {

struct Program;

/// All tests of one field, so kept that one look at its values brings those that hold: literals by
/// their hash; numbers read once, whatever the number of bounds; globs and regular expressions only
/// where a word that they cannot do without occurs in the value.
class FieldIndex {
 public:
  FieldIndex();
  FieldIndex(FieldIndex&&) noexcept;
  ~FieldIndex();

  /// `pattern` must outlive the index.
  void add(std::uint32_t test, const Pattern& pattern);
  /// To be called once, behind all add().
  void finish();
  /// Adds each test that holds to `holding`, perhaps more than once.
  void match(std::span<const std::string_view> values,
             std::pmr::vector<std::uint32_t>& holding) const;

 private:
  using Tests = std::vector<std::uint32_t>;
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>{}(text);
    }
  };
  struct Range {
    Interval interval;
    std::uint32_t test;
  };
  struct Addresses {
    AddressRange range;
    std::uint32_t test;
  };
  struct Glob {
    std::string_view text;
    std::uint32_t test;
  };
  struct Expression {
    const re2::RE2* expression;
    std::uint32_t test;
  };
  /// Who needs a word: globs, and one of the filter's.
  struct Word {
    std::vector<std::uint32_t> globs;
    int atom = -1;
  };

  void match_one(std::string_view value, std::pmr::vector<std::uint32_t>& holding) const;
  void match_text(std::string_view value, std::pmr::vector<std::uint32_t>& holding) const;
  void try_expressions(std::string_view value, std::span<const int> which,
                       std::pmr::vector<std::uint32_t>& holding) const;

  Tests absent_;
  std::unordered_map<std::string, Tests, Hash, std::equal_to<>> literals_;
  std::array<std::vector<Range>, 6> ranges_;  // by scale
  std::vector<Addresses> addresses_;
  std::vector<Glob> globs_;
  std::vector<std::uint32_t> loose_globs_;  // without a word
  std::vector<Expression> expressions_;
  std::vector<int> loose_expressions_;  // tried on every value
  std::vector<int> all_expressions_;
  std::unique_ptr<re2::FilteredRE2> filter_;
  std::vector<Word> words_;
  std::optional<TextFinder> finder_;
};

/// Which rules an object may match at all. Each rule is guarded by those of its conditions that the
/// fewest rules have: unless one of them holds, the rule cannot.
class Index {
 public:
  explicit Index(const Program& program);

  const FieldIndex& field(std::uint32_t field) const { return fields_[field]; }
  /// Fields that have to be looked at before any rule is.
  std::span<const std::uint32_t> guard_fields() const { return guard_fields_; }
  std::span<const std::uint32_t> rules_guarded_by(std::uint32_t test) const {
    return guarded_[test];
  }
  /// Rules without a guard, a bit each.
  std::span<const std::uint64_t> always() const { return always_; }

 private:
  struct Guard {
    std::vector<std::uint32_t> tests;
    std::size_t rules = 0;  // that have them
  };
  std::optional<Guard> guard(const Program& program, std::uint32_t node,
                             const std::vector<std::size_t>& users) const;

  std::vector<FieldIndex> fields_;
  std::vector<std::uint32_t> guard_fields_;
  std::vector<std::vector<std::uint32_t>> guarded_;
  std::vector<std::uint64_t> always_;
};

}  // namespace dr::rules
