#include "router/journal/segment_files.h"

#include <algorithm>

namespace dr::journal {
namespace {

/// A segment whose own header is damaged: its groups carry its number too. 0: it has none.
Result<std::uint64_t> number_from_groups(FileWindow& window, const std::string& name,
                                         SegmentFiles& found) {
  std::uint64_t number = 0;
  for (std::uint64_t at = kFirstGroup; at < window.size(); at += kPage) {
    auto octets = window.get(at, kGroupHeaderSize);
    if (!octets) return std::move(octets).error();
    if (const auto header = decode_group_header(*octets)) {
      number = std::max(number, header->segment);
    }
  }
  if (number != 0) found.findings.push_back(finding(name, 0, "segment header damaged"));
  return number;
}

Result<void> load_one(FileSystem& files, const std::string& name, SegmentFiles& found) {
  auto file = files.open(name, FileSystem::Mode::kReadWrite);
  if (!file) return std::move(file).error();
  auto size = (*file)->size();
  if (!size) return std::move(size).error();
  FileWindow window(**file, *size);
  auto octets = window.get(0, kSegmentHeaderSize);
  if (!octets) return std::move(octets).error();
  LoadedSegment loaded;
  loaded.header = decode_segment_header(*octets);
  if (loaded.header && loaded.header->version > kFormatVersion) {
    return Error{Errc::kUnsupported, name + " format=" + std::to_string(loaded.header->version) +
                                         " supported=" + std::to_string(kFormatVersion)};
  }
  auto number = loaded.header ? Result<std::uint64_t>(loaded.header->segment)
                              : number_from_groups(window, name, found);
  if (!number) return std::move(number).error();
  if (*number == 0) {
    found.free.push_back({name, std::move(*file), *size});
    return {};
  }
  auto groups = find_groups(window, *number);
  if (!groups) return std::move(groups).error();
  loaded.groups = std::move(*groups);
  loaded.segment = std::make_shared<Segment>();
  loaded.segment->name = name;
  loaded.segment->file = std::move(*file);
  loaded.segment->capacity = *size / kPage * kPage;
  loaded.segment->number = *number;
  found.segments.push_back(std::move(loaded));
  return {};
}

}  // namespace

Result<SegmentFiles> load_segments(FileSystem& files) {
  SegmentFiles found;
  auto names = files.list(kJournalDir);
  if (!names) return std::move(names).error();
  for (const std::string& name : *names) {
    if (!name.ends_with(".seg")) continue;
    if (auto one = load_one(files, std::string(kJournalDir) + "/" + name, found); !one) {
      return std::move(one).error();
    }
  }
  return found;
}

std::string finding(const std::string& file, std::uint64_t offset, const std::string& what) {
  return file + " offset=" + std::to_string(offset) + ": " + what;
}

}  // namespace dr::journal
