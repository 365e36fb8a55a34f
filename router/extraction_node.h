#pragma once

#include <string>

#include "dimse/base/ae_title.h"
#include "dimse/base/bytes.h"
#include "dimse/base/clock.h"
#include "router/admin/metrics.h"
#include "router/admin/node_view.h"
#include "router/extraction/extractor.h"
#include "router/journal/records.h"
#include "router/patient_key.h"
#include "router/rules/rule_set.h"

namespace dr {

/// What an object that this node made says about where it comes from.
struct Maker {
  std::string node;
  std::uint64_t process_start = 0;
  AeTitle ae_title;
  const PatientKey& patient_key;
  const Clock& clock;
  const rules::RuleSet& rules;
  admin::Metrics& metrics;
};

/// Completes the record of an object that extraction has made, whose class, instance, syntax and
/// listener are set: the rules decide about it as about one that this node had sent to itself.
void describe_made(const Maker& maker, ByteSpan data_set, journal::ObjectRecord& record);

/// What extraction tells of a structure set, for the admin interface.
admin::StructureSetAnswer answer_of(extraction::Told told);

}  // namespace dr
