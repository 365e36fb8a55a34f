#pragma once

#include <cstdint>
#include <memory_resource>
#include <vector>

#include "router/rules/program.h"

namespace dr::rules {

/// Gathers what the rules that match say, one after another.
class Outcome {
 public:
  Outcome(const Program& program, std::pmr::memory_resource* memory);

  /// In the order of the rules.
  void matched(std::uint32_t rule);
  /// A rule with `stop` has matched: no further one is tried.
  bool stopped() const { return stopped_; }
  /// One with `route` or `reject` has: no `unmatched` rule matches.
  bool decided() const { return decided_; }
  Decision take() &&;

 private:
  static constexpr std::uint32_t kNotYet = 0xffffffff;

  const Program& program_;
  std::pmr::vector<std::uint32_t> place_;  // of each destination in decision_.routes
  Decision decision_;
  bool stopped_ = false;
  bool decided_ = false;
};

}  // namespace dr::rules
