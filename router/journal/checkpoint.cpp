#include "router/journal/checkpoint.h"

#include <algorithm>
#include <cstdio>

#include "dimse/base/crc32c.h"

namespace dr::journal {
namespace {

constexpr std::string_view kMagic = "DRJCHKP1";
constexpr std::size_t kHead = 16;  // magic, checksum of the rest, zeros
constexpr std::size_t kNameDigits = 16;
constexpr std::size_t kKept = 2;

class Encoder {
 public:
  explicit Encoder(Bytes& octets) : out_(octets) {}

  void number(std::uint64_t n) {
    for (; n >= 0x80; n >>= 7) out_.u8(static_cast<std::uint8_t>(n | 0x80));
    out_.u8(static_cast<std::uint8_t>(n));
  }
  void time(UtcMicros t) { out_.le(static_cast<std::uint64_t>(to_micros(t))); }
  void fixed(std::uint64_t n) { out_.le(n); }
  void text(std::string_view t) {
    number(t.size());
    out_.text(t);
  }

 private:
  ByteWriter out_;
};

class Decoder {
 public:
  explicit Decoder(ByteSpan octets) : in_(octets) {}

  bool good() const { return !failed_ && !in_.failed(); }
  bool finished() const { return good() && in_.remaining() == 0; }
  void check(bool condition) { failed_ = failed_ || !condition; }

  std::uint64_t number() {
    std::uint64_t n = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      const std::uint8_t octet = in_.u8();
      n |= std::uint64_t{octet & 0x7fU} << shift;
      if (octet < 0x80) return good() ? n : 0;
    }
    failed_ = true;
    return 0;
  }
  /// A number that T holds.
  template <class T>
  T narrow() {
    const std::uint64_t n = number();
    check(n <= std::numeric_limits<T>::max());
    return failed_ ? T{} : static_cast<T>(n);
  }
  /// Of things that take at least one octet each.
  std::size_t count() {
    const std::uint64_t n = number();
    check(n <= in_.remaining());
    return failed_ ? 0 : static_cast<std::size_t>(n);
  }
  UtcMicros time() { return from_micros(static_cast<std::int64_t>(fixed())); }
  std::uint64_t fixed() { return in_.le<std::uint64_t>(); }
  std::string text() { return std::string(in_.text(count())); }

 private:
  ByteReader in_;
  bool failed_ = false;
};

void put(Encoder& out, const Segment& segment) {
  out.number(segment.number);
  out.number(segment.capacity);
  out.number(value(segment.first_sequence));
  out.number(segment.epochs.size());
  for (const Segment::EpochSpan& span : segment.epochs) {
    out.number(span.from);
    out.fixed(value(span.epoch));
  }
  out.number(segment.groups.size());
  for (const Segment::Group& group : segment.groups) {
    out.number(group.first_record);
    out.time(group.synced);
  }
  out.number(segment.offsets.size());
  std::uint32_t last = 0;  // records stand in the order of their sequence
  for (const std::uint32_t offset : segment.offsets) {
    out.number(offset == 0 ? 0 : offset - last);
    if (offset != 0) last = offset;
  }
}

std::shared_ptr<Segment> take_segment(Decoder& in) {
  auto segment = std::make_shared<Segment>();
  segment->number = in.number();
  segment->capacity = in.number();
  in.check(segment->capacity <= kMaxSegment);
  segment->first_sequence = Sequence{in.number()};
  segment->epochs.resize(in.count());
  for (Segment::EpochSpan& span : segment->epochs) {
    span.from = in.number();
    span.epoch = Epoch{in.fixed()};
  }
  segment->groups.resize(in.count());
  for (Segment::Group& group : segment->groups) {
    group.first_record = in.narrow<std::uint32_t>();
    group.synced = in.time();
  }
  segment->offsets.resize(in.count());
  std::uint64_t last = 0;
  for (std::uint32_t& offset : segment->offsets) {
    const std::uint64_t step = in.number();
    in.check(step <= segment->capacity / kRecordAlignment - last);
    if (!in.good()) break;
    if (step == 0) continue;
    last += step;
    offset = static_cast<std::uint32_t>(last);
  }
  in.check(!segment->epochs.empty());
  return segment;
}

void put(Encoder& out, const Ledger::Object& object, std::uint64_t step) {
  out.number(step);
  out.number(object.segment->number);
  out.number(object.place);
  out.number(object.octets);
  out.number(std::uint64_t{object.count} * 2 + (object.unrouted ? 1 : 0));
  for (const Ledger::Delivery& each : object.all()) {
    out.number(each.destination);
    out.number(static_cast<std::uint64_t>(each.state) * 4 + each.priority);
    out.number(each.attempts);
    const bool timed = each.next_attempt != UtcMicros{};
    out.number(timed ? 1 : 0);
    if (timed) out.time(each.next_attempt);
  }
}

Ledger::Delivery take_delivery(Decoder& in, std::size_t names) {
  Ledger::Delivery each;
  each.destination = in.narrow<std::uint16_t>();
  in.check(each.destination < names);
  const std::uint64_t packed = in.number();
  in.check(packed / 4 <= static_cast<std::uint64_t>(DeliveryState::kDropped));
  each.state = static_cast<DeliveryState>(packed / 4);
  each.priority = static_cast<std::uint8_t>(packed % 4);
  each.attempts = in.narrow<std::uint32_t>();
  if (in.number() != 0) each.next_attempt = in.time();
  return each;
}

/// `segments` by number.
Ledger::Object take_object(Decoder& in, Sequence last, const SegmentList& segments,
                           std::size_t names) {
  Ledger::Object object;
  const std::uint64_t step = in.number();
  in.check(step > 0 && step <= ~value(last));
  object.instance = Sequence{value(last) + step};
  const auto segment = segments.by_number(in.number());
  in.check(segment != nullptr);
  object.segment = segment.get();
  object.place = in.narrow<std::uint32_t>();
  object.octets = in.narrow<std::uint32_t>();
  const std::uint64_t packed = in.number();
  in.check(packed / 2 <= names);
  if (!in.good()) return object;
  object.unrouted = packed % 2 != 0;
  object.count = static_cast<std::uint16_t>(packed / 2);
  object.deliveries = std::make_unique<Ledger::Delivery[]>(object.count);
  for (Ledger::Delivery& each : object.all()) each = take_delivery(in, names);
  return object;
}

std::string name_of(std::uint64_t group) {
  char name[kNameDigits + 1];
  std::snprintf(name, sizeof name, "%016llx", static_cast<unsigned long long>(group));
  return std::string(kCheckpointDir) + "/" + name;
}

Result<Bytes> read_all(FileSystem& files, const std::string& name) {
  auto file = files.open(name, FileSystem::Mode::kRead);
  if (!file) return std::move(file).error();
  auto size = (*file)->size();
  if (!size) return std::move(size).error();
  Bytes octets(static_cast<std::size_t>(*size));
  auto n = (*file)->read_at(0, octets);
  if (!n) return std::move(n).error();
  octets.resize(*n);
  return octets;
}

}  // namespace

Bytes encode(const CheckpointView& view) {
  Bytes octets;
  octets.reserve(64 * view.ledger.size() + 4096);
  ByteWriter head(octets);
  head.text(kMagic);
  head.zeros(kHead - kMagic.size());
  Encoder out(octets);
  out.number(view.group);
  out.number(value(view.watermark));
  out.number(view.oldest_segment);
  out.number(view.tail_offset);
  out.number(view.segments.size());
  for (const auto& segment : view.segments) put(out, *segment);
  out.number(view.ledger.names().size());
  for (const std::string& name : view.ledger.names()) out.text(name);
  out.number(view.ledger.size());
  Sequence last{};
  view.ledger.objects().each_from(Sequence::kNone, [&](const Ledger::Object& object) {
    put(out, object, value(object.instance) - value(last));
    last = object.instance;
    return true;
  });
  out.number(view.large.size());
  for (const LargeFile& file : view.large) {
    out.number(value(file.instance));
    out.text(file.name);
    out.number(file.octets);
  }
  head.patch_le(kMagic.size(), crc32c(0, ByteSpan(octets).subspan(kHead)));
  return octets;
}

Result<Checkpoint> decode_checkpoint(ByteSpan octets) {
  const Error bad{Errc::kCorrupt, "checkpoint octets=" + std::to_string(octets.size())};
  if (octets.size() < kHead || as_text(octets.first(kMagic.size())) != kMagic ||
      load_le<std::uint32_t>(octets.data() + kMagic.size()) != crc32c(0, octets.subspan(kHead))) {
    return bad;
  }
  Decoder in(octets.subspan(kHead));
  Checkpoint out;
  out.group = in.number();
  out.watermark = Sequence{in.number()};
  out.oldest_segment = in.number();
  out.tail_offset = in.number();
  for (std::size_t n = in.count(); n > 0 && in.good(); --n) out.segments.push(take_segment(in));
  const std::size_t names = in.count();
  for (std::size_t i = 0; i < names && in.good(); ++i) {
    in.check(out.ledger.name_index(in.text()) == i);
  }
  Sequence last{};
  for (std::size_t n = in.count(); n > 0 && in.good(); --n) {
    auto object = take_object(in, last, out.segments, names);
    if (!in.good()) break;
    last = object.instance;
    out.ledger.restore(std::move(object));
  }
  for (std::size_t n = in.count(); n > 0 && in.good(); --n) {
    LargeFile& file = out.large.emplace_back();
    file.instance = Sequence{in.number()};
    file.name = in.text();
    file.octets = in.number();
  }
  if (!in.finished() || out.segments.empty()) return bad;
  return out;
}

Result<void> CheckpointFiles::write_aside(std::uint64_t group, ByteSpan octets) {
  const std::string aside = name_of(group) + ".new";
  if (auto gone = files_.unlink(aside); !gone && gone.error().code != Errc::kNotFound) return gone;
  auto file = files_.open(aside, FileSystem::Mode::kCreateNew);
  if (!file) return std::move(file).error();
  auto done = (*file)->write_at(0, std::span(&octets, 1));
  if (done) done = (*file)->sync();
  return done;
}

Result<void> CheckpointFiles::commit(std::uint64_t group) {
  const std::string name = name_of(group);
  if (auto renamed = files_.rename(name + ".new", name); !renamed) return renamed;
  if (auto synced = files_.sync_dir(kCheckpointDir); !synced) return synced;
  auto all = names();
  if (!all) return std::move(all).error();
  for (std::size_t i = kKept; i < all->size(); ++i) {
    if (auto gone = files_.unlink((*all)[i]); !gone) return gone;
  }
  return {};
}

Result<std::optional<Checkpoint>> CheckpointFiles::newest(std::vector<std::string>& findings) {
  auto all = names();
  if (!all) return std::move(all).error();
  for (const std::string& name : *all) {
    auto octets = read_all(files_, name);
    if (!octets) return std::move(octets).error();
    auto decoded = decode_checkpoint(*octets);
    if (decoded) return std::optional(std::move(*decoded));
    findings.push_back(name + ": damaged, more is read instead");
  }
  return std::optional<Checkpoint>{};
}

/// Newest first; without those that a crash left aside.
Result<std::vector<std::string>> CheckpointFiles::names() const {
  auto all = files_.list(kCheckpointDir);
  if (!all && all.error().code == Errc::kNotFound) return std::vector<std::string>{};
  if (!all) return std::move(all).error();
  std::erase_if(*all, [](const std::string& name) { return name.size() != kNameDigits; });
  std::ranges::sort(*all, std::greater{});
  for (std::string& name : *all) name.insert(0, std::string(kCheckpointDir) + "/");
  return all;
}

}  // namespace dr::journal
