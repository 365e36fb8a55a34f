#pragma once

#include <vector>

#include <prometheus/metric_family.h>

#include "router/admin/metrics.h"

namespace dr::admin {

/// What was looked up, as metric families. Made anew each time, so that a destination which is no
/// longer configured is no longer shown.
std::vector<prometheus::MetricFamily> gauge_families(const Gauges& gauges, bool fenced);

}  // namespace dr::admin
