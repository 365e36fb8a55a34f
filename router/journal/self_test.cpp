#include "router/journal/self_test.h"

#include <algorithm>
#include <array>
#include <chrono>

#include "router/journal/log_format.h"

namespace dr::journal {
namespace {

constexpr const char* kFile = "sync-probe";
constexpr double kImplausible = 20e-6;  // no disk, and no controller with a battery, is faster
constexpr double kSlow = 50e-3;

Result<double> time_one(File& file, const Clock& clock, std::uint64_t offset) {
  const Bytes page(kPage, std::byte{1});
  const ByteSpan part(page);
  const SteadyTime before = clock.now_steady();
  auto done = file.write_at(offset, std::span(&part, 1));
  if (done) done = file.sync();
  if (!done) return std::move(done).error();
  return std::chrono::duration<double>(clock.now_steady() - before).count();
}

}  // namespace

Result<void> refuse_network(const FileSystem& files) {
  if (files.medium() != Medium::kNetwork) return {};
  return Error{Errc::kUnsupported,
               "the spool lies on a network file system (NFS, SMB): its syncs and locks can not be "
               "relied on; put it on a local disk"};
}

Result<SelfTest> self_test(FileSystem& files, const Clock& clock, std::string_view mapped) {
  if (auto gone = files.unlink(kFile); !gone && gone.error().code != Errc::kNotFound) {
    return std::move(gone).error();
  }
  auto file = files.open(kFile, FileSystem::Mode::kCreateNew);
  if (!file) return std::move(file).error();
  std::array<double, 5> seconds{};
  for (std::size_t i = 0; i < seconds.size(); ++i) {
    const auto one = time_one(**file, clock, i * kPage);
    if (!one) return one.error();
    seconds[i] = *one;
  }
  if (auto gone = files.unlink(kFile); !gone) return std::move(gone).error();
  std::ranges::sort(seconds);
  const double median = seconds[seconds.size() / 2];
  return SelfTest{median, judge(files.medium(), median, mapped)};
}

std::vector<std::string> judge(Medium medium, double sync_seconds, std::string_view mapped) {
  std::vector<std::string> warnings;
  if (medium == Medium::kMemory) {
    warnings.emplace_back("the spool lies in memory (tmpfs): no object survives a power loss");
  } else if (medium == Medium::kUserSpace) {
    warnings.emplace_back(
        "the spool lies on a FUSE file system: whether a sync reaches the disk is up to it");
  } else if (sync_seconds < kImplausible) {
    warnings.push_back("a sync took " + std::to_string(sync_seconds * 1e6) +
                       " us: it can not have reached a disk");
  }
  if (sync_seconds > kSlow) {
    warnings.push_back("a sync took " + std::to_string(sync_seconds * 1e3) +
                       " ms: one sender gets no more than so few objects through");
  }
  if (mapped.find("libeatmydata") != mapped.npos) {
    warnings.emplace_back(
        "libeatmydata is loaded: no sync does anything, and objects that were "
        "acknowledged are lost with the power");
  }
  return warnings;
}

}  // namespace dr::journal
