#pragma once

#include "dimse/base/log.h"

namespace dr {

/// Sends events to standard error through spdlog, one line each: time in UTC, level, event.
void log_to_stderr(log::Level least);

}  // namespace dr
