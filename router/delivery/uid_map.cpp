#include "router/delivery/uid_map.h"

#include <algorithm>
#include <cerrno>
#include <fstream>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dimse/base/file_system.h"
#include "dimse/base/write_all.h"
#include "router/rules/transform_pseudonym.h"

namespace dr::delivery {
namespace {

std::string path_in(const std::string& folder) { return folder + "/uid-map"; }

}  // namespace

UidMap::UidMap(const std::string& folder) : folder_(folder) {}

Result<void> UidMap::keep(const std::vector<std::string>& sealed) {
  if (sealed.empty()) return {};
  const std::scoped_lock lock(mutex_);
  const std::string path = path_in(folder_);
  if (!file_) {
    std::ifstream in(path);
    for (std::string line; std::getline(in, line);) {
      if (Pair pair{}; line.copy(pair.data(), pair.size()) == pair.size()) kept_.insert(pair);
    }
    file_ = worker::Descriptor(
        ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, S_IRUSR | S_IWUSR));
    if (!file_) return errno_error("map of UIDs", errno);
    if (auto synced = sync_folder(folder_); !synced) return synced;
  }
  std::string lines;
  std::vector<Pair> fresh;
  for (const std::string& each : sealed) {
    Pair pair{};
    each.copy(pair.data(), pair.size());
    if (kept_.contains(pair)) continue;
    lines += each + '\n';
    fresh.push_back(pair);
  }
  if (lines.empty()) return {};
  if (auto put = write_all(file_.get(), as_bytes(lines)); !put) {
    return Error{put.error().code, "map of UIDs: " + put.error().detail};
  }
  if (fdatasync(file_.get()) != 0) return errno_error("map of UIDs", errno);
  kept_.insert(fresh.begin(), fresh.end());
  return {};
}

Result<UidLookup> look_up(const std::string& folder, const std::string& pseudonym_key,
                          const std::set<std::string>& uids) {
  const std::string path = path_in(folder);
  std::ifstream in(path);
  if (!in) {
    Error error = errno_error(path, errno);
    if (errno == ENOENT) error.code = Errc::kNotFound;
    return error;
  }
  const rules::Pseudonymizer pseudonyms(pseudonym_key);
  UidLookup result;
  for (std::string line; std::getline(in, line);) {
    const auto text = pseudonyms.unseal(line);
    const std::size_t space = text ? text->find(' ') : std::string::npos;
    if (space == std::string::npos) {
      ++result.unreadable;
      continue;
    }
    ++result.pairs;
    UidPair pair{text->substr(0, space), text->substr(space + 1)};
    if (uids.contains(pair.original) || uids.contains(pair.pseudonym)) {
      result.found.push_back(std::move(pair));
    }
  }
  if (in.bad()) return Error{Errc::kIo, path + ": can not be read"};
  return result;
}

}  // namespace dr::delivery
