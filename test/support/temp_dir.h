#pragma once

#include <filesystem>
#include <string_view>

namespace dr::test {

/// A new empty folder of its own below the system's temporary folder (TMPDIR), removed with all
/// that it holds when this object goes.
class TempDir {
 public:
  TempDir();
  /// Below another folder.
  explicit TempDir(const std::filesystem::path& parent);
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(std::string_view name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

}  // namespace dr::test
