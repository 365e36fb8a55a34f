#include "router/rules/transform_object.h"

#include <algorithm>
#include <cerrno>

#include <sys/stat.h>
#include <unistd.h>

#include "dimse/base/write_all.h"
#include "dimse/encoding/inflater.h"
#include "dimse/encoding/transfer_syntax.h"
#include "router/rules/transform_csv.h"

namespace dr::rules {
namespace {

constexpr std::string_view kExplicitLittleEndian = "1.2.840.10008.1.2.1";
constexpr std::size_t kPiece = 256U << 10;

/// An open file, from some octet on.
class FileSource final : public Source {
 public:
  explicit FileSource(int fd, std::uint64_t start = 0) : fd_(fd), start_(start) {
    struct stat status {};
    if (fstat(fd, &status) != 0 || status.st_size < 0) return;
    const auto size = static_cast<std::uint64_t>(status.st_size);
    if (size > start) size_ = size - start;
  }
  std::uint64_t size() const override { return size_; }
  Result<std::size_t> read(std::uint64_t offset, MutableByteSpan into) const override {
    std::size_t filled = 0;
    while (filled < into.size()) {
      const ssize_t n = pread(fd_, into.data() + filled, into.size() - filled,
                              static_cast<off_t>(start_ + offset + filled));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return errno_error("read", errno);
      if (n == 0) break;
      filled += static_cast<std::size_t>(n);
    }
    return filled;
  }

 private:
  int fd_;
  std::uint64_t start_;
  std::uint64_t size_ = 0;
};

Error unusable(const Error& error) { return {error.code, "malformed " + error.detail}; }

/// What the ceilings against bombs stop is no defect of the octets, so it has a name of its own.
Error not_inflated(const Error& error) {
  if (error.code != Errc::kTooLong) return unusable(error);
  return {error.code, "inflated " + error.detail};
}

Result<void> inflate(const Source& source, std::uint64_t most, int scratch) {
  if (ftruncate(scratch, 0) != 0 || lseek(scratch, 0, SEEK_SET) != 0) {
    return Error{Errc::kNoSpace, "output " + errno_error("scratch", errno).detail};
  }
  encoding::Inflater inflater(most);
  Bytes piece(kPiece);
  for (std::uint64_t at = 0; !inflater.ended();) {
    const auto n = source.read(at, piece);
    if (!n) return unusable(n.error());
    if (*n == 0) return Error{Errc::kMalformed, "malformed deflated data set is cut off"};
    at += *n;
    ByteSpan in = ByteSpan(piece).first(*n);
    for (;;) {
      const auto plain = inflater.next(in);
      if (!plain) return not_inflated(plain.error());
      if (plain->empty() && in.empty()) break;
      if (auto written = put_out(scratch, *plain); !written) return written;
    }
  }
  return {};
}

Result<Bytes> read_all(const Source& source, std::size_t limit) {
  if (source.size() > limit) {
    return Error{Errc::kTooLong,
                 "length=" + std::to_string(source.size()) + " limit=" + std::to_string(limit)};
  }
  Bytes octets(static_cast<std::size_t>(source.size()));
  const auto n = source.read(0, octets);
  if (!n) return n.error();
  octets.resize(*n);
  return octets;
}

}  // namespace

Result<std::unique_ptr<TransformObject>> TransformObject::open(const TransformRequest& request,
                                                               int file, int scratch) {
  auto object = std::make_unique<TransformObject>();
  const auto& syntax = encoding::transfer_syntax(request.transfer_syntax_uid);
  object->source_ = std::make_unique<FileSource>(file, request.offset);
  object->transfer_syntax_uid_ = request.transfer_syntax_uid;
  if (syntax.deflated) {
    auto inflated = inflate(*object->source_, request.most_inflated, scratch);
    if (!inflated) return inflated.error();
    object->source_ = std::make_unique<FileSource>(scratch);
    object->transfer_syntax_uid_ = uid_literal(kExplicitLittleEndian);
  }
  auto set = DataSet::parse(*object->source_, syntax.encoding);
  if (!set) return unusable(set.error());
  object->set_.emplace(*std::move(set));
  object->set_->assume_character_set(request.character_set);
  return object;
}

Result<Maps> read_maps(const Transform& transform, std::span<const int> files) {
  Maps maps;
  const auto wanted = transform.maps();
  if (wanted.size() != files.size()) return Error{Errc::kInvalid, "map_changed"};
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const auto octets = read_all(FileSource(files[i]), kMaxCsv);
    if (!octets || sha256_of(as_text(*octets)) != wanted[i]->sha256) {
      return Error{Errc::kConflict, "map_changed"};
    }
    auto table = parse_csv(as_text(*octets));
    if (!table) return Error{Errc::kConflict, "map_changed"};
    maps.push_back(*std::move(table));
  }
  return maps;
}

Result<void> put_out(int file, ByteSpan octets) {
  if (auto written = write_all(file, octets); !written) {
    return Error{Errc::kNoSpace, "output " + written.error().detail};
  }
  return {};
}

}  // namespace dr::rules
