#include "router/delivery/status_map.h"

#include <optional>
#include <span>
#include <utility>

namespace dr::delivery {

namespace {

struct Row {
  std::uint16_t first;
  std::uint16_t last;
  Verdict verdict;
};

// First match wins.
constexpr Row kGeneric[] = {
    {0x0000, 0x0000, Verdict::kDone},      {0x0001, 0x0001, Verdict::kDone},  // warning, PS3.7 C
    {0x0105, 0x0106, Verdict::kPermanent},  // no such attribute, invalid value
    {0x0107, 0x0107, Verdict::kDone},       // attribute list: a warning
    {0x0110, 0x0110, Verdict::kTransient},  // processing failure
    {0x0111, 0x0111, Verdict::kDone},       // duplicate: it is there
    {0x0112, 0x0112, Verdict::kPermanent},  // printed for "class not supported" in PS3.2 N.7
    {0x0113, 0x0115, Verdict::kPermanent},  // no such event or argument, invalid argument
    {0x0116, 0x0116, Verdict::kDone},       // value out of range: a warning
    {0x0117, 0x0121, Verdict::kPermanent},  // invalid instance … missing attribute value
    {0x0122, 0x0123, Verdict::kPermanent},  // class not supported, no such action
    {0x0124, 0x0124, Verdict::kHold},       // not authorized
    {0x0210, 0x0212, Verdict::kPermanent},  // our own defect: duplicate, unrecognised, mistyped
    {0x0213, 0x0213, Verdict::kTransient},  // resource limitation
    {0x0214, 0x0214, Verdict::kHold},       // printed for "not authorized" in PS3.2 N.7
    {0xa700, 0xa7ff, Verdict::kTransient},  // out of resources
    {0xa900, 0xa9ff, Verdict::kPermanent},  // data set does not match its class
    {0xb000, 0xbfff, Verdict::kDone},       // stored with a warning: coerced, elements discarded
    {0xc000, 0xcfff, Verdict::kPermanent},  // cannot understand
};

// dcm4chee-arc: codes of its retention, rejection and patient checks; A77A is a study that is being
// deleted.
constexpr Row kDcm4chee[] = {
    {0xa770, 0xa779, Verdict::kPermanent},
    {0xa77b, 0xa77b, Verdict::kPermanent},
};

// XNAT answers so when the same UID arrives twice at once.
constexpr Row kXnat[] = {{0xc000, 0xc000, Verdict::kTransient}};

std::optional<Verdict> find(std::span<const Row> rows, std::uint16_t status) {
  for (const Row& row : rows) {
    if (status >= row.first && status <= row.last) return row.verdict;
  }
  return std::nullopt;
}

std::span<const Row> habits(Profile profile) {
  switch (profile) {
    case Profile::kDcm4chee:
      return kDcm4chee;
    case Profile::kXnat:
      return kXnat;
    case Profile::kGeneric:
    case Profile::kOrthanc:
      break;
  }
  return {};
}

}  // namespace

StatusMap::StatusMap(Profile profile, std::map<std::uint16_t, Verdict> overrides)
    : profile_(profile), overrides_(std::move(overrides)) {}

Verdict StatusMap::classify(std::uint16_t status) const {
  if (const auto found = overrides_.find(status); found != overrides_.end()) return found->second;
  if (const auto found = find(habits(profile_), status)) return *found;
  // What no table knows is tried again: attempts are limited, and an object is never given up for a
  // number that nobody understands.
  return find(kGeneric, status).value_or(Verdict::kTransient);
}

}  // namespace dr::delivery
