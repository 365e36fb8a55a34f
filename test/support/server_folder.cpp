#include "test/support/server_folder.h"

#include <cerrno>
#include <stdexcept>
#include <system_error>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "test/support/paths.h"
#include "test/support/process.h"

namespace dr::test {
namespace {

namespace fs = std::filesystem;

/// One process at a time fills the folder that all copy from.
class Lock {
 public:
  explicit Lock(const fs::path& path)
      : fd_(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)) {
    if (fd_ < 0 || ::flock(fd_, LOCK_EX) != 0) {
      throw std::system_error(errno, std::generic_category(), path.string());
    }
  }
  ~Lock() { ::close(fd_); }
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

 private:
  int fd_;
};

}  // namespace

ServerFolder::ServerFolder(const std::string& name, std::string user,
                           const std::function<void(const fs::path&)>& fill)
    : user_(std::move(user)) {
  const fs::path kept = binary_dir() / "test-servers" / name;
  fs::create_directories(kept.parent_path());
  // The server's user must come through to what is its own.
  fs::permissions(folder_.path(), fs::perms::group_exec | fs::perms::others_exec,
                  fs::perm_options::add);
  const Lock lock(kept.string() + ".lock");
  if (!fs::exists(kept)) {
    fs::create_directory(data());
    own(data());
    fill(data());
    const std::string unfinished = kept.string() + ".new";
    fs::remove_all(unfinished);
    run_or_throw({"cp", "-a", data(), unfinished});
    fs::rename(unfinished, kept);
  } else {
    run_or_throw({"cp", "-a", "--reflink=auto", kept, data()});
    own(data());
  }
}

std::vector<std::string> ServerFolder::as_user(std::vector<std::string> argv) const {
  if (::geteuid() != 0) return argv;
  std::vector<std::string> all{"setpriv", "--reuid",        user_,         "--regid",
                               user_,     "--clear-groups", "--pdeathsig", "KILL"};
  all.insert(all.end(), argv.begin(), argv.end());
  return all;
}

void ServerFolder::own(const fs::path& path) const {
  if (::geteuid() == 0) run_or_throw({"chown", "-R", user_ + ":", path});
}

std::string run_or_throw(std::vector<std::string> argv, std::vector<std::string> environment,
                         std::chrono::milliseconds most) {
  const std::string program = argv.front();
  auto finished = run(std::move(argv), std::move(environment), most);
  if (finished.status != 0) {
    throw std::runtime_error(program + " ended with " + std::to_string(finished.status) + ":\n" +
                             finished.output);
  }
  return std::move(finished.output);
}

}  // namespace dr::test
