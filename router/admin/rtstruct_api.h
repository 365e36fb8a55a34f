#pragma once

#include <string_view>

#include "router/admin/api.h"

namespace dr::admin {

/// GET /api/v1/rtstruct/{sop_instance_uid}: the document of `dicom-router extract` with the member
/// "extraction" (state, attempts, reason, times) before its others; without a result only that,
/// with status 202 while one is to come. …/masks/{roi}.nii.gz: a ROI's voxels.
bool is_rtstruct_path(std::string_view path);
Response rtstruct(NodeView& node, const Request& request);

}  // namespace dr::admin
