#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "dimse/base/clock.h"
#include "dimse/base/result.h"

namespace dr::rules {

/// A zone of the tz database ("Europe/Berlin"), with its daylight saving time. Copies are cheap;
/// any thread.
class TimeZone {
 public:
  /// UTC.
  TimeZone();
  /// kInvalid: there is no such zone on this machine.
  static Result<TimeZone> find(std::string_view name);

  /// Weekday and time of day there: "Wed 22:39".
  std::string week_time(UtcMicros time) const;

 private:
  struct Impl;
  std::shared_ptr<const Impl> impl_;
};

}  // namespace dr::rules
