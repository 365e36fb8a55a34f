#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "test/support/temp_dir.h"

namespace dr::test {

/// The data folder of a database server that belongs to a test, in a temporary folder of its own.
/// Servers refuse to run as root: then folder and server are those of `user`, who comes with the
/// server's package.
class ServerFolder {
 public:
  /// `fill` makes a fresh data folder, once for each build folder; from then on it is copied.
  ServerFolder(const std::string& name, std::string user,
               const std::function<void(const std::filesystem::path&)>& fill);

  std::filesystem::path data() const { return folder_ / "data"; }
  std::filesystem::path operator/(std::string_view name) const { return folder_ / name; }
  /// `argv`, run as `user` where this process is root's.
  std::vector<std::string> as_user(std::vector<std::string> argv) const;

 private:
  void own(const std::filesystem::path& path) const;

  const std::string user_;
  TempDir folder_;
};

/// Runs to its end; throws, with what it wrote, unless that is 0.
std::string run_or_throw(std::vector<std::string> argv, std::vector<std::string> environment = {},
                         std::chrono::milliseconds most = std::chrono::minutes(2));

}  // namespace dr::test
