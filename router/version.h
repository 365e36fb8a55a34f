#pragma once

namespace dr {

/// Of this build: "0.1.0", and the commit's short name ("" outside a checkout).
extern const char* const kVersion;
extern const char* const kCommit;

}  // namespace dr
