#include "router/delivery/paused.h"

#include <utility>

#include <nlohmann/json.hpp>

namespace dr::delivery {
namespace {

constexpr const char* kFile = "paused";
constexpr const char* kAside = "paused.new";
constexpr std::uint64_t kMostOctets = 1U << 20;

}  // namespace

Result<void> PausedFile::read() {
  names_.clear();
  if (files_ == nullptr) return {};
  auto file = files_->open(kFile, FileSystem::Mode::kRead);
  if (!file && file.error().code == Errc::kNotFound) return {};
  if (!file) return std::move(file).error();
  const auto size = (*file)->size();
  if (!size) return size.error();
  const Error corrupt{Errc::kCorrupt, std::string(kFile) + " length=" + std::to_string(*size)};
  if (*size > kMostOctets) return corrupt;
  Bytes octets(static_cast<std::size_t>(*size));
  const auto n = (*file)->read_at(0, octets);
  if (!n) return n.error();
  const auto document = nlohmann::json::parse(as_text(ByteSpan(octets).first(*n)), nullptr, false);
  if (!document.is_array()) return corrupt;
  for (const auto& name : document) {
    if (!name.is_string()) return corrupt;
    names_.insert(name.get<std::string>());
  }
  return {};
}

Result<void> PausedFile::set(const std::string& name, bool paused) {
  auto names = names_;
  const bool changed = paused ? names.insert(name).second : names.erase(name) > 0;
  if (!changed) return {};
  if (auto written = write(names); !written) return written;
  names_ = std::move(names);
  return {};
}

Result<void> PausedFile::write(const std::set<std::string>& names) {
  if (files_ == nullptr) return {};
  // What a crash has left aside is not what is to be written now.
  if (auto gone = files_->unlink(kAside); !gone && gone.error().code != Errc::kNotFound)
    return gone;
  auto file = files_->open(kAside, FileSystem::Mode::kCreateNew);
  if (!file) return std::move(file).error();
  const std::string text = nlohmann::json(names).dump() + "\n";
  const ByteSpan octets = as_bytes(std::string_view(text));
  if (auto done = (*file)->write_at(0, {&octets, 1}); !done) return done;
  if (auto done = (*file)->sync(); !done) return done;
  if (auto done = (*file)->close(); !done) return done;
  if (auto done = files_->rename(kAside, kFile); !done) return done;
  return files_->sync_dir("");
}

}  // namespace dr::delivery
