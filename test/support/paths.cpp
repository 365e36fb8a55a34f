#include "test/support/paths.h"

namespace dr::test {

std::filesystem::path source_dir() { return DR_SOURCE_DIR; }

std::filesystem::path binary_dir() { return DR_BINARY_DIR; }

}  // namespace dr::test
