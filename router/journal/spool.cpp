#include "router/journal/spool.h"

#include <charconv>

#include "router/journal/checkpoint.h"
#include "router/journal/log_format.h"
#include "router/journal/random_id.h"
#include "router/journal/segment_files.h"

namespace dr::journal {
namespace {

constexpr const char* kFile = "spool";
constexpr const char* kAside = "spool.new";
constexpr std::string_view kTitle = "dicom-router spool\nformat ";
constexpr std::string_view kId = "\nid ";
constexpr std::size_t kUuid = 36;

/// Its id and format.
Result<std::pair<std::string, std::uint32_t>> parse(std::string_view text) {
  const Error bad{Errc::kCorrupt,
                  "the file that names the spool, octets=" + std::to_string(text.size())};
  if (!text.starts_with(kTitle)) return bad;
  text.remove_prefix(kTitle.size());
  std::uint32_t format = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), format);
  if (error != std::errc{}) return bad;
  if (format > kFormatVersion) {
    return Error{Errc::kUnsupported, "spool format=" + std::to_string(format) +
                                         " supported=" + std::to_string(kFormatVersion)};
  }
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  if (!text.starts_with(kId) || text.size() != kId.size() + kUuid + 1) return bad;
  return std::pair{std::string(text.substr(kId.size(), kUuid)), format};
}

/// Written aside and renamed, and the names synced, before any record is accepted.
Result<void> write_identity(FileSystem& files, const std::string& id) {
  for (const char* dir : {kJournalDir, kLargeDir, kCheckpointDir, "cursors"}) {
    if (auto made = files.make_dir(dir); !made) return made;
  }
  if (auto gone = files.unlink(kAside); !gone && gone.error().code != Errc::kNotFound) {
    return gone;
  }
  auto file = files.open(kAside, FileSystem::Mode::kCreateNew);
  if (!file) return std::move(file).error();
  const std::string text =
      std::string(kTitle) + std::to_string(kFormatVersion) + std::string(kId) + id + "\n";
  const ByteSpan part = as_bytes(text);
  auto done = (*file)->write_at(0, std::span(&part, 1));
  if (done) done = (*file)->sync();
  if (done) done = files.rename(kAside, kFile);
  if (done) done = files.sync_dir("");
  return done;
}

Result<std::string> create(FileSystem& files) {
  auto random = random_id();
  if (!random) return std::move(random).error();
  std::string id = to_uuid(*random);
  if (auto written = write_identity(files, id); !written) return std::move(written).error();
  return id;
}

}  // namespace

Result<Spool> open_spool(FileSystem& files) {
  auto lock = files.lock("lock");
  if (!lock) return std::move(lock).error();
  auto file = files.open(kFile, FileSystem::Mode::kRead);
  Result<std::string> id;
  std::uint32_t format = kFormatVersion;
  if (file) {
    Bytes octets(256);
    auto n = (*file)->read_at(0, octets);
    if (!n) return std::move(n).error();
    auto parsed = parse(as_text(ByteSpan(octets).first(*n)));
    if (!parsed) return std::move(parsed).error();
    id = std::move(parsed->first);
    format = parsed->second;
    // Who made it may have failed at its last step: its name is durable before a segment has one.
    if (auto named = files.sync_dir(""); !named) return std::move(named).error();
  } else if (file.error().code == Errc::kNotFound) {
    auto present = files.list(kJournalDir);  // segments without identity: not an empty folder
    if (present && !present->empty()) return Error{Errc::kCorrupt, "spool file is missing"};
    id = create(files);
  } else {
    return std::move(file).error();
  }
  if (!id) return std::move(id).error();
  return Spool{std::move(*lock), std::move(*id), format};
}

Result<void> upgrade_spool(FileSystem& files, const Spool& spool) {
  if (spool.format == kFormatVersion) return {};
  return write_identity(files, spool.id);
}

}  // namespace dr::journal
