#pragma once

#include <filesystem>

namespace dr::test {

/// The project's root, and the folder of this build. Their paths are compiled into one file only,
/// so that a compiler cache serves every other one to any clone.
std::filesystem::path source_dir();
std::filesystem::path binary_dir();

}  // namespace dr::test
