#include "router/journal/outcome_ring.h"

#include <algorithm>
#include <utility>

#include "dimse/base/crc32c.h"

namespace dr::journal {
namespace {

constexpr const char* kFile = "outcomes";
constexpr std::uint64_t kSlot = 512;
constexpr std::uint64_t kSlots = 512;  // more than can be appended while one sync lasts
constexpr std::size_t kHead = 24;      // checksum, length, epoch, ticket

}  // namespace

Result<void> OutcomeRing::open(FileSystem& files) {
  auto file = files.open(kFile, FileSystem::Mode::kReadWrite);
  if (!file && file.error().code == Errc::kNotFound) {
    file = files.open(kFile, FileSystem::Mode::kCreateNew);
  }
  if (!file) return std::move(file).error();
  file_ = std::move(*file);
  const auto size = file_->size();
  if (!size) return size.error();
  auto whole = *size < kSlots * kSlot ? file_->allocate(kSlots * kSlot) : Result<void>{};
  if (whole || whole.error().code != Errc::kNoSpace) return whole;
  file_.reset();  // a full disk: then more is repeated
  return {};
}

Result<std::vector<OutcomeRecord>> OutcomeRing::read(Epoch epoch) const {
  if (!file_) return std::vector<OutcomeRecord>{};
  Bytes octets(kSlots * kSlot);
  const auto n = file_->read_at(0, octets);
  if (!n) return n.error();
  std::vector<std::pair<std::uint64_t, OutcomeRecord>> found;  // by ticket
  for (std::size_t at = 0; at + kSlot <= *n; at += kSlot) {
    const ByteSpan slot = ByteSpan(octets).subspan(at, kSlot);
    const auto length = load_le<std::uint32_t>(slot.data() + 4);
    if (length > kSlot - kHead || load_le<std::uint64_t>(slot.data() + 8) != value(epoch)) continue;
    if (load_le<std::uint32_t>(slot.data()) != crc32c(0, slot.subspan(4, kHead - 4 + length))) {
      continue;
    }
    auto outcome = decode_outcome(slot.subspan(kHead, length));
    if (outcome) {
      found.emplace_back(load_le<std::uint64_t>(slot.data() + 16), std::move(*outcome));
    }
  }
  std::ranges::sort(found, {}, [](const auto& each) { return each.first; });
  std::vector<OutcomeRecord> outcomes;
  for (auto& [ticket, outcome] : found) outcomes.push_back(std::move(outcome));
  return outcomes;
}

Result<void> OutcomeRing::put(Epoch epoch, ByteSpan outcome) {
  if (!file_ || outcome.size() > kSlot - kHead) return {};
  const std::uint64_t ticket = next_.fetch_add(1);
  Bytes slot;
  slot.reserve(kHead + outcome.size());
  ByteWriter out(slot);
  out.le(std::uint32_t{0});
  out.le(static_cast<std::uint32_t>(outcome.size()));
  out.le(value(epoch));
  out.le(ticket);
  out.put(outcome);
  out.patch_le(0, crc32c(0, ByteSpan(slot).subspan(4)));
  const ByteSpan part(slot);
  return file_->write_at(ticket % kSlots * kSlot, std::span(&part, 1));
}

}  // namespace dr::journal
