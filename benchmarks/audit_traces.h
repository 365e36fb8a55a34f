#pragma once

// What audit_load and trace_at_scale share: the objects that they make up, and how `trace` is
// timed.

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <random>
#include <string>
#include <tuple>
#include <vector>

#include "db/audit_store.h"

namespace dr {

constexpr std::uint64_t kObjectsOfStudy = 200;  // in four series

inline std::string study(std::uint64_t object) {
  return "1.2.826.0.1.3680043.9.1." + std::to_string(object / kObjectsOfStudy);
}
inline std::string series(std::uint64_t object) {
  return study(object) + "." + std::to_string(object % 4 + 1);
}
inline std::string instance(std::uint64_t object) {
  return series(object) + "." + std::to_string(object);
}

inline double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Median and worst of `times`, in milliseconds.
inline std::string told(std::vector<double> times) {
  std::sort(times.begin(), times.end());
  char text[64];
  std::snprintf(text, sizeof text, "%.1f ms (worst %.1f)", times[times.size() / 2] * 1e3,
                times.back() * 1e3);
  return text;
}

/// Traces 50 objects and their studies, chosen at random among `instances`. What that took.
inline Result<std::string> traces(db::AuditStore& store, std::uint64_t instances,
                                  unsigned seed = 1) {
  std::minstd_rand random(seed);
  std::vector<double> of_objects, of_studies;
  for (int i = 0; i < 50; ++i) {
    const std::uint64_t object = random() % instances;
    for (auto& [uid, times, most] : {std::tuple<std::string, std::vector<double>&, std::size_t>{
                                         instance(object), of_objects, 1},
                                     {study(object), of_studies, kObjectsOfStudy}}) {
      const auto asked = std::chrono::steady_clock::now();
      const auto found = store.trace(uid, 100'000);
      times.push_back(seconds_since(asked));
      if (!found) return found.error();
      if (found->empty() || found->size() > most || found->front().deliveries.empty()) {
        return Error{Errc::kNotFound, "trace does not find all of " + uid};
      }
    }
  }
  return "trace object " + told(of_objects) + ", study of " + std::to_string(kObjectsOfStudy) +
         " " + told(of_studies);
}

}  // namespace dr
