#include "test/support/temp_dir.h"

#include <fstream>

#include <gtest/gtest.h>

namespace dr::test {
namespace {

TEST(TempDir, IsEmptyAndItsOwnAndGoesWithItsContent) {
  std::filesystem::path path;
  {
    const TempDir one;
    const TempDir other;
    path = one.path();
    EXPECT_NE(one.path(), other.path());
    EXPECT_TRUE(std::filesystem::is_empty(path));
    std::filesystem::create_directory(one / "folder");
    std::ofstream(one / "folder/file") << "x";
    EXPECT_TRUE(std::filesystem::exists(path / "folder" / "file"));
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

}  // namespace
}  // namespace dr::test
