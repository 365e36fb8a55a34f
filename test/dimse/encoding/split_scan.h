#pragma once

#include <optional>
#include <string>

#include "dimse/encoding/header_scanner.h"

namespace dr::encoding {

/// Scans `octets` in pieces of the sizes that `next_size` gives; the data set ends behind the last.
template <class NextSize>
HeaderScanner scan_in_pieces(const ScanPlan& plan, const Uid& syntax, ByteSpan octets,
                             NextSize next_size) {
  HeaderScanner scanner(plan, syntax);
  while (!octets.empty() && scanner.state() == HeaderScanner::State::kMore) {
    const std::size_t n = std::min<std::size_t>(next_size(), octets.size());
    scanner.feed(octets.first(n));
    octets = octets.subspan(n);
  }
  scanner.finish();
  return scanner;
}

/// What two scans of the same data set disagree on; nullopt: nothing.
inline std::optional<std::string> difference(const ScanPlan& plan, const HeaderScanner& a,
                                             const HeaderScanner& b) {
  if (a.state() != b.state()) return "state: " + a.error().detail + " / " + b.error().detail;
  if (a.error().detail != b.error().detail) return a.error().detail + " / " + b.error().detail;
  for (const Tag tag : plan.tags()) {
    const ScannedElement* in_a = a.find(tag);
    const ScannedElement* in_b = b.find(tag);
    if ((in_a == nullptr) != (in_b == nullptr)) return "presence of " + tag.to_string();
    if (!in_a) continue;
    if (as_text(in_a->value) != as_text(in_b->value) || in_a->vr != in_b->vr ||
        in_a->truncated != in_b->truncated || in_a->big_endian != in_b->big_endian) {
      return "value of " + tag.to_string();
    }
  }
  return std::nullopt;
}

}  // namespace dr::encoding
