#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "dimse/base/result.h"
#include "router/delivery/engine.h"

namespace dr::admin {

/// What a listing of the queues was asked for.
struct QueueQuery {
  delivery::QueueFilter filter;
  std::size_t limit = 100;  // 1 to 1000
  std::optional<delivery::QueuePosition> after;
};

/// From `destination=&state=&object=&series=&study=&limit=&after=`. kInvalid with a sentence for
/// people, with the nearest name where one is not known; an empty value is as good as none.
Result<QueueQuery> parse_queue_query(const std::map<std::string, std::string>& query,
                                     const std::vector<std::string>& destinations);

/// The opaque text that continues a listing behind this item.
std::string position_text(const delivery::QueuePosition& position);

/// kInvalid when `query` has a name that is not among `known`.
Result<void> check_names(const std::map<std::string, std::string>& query,
                         const std::vector<std::string>& known);

}  // namespace dr::admin
