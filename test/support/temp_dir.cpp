#include "test/support/temp_dir.h"

#include <cerrno>
#include <string>
#include <system_error>

#include <stdlib.h>

namespace dr::test {

TempDir::TempDir() : TempDir(std::filesystem::temp_directory_path()) {}

TempDir::TempDir(const std::filesystem::path& parent) {
  std::string pattern = (parent / "dicom-router-XXXXXX").string();
  if (mkdtemp(pattern.data()) == nullptr) {
    throw std::system_error(errno, std::generic_category(), "mkdtemp " + pattern);
  }
  path_ = pattern;
}

TempDir::~TempDir() {
  // What a test leaves without permission to remove stays: the test has failed or will not care.
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace dr::test
