#include "router/journal/cursors.h"

#include <algorithm>
#include <array>

#include "dimse/base/crc32c.h"
#include "dimse/base/log.h"
#include "router/journal/random_id.h"

namespace dr::journal {
namespace {

constexpr const char* kDir = "cursors";
constexpr std::uint64_t kMagic = 0x31535255434a5244;  // "DRJCURS1"
constexpr std::size_t kSize = 32;

std::string file_name(const std::string& name) {
  return std::string(kDir) + "/" + to_hex(as_bytes(name));
}

std::optional<std::string> from_hex(const std::string& hex) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    const auto high = kDigits.find(hex[i]);
    const auto low = kDigits.find(hex[i + 1]);
    if (high == kDigits.npos || low == kDigits.npos) return std::nullopt;
    text += static_cast<char>(high * 16 + low);
  }
  if (hex.size() % 2 != 0) return std::nullopt;
  return text;
}

Bytes encode_place(Sequence position, Epoch epoch) {
  Bytes octets;
  ByteWriter out(octets);
  out.le(kMagic);
  out.le(value(epoch));
  out.le(value(position));
  out.le(crc32c(0, octets));
  out.zeros(kSize - octets.size());
  return octets;
}

std::optional<Sequence> decode_place(ByteSpan octets) {
  if (octets.size() != kSize || load_le<std::uint64_t>(octets.data()) != kMagic ||
      load_le<std::uint32_t>(octets.data() + 24) != crc32c(0, octets.first(24))) {
    return std::nullopt;
  }
  return Sequence{load_le<std::uint64_t>(octets.data() + 16)};
}

}  // namespace

void CursorStore::Place::advance(Sequence done) {
  std::uint64_t before = position_.load();
  while (before < value(done) && !position_.compare_exchange_weak(before, value(done))) {
  }
  if (before < value(done) && !store_.dirty_.exchange(true, std::memory_order_acq_rel)) {
    store_.changed_();
  }
}

CursorStore::CursorStore(FileSystem& files, std::function<void()> changed)
    : files_(files), changed_(std::move(changed)) {}

Result<void> CursorStore::load(Sequence tail, std::vector<std::string>& findings) {
  const std::scoped_lock lock(mutex_);
  auto names = files_.list(kDir);
  if (!names) return std::move(names).error();
  for (const std::string& hex : *names) {
    const auto name = from_hex(hex);
    if (!name) continue;  // a file written aside that a crash left
    auto file = files_.open(std::string(kDir) + "/" + hex, FileSystem::Mode::kRead);
    if (!file) return std::move(file).error();
    Bytes octets(kSize);
    auto n = (*file)->read_at(0, octets);
    if (!n) return std::move(n).error();
    octets.resize(*n);
    const auto position = decode_place(octets);
    if (!position) findings.push_back("cursors/" + hex + ": damaged, starts from the beginning");
    if (position && *position > tail) {
      return Error{Errc::kFenced, "cursor " + log::escape(*name) + " stands at " +
                                      std::to_string(value(*position)) +
                                      ", beyond the journal's tail " + std::to_string(value(tail)) +
                                      ": durable records are missing from this spool"};
    }
    places_[*name] = std::make_unique<Place>(*this, *name, position.value_or(Sequence::kNone));
  }
  return {};
}

Cursor& CursorStore::get(const std::string& name, Epoch epoch) {
  const std::scoped_lock lock(mutex_);
  auto& place = places_[name];
  if (!place) place = std::make_unique<Place>(*this, name, Sequence::kNone);
  place->dropped_ = false;
  // On disk at once: a crash must not let reclaim forget that somebody still has to read.
  if (auto written = place->stored_ == ~0ULL ? write(*place, epoch) : Result<void>{}; !written) {
    log::event(log::Level::kError, "journal.cursor", {{"error", written.error().to_string()}});
  }
  return *place;
}

void CursorStore::drop(const std::string& name) {
  const std::scoped_lock lock(mutex_);
  const auto at = places_.find(name);
  if (at == places_.end()) return;
  at->second->dropped_ = true;  // references stay valid
  at->second->stored_ = ~0ULL;
  at->second->position_ = 0;
  if (auto gone = files_.unlink(file_name(name)); !gone) {
    log::event(log::Level::kError, "journal.cursor", {{"error", gone.error().to_string()}});
  }
}

Result<void> CursorStore::store(Epoch epoch) {
  dirty_.store(false, std::memory_order_release);
  const std::scoped_lock lock(mutex_);
  for (auto& [name, place] : places_) {
    if (place->dropped_ || place->stored_ == place->position_) continue;
    if (auto written = write(*place, epoch); !written) return written;
  }
  return {};
}

Result<void> CursorStore::write(Place& place, Epoch epoch) {
  const std::string name = file_name(place.name_);
  const std::string aside = name + ".new";
  if (auto gone = files_.unlink(aside); !gone && gone.error().code != Errc::kNotFound) return gone;
  auto file = files_.open(aside, FileSystem::Mode::kCreateNew);
  if (!file) return std::move(file).error();
  const Sequence position = place.position();
  const Bytes octets = encode_place(position, epoch);
  const ByteSpan part(octets);
  auto done = (*file)->write_at(0, std::span(&part, 1));
  if (done) done = (*file)->sync();
  if (done) done = files_.rename(aside, name);
  if (done && place.stored_ == ~0ULL) done = files_.sync_dir(kDir);
  if (done) place.stored_ = value(position);
  return done;
}

std::optional<Sequence> CursorStore::lowest() const {
  const std::scoped_lock lock(mutex_);
  std::optional<Sequence> lowest;
  for (const auto& [name, place] : places_) {
    if (!place->dropped_) lowest = std::min(lowest.value_or(place->position()), place->position());
  }
  return lowest;
}

}  // namespace dr::journal
