#pragma once

#include <cstdint>
#include <map>

#include "router/delivery/settings.h"

namespace dr::delivery {

/// What the status of a C-STORE-RSP means (PS3.4 B.2.3, PS3.7 C), by the habits of a destination's
/// profile; the configuration's overrides come first.
class StatusMap {
 public:
  StatusMap(Profile profile, std::map<std::uint16_t, Verdict> overrides);
  Verdict classify(std::uint16_t status) const;

 private:
  Profile profile_;
  std::map<std::uint16_t, Verdict> overrides_;
};

}  // namespace dr::delivery
