#include "rtstruct/output.h"

#include <atomic>
#include <mutex>
#include <optional>
#include <thread>

#include <dcmtk/dcmdata/dcuid.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "dimse/file/part10_writer.h"
#include "rtstruct/mesh.h"
#include "rtstruct/nifti.h"
#include "rtstruct/results.h"

namespace dr::rtstruct {
namespace {

/// Closes on the way out.
struct Descriptor {
  int fd;
  ~Descriptor() {
    if (fd >= 0) ::close(fd);
  }
};

Result<void> make_folder(const std::filesystem::path& folder) {
  std::error_code failed;
  std::filesystem::create_directories(folder, failed);
  return failed ? Error{Errc::kIo, "mkdir: " + failed.message()} : Result<void>();
}

Result<Mesh> mesh_of(const RoiResult& result) {
  if (result.mask) return make_mesh(*result.mask, *result.grid);
  Stack stack = result.stack;
  const ImageGrid grid = grid_for(stack, result.measures);
  stack.along_grid = true;
  Budget budget(MeasureOptions().steps);
  const auto mask = rasterize(stack, result.measures, grid, budget);
  if (!mask) return Error{Errc::kTooLong, "mesh: too complex"};
  return make_mesh(*mask, grid);
}

}  // namespace

Result<void> write_meshes(const Extraction& extraction, const std::filesystem::path& folder) {
  if (auto made = make_folder(folder); !made) return made;
  for (std::size_t i = 0; i < extraction.rois.size(); ++i) {
    if (!extraction.rois[i].measures.volume) continue;
    const auto mesh = mesh_of(extraction.rois[i]);
    if (!mesh && mesh.error().code == Errc::kNotFound) continue;  // smaller than a voxel
    if (!mesh) return mesh.error();
    const auto name = std::to_string(extraction.set.rois[i].number) + ".stl";
    if (auto done = write_file(folder / name, stl(*mesh)); !done) return done;
  }
  return {};
}

Result<void> write_objects(const Extraction& extraction, const std::filesystem::path& folder) {
  if (auto made = make_folder(folder); !made) return made;
  const ResultUids uids = complete({});
  std::vector<std::uint16_t> segments;
  const auto segmentation = make_segmentation(extraction, uids, segments);
  if (!segmentation) return segmentation.error();
  const auto report = make_report(extraction, uids, segments);
  if (!report) return report.error();
  auto done = write_object(folder / "segmentation.dcm", UID_SegmentationStorage, uids.segmentation,
                           *segmentation);
  if (done) {
    done = write_object(folder / "report.dcm", UID_ComprehensiveSRStorage, uids.report, *report);
  }
  return done;
}

Result<void> write_object(const std::filesystem::path& path, std::string_view sop_class_uid,
                          const Uid& sop_instance_uid, ByteSpan data_set) {
  Bytes file = file::part10_head({uid_literal(sop_class_uid),
                                  sop_instance_uid,
                                  uid_literal(UID_LittleEndianExplicitTransferSyntax),
                                  uid_literal(OFFIS_IMPLEMENTATION_CLASS_UID),
                                  "",
                                  {}});
  ByteWriter(file).put(data_set);
  return write_file(path, file);
}

Result<void> write_file(const std::filesystem::path& path, ByteSpan octets) {
  const std::string beside = path.string() + ".part";
  ::unlink(beside.c_str());
  const Descriptor file{::open(beside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640)};
  if (file.fd < 0) return errno_error("open", errno);
  while (!octets.empty()) {
    const ssize_t n = ::write(file.fd, octets.data(), octets.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno_error("write", errno);
    octets = octets.subspan(static_cast<std::size_t>(n));
  }
  if (::rename(beside.c_str(), path.c_str()) != 0) return errno_error("rename", errno);
  return {};
}

Result<void> write_masks(const Extraction& extraction, const std::filesystem::path& folder,
                         unsigned threads) {
  if (auto made = make_folder(folder); !made) return made;
  std::atomic<std::size_t> next = 0;
  std::mutex mutex;
  std::optional<Error> first;
  const auto work = [&] {
    for (std::size_t i = next++; i < extraction.rois.size(); i = next++) {
      const RoiResult& result = extraction.rois[i];
      if (!result.mask || result.mask->runs.empty()) continue;
      const auto octets = nifti_gz(*result.mask, *result.grid);
      const auto name = std::to_string(extraction.set.rois[i].number) + ".nii.gz";
      auto done = octets ? write_file(folder / name, *octets) : Result<void>(octets.error());
      if (done) continue;
      const std::lock_guard lock(mutex);
      if (!first) first = done.error();
    }
  };
  {
    std::vector<std::jthread> others;
    for (unsigned t = 1; t < threads; ++t) others.emplace_back(work);
    work();
  }
  return first ? Result<void>(*first) : Result<void>();
}

}  // namespace dr::rtstruct
