#pragma once

#include <string_view>

#include "dimse/base/uid.h"

namespace dr::service {

inline constexpr std::string_view kVerification = "1.2.840.10008.1.1";  // PS3.4 A

/// Whether a C-STORE of this class may be sent (PS3.4 B.5): every class but those of PS3.6 A that
/// are known to be another service, so that classes newer than this program, retired and private
/// ones are stored like any other.
bool is_storage(const Uid& sop_class);

/// This program (PS3.7 D.3.3.2).
const Uid& implementation_class_uid();
inline constexpr std::string_view kImplementationVersionName = "DICOM-ROUTER";

}  // namespace dr::service
