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

/// What a checkpoint knows all of. False: there is more in the file.
bool known(const Checkpoint& checkpoint, std::uint64_t number, FreeFile& file,
           SegmentFiles& found) {
  const std::uint64_t tail = checkpoint.segments.newest()->number;
  if (number > tail) return false;
  const auto segment = checkpoint.segments.by_number(number);
  if (!segment) {
    found.free.push_back(std::move(file));
    return true;
  }
  segment->name = std::move(file.name);
  segment->file = std::move(file.file);
  return number < tail;
}

Result<void> load_one(FileSystem& files, const std::string& name, const Checkpoint* checkpoint,
                      SegmentFiles& found) {
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
  FreeFile opened{name, std::move(*file), *size / kPage * kPage};
  std::uint64_t begin = kFirstGroup;
  if (checkpoint != nullptr) {
    if (known(*checkpoint, *number, opened, found)) return {};
    loaded.segment = checkpoint->segments.by_number(*number);  // its tail, or nullptr
    if (loaded.segment) {
      begin = checkpoint->tail_offset;
      loaded.segment->capacity = std::min(loaded.segment->capacity, opened.capacity);
    }
  }
  if (!loaded.segment) {
    loaded.segment = std::make_shared<Segment>();
    loaded.segment->name = name;
    loaded.segment->file = std::move(opened.file);
    loaded.segment->capacity = opened.capacity;
    loaded.segment->number = *number;
  }
  FileWindow groups_window(*loaded.segment->file, loaded.segment->capacity);
  auto groups = find_groups(groups_window, *number, begin);
  if (!groups) return std::move(groups).error();
  loaded.groups = std::move(*groups);
  found.segments.push_back(std::move(loaded));
  return {};
}

}  // namespace

Result<SegmentFiles> load_segments(FileSystem& files, const Checkpoint* checkpoint) {
  SegmentFiles found;
  auto names = files.list(kJournalDir);
  if (!names) return std::move(names).error();
  for (const std::string& name : *names) {
    if (!name.ends_with(".seg")) continue;
    if (auto one = load_one(files, std::string(kJournalDir) + "/" + name, checkpoint, found);
        !one) {
      return std::move(one).error();
    }
  }
  return found;
}

std::string finding(const std::string& file, std::uint64_t offset, const std::string& what) {
  return file + " offset=" + std::to_string(offset) + ": " + what;
}

}  // namespace dr::journal
