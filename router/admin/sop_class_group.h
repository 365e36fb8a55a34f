#pragma once

#include <string_view>

#include "dimse/base/uid.h"

namespace dr::admin {

/// The family of a storage SOP class (PS3.6 A), a label of few values: "ct", "mr", "radiotherapy",
/// …; "other" for private and unknown ones.
std::string_view sop_class_group(const Uid& sop_class);

}  // namespace dr::admin
