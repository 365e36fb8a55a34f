#include "router/rules/transform_job.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>
#include <optional>

#include <sys/stat.h>
#include <unistd.h>

#include "dimse/encoding/inflater.h"
#include "dimse/encoding/transfer_syntax.h"
#include "router/rules/transform_apply.h"
#include "router/rules/transform_csv.h"
#include "router/rules/transform_text.h"
#include "router/rules/transform_value.h"

namespace dr::rules {
namespace {

constexpr std::uint8_t kVersion = 1;
constexpr std::size_t kMaxUids = 200'000;  // that one object may have
constexpr std::string_view kExplicitLittleEndian = "1.2.840.10008.1.2.1";

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

class MemorySource final : public Source {
 public:
  explicit MemorySource(Bytes octets) : octets_(std::move(octets)) {}
  std::uint64_t size() const override { return octets_.size(); }
  Result<std::size_t> read(std::uint64_t offset, MutableByteSpan into) const override {
    if (offset >= octets_.size()) return std::size_t{0};
    const std::size_t n = std::min<std::size_t>(into.size(), octets_.size() - offset);
    std::copy_n(octets_.begin() + static_cast<std::ptrdiff_t>(offset), n, into.begin());
    return n;
  }

 private:
  Bytes octets_;
};

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

Result<Bytes> inflated(const Source& source) {
  const auto octets = read_all(source, encoding::Inflater::kMaxInflated);
  if (!octets) return octets.error();
  encoding::Inflater inflater;
  Bytes out;
  ByteSpan in = *octets;
  while (!inflater.ended()) {
    const auto piece = inflater.next(in);
    if (!piece) return piece.error();
    if (piece->empty() && in.empty()) break;
    ByteWriter(out).put(*piece);
  }
  if (!inflater.ended()) return Error{Errc::kMalformed, "deflated data set is cut off"};
  return out;
}

/// An object, parsed.
class Object {
 public:
  static Result<std::unique_ptr<Object>> open(int fd, const Uid& transfer_syntax_uid,
                                              std::uint64_t offset = 0) {
    auto object = std::make_unique<Object>();
    const auto& syntax = encoding::transfer_syntax(transfer_syntax_uid);
    object->source_ = std::make_unique<FileSource>(fd, offset);
    object->transfer_syntax_uid_ = transfer_syntax_uid;
    if (syntax.deflated) {
      auto plain = inflated(*object->source_);
      if (!plain) return plain.error();
      object->source_ = std::make_unique<MemorySource>(*std::move(plain));
      object->transfer_syntax_uid_ = uid_literal(kExplicitLittleEndian);
    }
    auto set = DataSet::parse(*object->source_, syntax.encoding);
    if (!set) return set.error();
    object->set_.emplace(*std::move(set));
    return object;
  }

  DataSet& set() { return *set_; }
  const Uid& transfer_syntax_uid() const { return transfer_syntax_uid_; }

 private:
  std::unique_ptr<Source> source_;
  std::optional<DataSet> set_;
  Uid transfer_syntax_uid_;
};

Error unusable(const Error& error) { return {error.code, "malformed " + error.detail}; }

Result<Uid> uid_of(const DataSet& set, encoding::Tag tag) {
  const Element* const element = set.root().find(tag);
  if (element == nullptr) return Error{Errc::kMalformed, "malformed " + tag.to_string()};
  const auto value = set.value(*element);
  if (!value) return value.error();
  auto uid = Uid::parse(trim_padding(as_text(*value)));
  if (!uid) return Error{Errc::kMalformed, "malformed " + tag.to_string()};
  return uid;
}

Result<void> write_all(int fd, ByteSpan octets) {
  while (!octets.empty()) {
    const ssize_t n = ::write(fd, octets.data(), octets.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return Error{Errc::kNoSpace, "output " + errno_error("write", errno).detail};
    octets = octets.subspan(static_cast<std::size_t>(n));
  }
  return {};
}

using Maps = std::vector<std::map<std::string, std::string>>;

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

Result<std::vector<std::string>> seal(const Applied& applied, const Pseudonymizer& pseudonyms) {
  std::vector<std::string> sealed;
  for (const auto& [from, to] : applied.uids) {
    auto text = pseudonyms.seal(from + ' ' + to);
    if (!text) return text.error();
    sealed.push_back(*std::move(text));
  }
  return sealed;
}

void put(ByteWriter& out, std::string_view text) {
  out.le(static_cast<std::uint32_t>(text.size()));
  out.text(text);
}
Uid optional_uid(std::string_view text) {
  const auto uid = Uid::parse(text);
  return uid ? *uid : Uid();
}
std::string take(ByteReader& in) { return std::string(in.text(in.le<std::uint32_t>())); }

}  // namespace

Bytes encode(const TransformRequest& request) {
  Bytes octets;
  ByteWriter out(octets);
  out.u8(kVersion);
  put(out, request.transform);
  put(out, request.transfer_syntax_uid.view());
  put(out, request.pseudonym_key);
  put(out, request.system);
  out.le(static_cast<std::uint64_t>(request.received.time_since_epoch().count()));
  return octets;
}

Result<TransformRequest> decode_transform_request(ByteSpan octets) {
  ByteReader in(octets);
  TransformRequest request;
  const auto version = in.u8();
  request.transform = take(in);
  const auto uid = Uid::parse(take(in));
  request.pseudonym_key = take(in);
  request.system = take(in);
  request.received = UtcMicros{std::chrono::microseconds(in.le<std::uint64_t>())};
  if (in.failed() || version != kVersion || !uid) return Error{Errc::kMalformed, "request"};
  request.transfer_syntax_uid = *uid;
  return request;
}

Bytes encode(const TransformResult& result) {
  Bytes octets;
  ByteWriter out(octets);
  out.u8(kVersion);
  put(out, result.sop_class_uid.view());
  put(out, result.sop_instance_uid.view());
  put(out, result.study_instance_uid.view());
  put(out, result.series_instance_uid.view());
  put(out, result.transfer_syntax_uid.view());
  out.le(result.octets);
  out.le(static_cast<std::uint32_t>(result.sealed_uids.size()));
  for (const std::string& each : result.sealed_uids) put(out, each);
  return octets;
}

Result<TransformResult> decode_transform_result(ByteSpan octets) {
  ByteReader in(octets);
  TransformResult result;
  const auto version = in.u8();
  result.sop_class_uid = optional_uid(take(in));
  const auto sop_instance = Uid::parse(take(in));
  result.study_instance_uid = optional_uid(take(in));
  result.series_instance_uid = optional_uid(take(in));
  const auto syntax = Uid::parse(take(in));
  result.octets = in.le<std::uint64_t>();
  const auto count = in.le<std::uint32_t>();
  for (std::uint32_t i = 0; i < count && !in.failed(); ++i) result.sealed_uids.push_back(take(in));
  if (in.failed() || version != kVersion || !sop_instance || !syntax) {
    return Error{Errc::kMalformed, "result"};
  }
  result.sop_instance_uid = *sop_instance;
  result.transfer_syntax_uid = *syntax;
  return result;
}

Result<Bytes> run_transform(ByteSpan octets, std::span<const int> inputs,
                            std::span<const int> outputs) {
  const auto request = decode_transform_request(octets);
  if (!request || inputs.empty() || outputs.size() != 1) return Error{Errc::kMalformed, "request"};
  const auto transform = parse_transform(request->transform);
  if (!transform) return transform.error();
  auto maps = read_maps(*transform, inputs.subspan(1));
  if (!maps) return maps.error();
  const auto object = Object::open(inputs[0], request->transfer_syntax_uid);
  if (!object) return unusable(object.error());
  DataSet& set = (*object)->set();
  const Pseudonymizer pseudonyms(request->pseudonym_key);
  const auto applied =
      apply(*transform, set, {pseudonyms, *std::move(maps), request->received, request->system});
  if (!applied) return applied.error();
  if (applied->uids.size() > kMaxUids) return Error{Errc::kTooLong, "too_many_uids"};
  const auto sop_instance = uid_of(set, encoding::tags::kSopInstanceUid);
  if (!sop_instance) return sop_instance.error();
  const auto written = set.write([&](ByteSpan piece) { return write_all(outputs[0], piece); });
  if (!written) return written.error();
  auto sealed = seal(*applied, pseudonyms);
  if (!sealed) return sealed.error();
  const auto optional = [&](encoding::Tag tag) {
    const auto uid = uid_of(set, tag);
    return uid ? *uid : Uid();
  };
  return encode(TransformResult{optional(encoding::tags::kSopClassUid), *sop_instance,
                                optional(encoding::tags::kStudyInstanceUid),
                                optional(encoding::tags::kSeriesInstanceUid),
                                (*object)->transfer_syntax_uid(), *written, *std::move(sealed)});
}

void prepare_transforms() {
  load_character_sets();
  (void)encoding::find_keyword("PatientID");
  (void)find_profile_row({});
  const Pseudonymizer warm("warm");  // OpenSSL loads its providers and seeds itself
  (void)warm.uid("1");
  if (const auto sealed = warm.seal("text")) (void)warm.unseal(*sealed);
}

namespace {

std::string name_of(encoding::Tag tag) {
  const auto entry = encoding::find_tag(tag);
  return entry && tag.group % 2 == 0 ? entry->keyword : tag.to_string();
}

/// Walks two versions of an item side by side.
class Comparison {
 public:
  Comparison(const DataSet& before, const DataSet& after) : before_(before), after_(after) {}

  std::vector<ElementChange> run() {
    items(&before_.root(), &after_.root(), {}, {}, {});
    return std::move(changes_);
  }

 private:
  void items(const Item* old_item, const Item* new_item, const std::string& path,
             std::string old_charset, std::string new_charset) {
    std::map<encoding::Tag, std::pair<const Element*, const Element*>> pairs;
    if (old_item != nullptr) {
      old_charset = charset_of(before_, *old_item, old_charset);
      for (const Element& e : old_item->elements) pairs[e.tag].first = &e;
    }
    if (new_item != nullptr) {
      new_charset = charset_of(after_, *new_item, new_charset);
      for (const Element& e : new_item->elements) pairs[e.tag].second = &e;
    }
    for (const auto& [tag, pair] : pairs) {
      if (tag.element == 0) continue;
      element(pair.first, pair.second, path + name_of(tag), old_charset, new_charset);
    }
  }

  void element(const Element* a, const Element* b, const std::string& path,
               const std::string& old_charset, const std::string& new_charset) {
    const std::string before = text(before_, a, old_charset);
    const std::string after = text(after_, b, new_charset);
    if (before != after || (a == nullptr) != (b == nullptr)) {
      changes_.push_back({path, before, after, a != nullptr, b != nullptr});
    }
    const std::size_t old_items = a != nullptr ? a->items.size() : 0;
    const std::size_t new_items = b != nullptr ? b->items.size() : 0;
    for (std::size_t i = 0; i < std::max(old_items, new_items); ++i) {
      items(i < old_items ? &a->items[i] : nullptr, i < new_items ? &b->items[i] : nullptr,
            path + "[" + std::to_string(i + 1) + "].", old_charset, new_charset);
    }
  }

  static std::string text(const DataSet& set, const Element* e, const std::string& charset) {
    if (e == nullptr) return {};
    if (e->sequence) return std::to_string(e->items.size()) + " item(s)";
    if (!is_writable(e->vr)) {
      return std::to_string(e->fresh ? e->fresh->size() : e->length) + " octets";
    }
    const auto values = read_values(set, *e, charset);
    std::string all;
    if (!values) return all;
    for (const std::string& each : *values) all += (all.empty() ? "" : "\\") + each;
    return all;
  }

  const DataSet& before_;
  const DataSet& after_;
  std::vector<ElementChange> changes_;
};

}  // namespace

Result<std::vector<ElementChange>> explain_transform(const TransformRequest& request, int file,
                                                     std::uint64_t offset) {
  const auto transform = parse_transform(request.transform);
  if (!transform) return transform.error();
  Maps maps;
  for (const MapAction* map : transform->maps()) {
    std::ifstream in(map->file, std::ios::binary);
    const std::string octets((std::istreambuf_iterator<char>(in)), {});
    auto table = parse_csv(octets);
    if (!table || sha256_of(octets) != map->sha256) return Error{Errc::kConflict, "map_changed"};
    maps.push_back(*std::move(table));
  }
  const auto object = Object::open(file, request.transfer_syntax_uid, offset);
  if (!object) return unusable(object.error());
  DataSet& set = (*object)->set();
  const DataSet before(set);
  const Pseudonymizer pseudonyms(request.pseudonym_key);
  const auto applied =
      apply(*transform, set, {pseudonyms, std::move(maps), request.received, request.system});
  if (!applied) return applied.error();
  return Comparison(before, set).run();
}

}  // namespace dr::rules
