#include "router/version.h"

namespace dr {

const char* const kVersion = DR_VERSION;
const char* const kCommit = DR_COMMIT;

}  // namespace dr
