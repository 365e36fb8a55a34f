#include "router/rules/time_zone.h"

#include <algorithm>

#include <cctz/time_zone.h>

#include "router/rules/window.h"

namespace dr::rules {

struct TimeZone::Impl {
  cctz::time_zone zone = cctz::utc_time_zone();
};

TimeZone::TimeZone() : impl_(std::make_shared<Impl>()) {}

Result<TimeZone> TimeZone::find(std::string_view name) {
  // The name becomes a path: no zone has more than letters, digits and these.
  const bool is_name = std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '/' ||
           c == '_' || c == '-' || c == '+';
  });
  auto impl = std::make_shared<Impl>();
  if (!is_name || name.empty() || name.size() > 64 || name.starts_with('/') ||
      !cctz::load_time_zone(std::string(name), &impl->zone)) {
    return Error{Errc::kInvalid, "there is no such time zone: write \"UTC\" or \"Europe/Berlin\""};
  }
  TimeZone found;
  found.impl_ = std::move(impl);
  return found;
}

std::string TimeZone::week_time(UtcMicros time) const {
  const auto local = cctz::convert(std::chrono::floor<std::chrono::seconds>(time), impl_->zone);
  const auto day = static_cast<std::size_t>(cctz::get_weekday(cctz::civil_day(local)));
  const auto digits = [](int n) {
    return std::string{static_cast<char>('0' + n / 10), static_cast<char>('0' + n % 10)};
  };
  return std::string(kWeekdays[day]) + " " + digits(local.hour()) + ":" + digits(local.minute());
}

}  // namespace dr::rules
