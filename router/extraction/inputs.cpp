#include "router/extraction/inputs.h"

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <filesystem>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dimse/base/file_system.h"
#include "router/extraction/octets.h"

namespace dr::extraction {
namespace {

constexpr std::size_t kPiece = 256U << 10;

Result<void> copy(journal::BodyReader& body, int fd) {
  Bytes piece(kPiece);
  for (;;) {
    const auto n = body.read(piece);
    if (!n) return n.error();
    if (*n == 0) return {};
    if (auto written = write_all(fd, ByteSpan(piece).first(*n)); !written) return written;
  }
}

}  // namespace

Result<void> Inputs::prepare() const { return make_folders(folder_, 0700); }

std::string Inputs::path(journal::Sequence instance) const {
  return folder_ + "/" + std::to_string(value(instance));
}

Result<void> Inputs::keep(journal::Journal& journal, journal::Sequence instance) const {
  auto body = journal.open_body(instance);
  if (!body) return std::move(body).error();
  const std::string aside = path(instance) + ".part";
  const worker::Descriptor file(::open(
      aside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, S_IRUSR | S_IWUSR));
  if (!file) return errno_error("open", errno);
  if (auto copied = copy(**body, file.get()); !copied) return copied;
  if (fdatasync(file.get()) != 0) return errno_error("fdatasync", errno);
  if (std::rename(aside.c_str(), path(instance).c_str()) != 0) return errno_error("rename", errno);
  return sync_folder(folder_);
}

Result<worker::Descriptor> Inputs::open(journal::Sequence instance) const {
  worker::Descriptor file(::open(path(instance).c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!file && errno == ENOENT) return Error{Errc::kNotFound, "its octets are not kept any more"};
  if (!file) return errno_error("open", errno);
  return file;
}

void Inputs::sweep(const std::set<journal::Sequence>& needed, journal::Sequence upto) const {
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(folder_, ignored)) {
    const std::string name = entry.path().filename().string();
    std::uint64_t number = 0;
    const auto [end, failed] = std::from_chars(name.data(), name.data() + name.size(), number);
    if (failed != std::errc() || end == name.data()) continue;
    const journal::Sequence sequence{number};
    if (sequence <= upto && !needed.contains(sequence)) {
      std::filesystem::remove(entry.path(), ignored);
    }
  }
}

}  // namespace dr::extraction
