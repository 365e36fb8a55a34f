#include "router/journal/body_reader.h"

#include <algorithm>

#include "dimse/base/crc32c.h"
#include "router/journal/large_files.h"

namespace dr::journal {
namespace {

/// A range of a file whose checksum is known.
struct Range {
  std::uint64_t offset = 0;
  std::uint64_t octets = 0;
  std::uint32_t crc = 0;
};

class RangeReader : public BodyReader {
 public:
  RangeReader(const File& file, const Range& range) : file_(file), range_(range) {}

  std::uint64_t size() const override { return range_.octets; }

  Result<std::size_t> read(MutableByteSpan into) override {
    const std::uint64_t left = range_.octets - done_;
    into = into.first(static_cast<std::size_t>(std::min<std::uint64_t>(into.size(), left)));
    if (into.empty()) return std::size_t{0};
    auto n = file_.read_at(range_.offset + done_, into);
    if (!n) return n;
    crc_ = crc32c(crc_, into.first(*n));
    done_ += *n;
    if (*n < into.size() || (done_ == range_.octets && crc_ != range_.crc)) {
      return Error{Errc::kCorrupt, "object octets=" + std::to_string(range_.octets) +
                                       " read=" + std::to_string(done_) + ": wrong checksum"};
    }
    return n;
  }

  void forget() const override {
    const std::uint64_t before = std::min<std::uint64_t>(range_.offset, 2 * kPage);  // the head's
    file_.forget(range_.offset - before, before + range_.octets + kPage);
  }

 private:
  const File& file_;
  const Range range_;
  std::uint64_t done_ = 0;
  std::uint32_t crc_ = 0;
};

class InlineBody final : public RangeReader {
 public:
  InlineBody(SegmentPin segment, const Range& range)
      : RangeReader(*segment->file, range), segment_(std::move(segment)) {}

 private:
  SegmentPin segment_;
};

struct OwnedFile {
  std::unique_ptr<File> file;
};

class LargeBody final : private OwnedFile, public RangeReader {
 public:
  LargeBody(std::unique_ptr<File> large, const Range& range)
      : OwnedFile{std::move(large)}, RangeReader(*file, range) {}
};

/// What came from the wire, with the checksum that was taken there: memory may fail, too.
class RecentBody final : public BodyReader {
 public:
  RecentBody(Recent& recent, std::uint64_t segment, std::uint64_t offset,
             std::shared_ptr<const RecentRecord> record)
      : recent_(recent), segment_(segment), offset_(offset), record_(std::move(record)) {
    if (record_->chain) {
      parts_ = record_->chain->spans();
    } else {
      parts_.emplace_back(record_->body);
    }
  }

  std::uint64_t size() const override { return record_->header.body_octets; }

  Result<std::size_t> read(MutableByteSpan into) override {
    std::size_t n = 0;
    while (n < into.size() && part_ < parts_.size()) {
      const ByteSpan left = parts_[part_].subspan(at_);
      const std::size_t taken = std::min(left.size(), into.size() - n);
      std::copy_n(left.begin(), taken, into.begin() + static_cast<std::ptrdiff_t>(n));
      n += taken;
      at_ += taken;
      if (at_ < parts_[part_].size()) break;
      ++part_;
      at_ = 0;
    }
    crc_ = crc32c(crc_, into.first(n));
    if (n > 0 && part_ == parts_.size() && crc_ != record_->header.body_crc) {
      return Error{Errc::kCorrupt,
                   "object octets=" + std::to_string(size()) + ": changed in memory"};
    }
    return n;
  }

  void forget() const override { recent_.forget(segment_, offset_); }

 private:
  Recent& recent_;
  const std::uint64_t segment_;
  const std::uint64_t offset_;
  const std::shared_ptr<const RecentRecord> record_;
  std::vector<ByteSpan> parts_;
  std::size_t part_ = 0;
  std::size_t at_ = 0;
  std::uint32_t crc_ = 0;
};

Error corrupt(const Segment& segment, std::uint64_t offset, Sequence sequence, const char* what) {
  return {Errc::kCorrupt, segment.name + " offset=" + std::to_string(offset) + " record " +
                              std::to_string(value(sequence)) + ": " + what};
}

}  // namespace

Result<StoredRecord> read_stored(const Segment& segment, std::uint64_t offset, Epoch epoch,
                                 Sequence sequence) {
  constexpr std::size_t kGuess = 2048;  // most heads fit
  if (!segment.file) return corrupt(segment, offset, sequence, "segment missing");
  Bytes octets(kGuess);
  auto n = segment.file->read_at(offset, octets);
  if (!n) return std::move(n).error();
  octets.resize(*n);
  const auto header = decode_record_header(octets, header_seed(epoch, segment.number));
  if (!header || header->sequence != sequence) return corrupt(segment, offset, sequence, "header");
  octets.erase(octets.begin(), octets.begin() + kRecordHeaderSize);
  const std::size_t have = std::min<std::size_t>(octets.size(), header->head_octets);
  octets.resize(header->head_octets);
  if (have < octets.size()) {
    auto more = segment.file->read_at(offset + kRecordHeaderSize + have,
                                      MutableByteSpan(octets).subspan(have));
    if (!more) return std::move(more).error();
  }
  if (crc32c(head_seed(epoch), octets) != header->head_crc)
    return corrupt(segment, offset, sequence, "head");
  return StoredRecord{*header, std::move(octets), offset + header->body_offset()};
}

Result<LargeRef> read_large_ref(const Segment& segment, const StoredRecord& record) {
  LargeRefOctets octets{};
  auto n = segment.file->read_at(record.body_offset, octets);
  if (!n) return std::move(n).error();
  const auto ref = decode_large_ref(octets);
  if (!ref || record.header.body_octets != kLargeRefSize ||
      crc32c(0, octets) != record.header.body_crc) {
    return corrupt(segment, record.body_offset, record.header.sequence, "large object's reference");
  }
  return *ref;
}

std::unique_ptr<BodyReader> recent_body(Recent& recent, const Segment& segment,
                                        std::uint64_t offset,
                                        std::shared_ptr<const RecentRecord> record) {
  return std::make_unique<RecentBody>(recent, segment.number, offset, std::move(record));
}

std::unique_ptr<BodyReader> inline_body(SegmentPin segment, const StoredRecord& record) {
  const Range range{record.body_offset, record.header.body_octets, record.header.body_crc};
  return std::make_unique<InlineBody>(std::move(segment), range);
}

Result<std::unique_ptr<BodyReader>> body_of(FileSystem& files, SegmentPin segment,
                                            const StoredRecord& record) {
  if ((record.header.flags & kLargeBody) == 0) return inline_body(std::move(segment), record);
  const auto ref = read_large_ref(*segment, record);
  if (!ref) return ref.error();
  return large_body(files, *ref);
}

Result<std::unique_ptr<BodyReader>> large_body(FileSystem& files, const LargeRef& ref) {
  auto file = files.open(large_file_name(ref), FileSystem::Mode::kRead);
  if (!file) return std::move(file).error();
  return std::unique_ptr<BodyReader>(
      std::make_unique<LargeBody>(std::move(*file), Range{0, ref.octets, ref.crc}));
}

}  // namespace dr::journal
