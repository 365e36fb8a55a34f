#include "router/audit/line_file.h"

#include <array>

namespace dr::audit {

Result<void> write_line(FileSystem& files, const std::string& folder, const std::string& name,
                        const std::string& line) {
  if (auto made = files.make_dir(folder); !made) return made;
  const std::string path = folder + "/" + name;
  const std::string aside = path + ".new";
  if (auto gone = files.unlink(aside); !gone && gone.error().code != Errc::kNotFound) return gone;
  auto file = files.open(aside, FileSystem::Mode::kCreateNew);
  if (!file) return std::move(file).error();
  const std::string text = line + "\n";
  const std::array<ByteSpan, 1> parts{as_bytes(text)};
  if (auto written = (*file)->write_at(0, parts); !written) return written;
  if (auto synced = (*file)->sync(); !synced) return synced;
  if (auto renamed = files.rename(aside, path); !renamed) return renamed;
  return files.sync_dir(folder);
}

Result<std::string> read_line(FileSystem& files, const std::string& folder,
                              const std::string& name) {
  auto file = files.open(folder + "/" + name, FileSystem::Mode::kRead);
  if (!file) return std::move(file).error();
  constexpr std::size_t kMost = 1024;
  Bytes octets(kMost);
  const auto read = (*file)->read_at(0, octets);
  if (!read) return read.error();
  const std::string_view text = as_text(ByteSpan(octets).first(*read));
  return std::string(text.substr(0, text.find('\n')));
}

}  // namespace dr::audit
