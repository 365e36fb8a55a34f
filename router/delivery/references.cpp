#include "router/delivery/references.h"

#include <algorithm>
#include <iterator>
#include <span>
#include <utility>
#include <vector>

#include "dimse/base/log.h"
#include "dimse/encoding/header_scanner.h"
#include "dimse/encoding/transfer_syntax.h"
#include "router/rules/items.h"

namespace dr::delivery {
namespace {

using encoding::Tag;

constexpr const char* kFile = "passed";
constexpr std::uint64_t kMagic = 0x3144'5353'4150'5244;  // "DRPASSD1"
constexpr std::size_t kHead = 16;                        // magic and the count
constexpr std::size_t kEntry = 16;                       // in the file
constexpr std::size_t kPiece = 64 << 10;

constexpr Tag kFrames{0x3006, 0x0010};   // Referenced Frame of Reference Sequence
constexpr Tag kStudies{0x3006, 0x0012};  // RT Referenced Study Sequence
constexpr Tag kSeries{0x3006, 0x0014};   // RT Referenced Series Sequence
constexpr Tag kImages{0x3006, 0x0016};   // Contour Image Sequence
constexpr Tag kReferencedInstance{0x0008, 0x1155};

std::set<std::uint64_t> uids_in(const encoding::ScannedElement& frames, encoding::Encoding encoding,
                                std::vector<rules::Step> path, Tag leaf) {
  rules::Field field;
  field.path = std::move(path);
  field.tag = leaf;
  std::set<std::uint64_t> found;
  rules::visit_items(frames.value, encoding, field, {}, [&](const rules::NestedElement& element) {
    const auto uid = Uid::parse(trim_padding(as_text(element.value)));
    if (uid) found.insert(fingerprint(*uid));
  });
  return found;
}

}  // namespace

std::uint64_t fingerprint(const Uid& uid) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : uid.view()) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  }
  return hash;
}

Result<std::set<std::uint64_t>> references_of(journal::Journal& journal, journal::Sequence instance,
                                              const Uid& transfer_syntax) {
  auto body = journal.open_body(instance);
  if (!body) return std::move(body).error();
  const encoding::ScanPlan plan({kFrames});
  encoding::HeaderScanner scanner(plan, transfer_syntax);
  Bytes piece(kPiece);
  while (scanner.state() == encoding::HeaderScanner::State::kMore) {
    const auto n = (*body)->read(piece);
    if (!n) return n.error();
    if (*n == 0) break;
    scanner.feed(ByteSpan(piece).first(*n));
  }
  scanner.finish();
  const auto* const frames = scanner.find(kFrames);
  if (frames == nullptr) return std::set<std::uint64_t>{};
  const bool explicit_vr =
      frames->vr != encoding::Vr::kUnknown && frames->vr != encoding::vr('U', 'N');
  const encoding::Encoding encoding{explicit_vr, frames->big_endian};
  const std::vector<rules::Step> series{{kFrames}, {kStudies}, {kSeries}};
  std::vector<rules::Step> images = series;
  images.push_back({kImages});
  auto instances = uids_in(*frames, encoding, std::move(images), kReferencedInstance);
  if (!instances.empty()) return instances;
  return uids_in(*frames, encoding, series, encoding::tags::kSeriesInstanceUid);
}

Passed::Passed(FileSystem* spool, std::size_t objects) : entries_(objects), spool_(spool) {
  if (spool_ != nullptr) load();
}

void Passed::load() {
  auto file = spool_->open(kFile, FileSystem::Mode::kReadWrite);
  if (!file) file = spool_->open(kFile, FileSystem::Mode::kCreateNew);
  if (!file) {
    log::event(log::Level::kWarning, "delivery.passed", {{"error", file.error().to_string()}});
    return;
  }
  file_ = std::move(*file);
  Bytes octets(kHead + entries_.size() * kEntry);
  const auto n = file_->read_at(0, octets);
  if (!n || *n < kHead || load_le<std::uint64_t>(octets.data()) != kMagic) return;
  ByteReader in(ByteSpan(octets).subspan(sizeof kMagic, *n - sizeof kMagic));
  count_ = stored_ = in.le<std::uint64_t>();
  for (Entry& entry : entries_) {
    if (in.remaining() < kEntry) break;
    entry.instance = in.le<std::uint64_t>();
    entry.series = in.le<std::uint64_t>();
  }
}

void Passed::note(const Uid& sop_instance_uid, const Uid& series_instance_uid) {
  entries_[count_++ % entries_.size()] = {
      fingerprint(sop_instance_uid),
      series_instance_uid.empty() ? 0 : fingerprint(series_instance_uid)};
}

void Passed::store() {
  if (file_ == nullptr || stored_ == count_) return;
  if (count_ - stored_ > entries_.size()) stored_ = count_ - entries_.size();
  while (stored_ < count_) {
    const std::size_t from = stored_ % entries_.size();
    const auto n =
        static_cast<std::size_t>(std::min<std::uint64_t>(count_ - stored_, entries_.size() - from));
    Bytes octets;
    octets.reserve(n * kEntry);
    ByteWriter out(octets);
    for (const Entry& entry : std::span(entries_).subspan(from, n)) {
      out.le(entry.instance);
      out.le(entry.series);
    }
    const ByteSpan part(octets);
    if (!file_->write_at(kHead + from * kEntry, {&part, 1})) return;  // the next time
    stored_ += n;
  }
  Bytes head;
  head.reserve(kHead);
  ByteWriter out(head);
  out.le(kMagic);
  out.le(count_);
  const ByteSpan part(head);
  // A count that is too low only has the newest written over.
  (void)file_->write_at(0, {&part, 1});
}

void Passed::strike(std::set<std::uint64_t>& wanted) const {
  for (const Entry& entry : entries_) {
    if (wanted.empty()) return;
    wanted.erase(entry.instance);
    wanted.erase(entry.series);
  }
}

bool References::here(journal::Sequence instance, Waiter waiter, std::set<std::uint64_t> wanted) {
  passed_.strike(wanted);
  if (wanted.empty()) return true;
  const auto [at, fresh] = waiting_.try_emplace(instance);
  at->second.waiters.push_back(std::move(waiter));
  if (!fresh) return false;
  for (const std::uint64_t missing : wanted) wanted_.emplace(missing, instance);
  at->second.missing = std::move(wanted);
  return false;
}

std::vector<References::Waiter> References::passed(const Uid& sop_instance_uid,
                                                   const Uid& series_instance_uid) {
  passed_.note(sop_instance_uid, series_instance_uid);
  std::vector<Waiter> complete;
  if (wanted_.empty()) return complete;
  for (const Uid* uid : {&sop_instance_uid, &series_instance_uid}) {
    const auto [from, to] = wanted_.equal_range(fingerprint(*uid));
    for (auto at = from; at != to; at = wanted_.erase(at)) {
      const auto waiting = waiting_.find(at->second);
      waiting->second.missing.erase(at->first);
      if (!waiting->second.missing.empty()) continue;
      std::ranges::move(waiting->second.waiters, std::back_inserter(complete));
      waiting_.erase(waiting);
    }
  }
  return complete;
}

void References::forget(journal::Sequence instance, const std::string& destination) {
  const auto waiting = waiting_.find(instance);
  if (waiting == waiting_.end()) return;
  std::erase_if(waiting->second.waiters,
                [&](const Waiter& waiter) { return waiter.destination == destination; });
  if (!waiting->second.waiters.empty()) return;
  for (const std::uint64_t missing : waiting->second.missing) {
    auto [from, to] = wanted_.equal_range(missing);
    while (from != to) from = from->second == instance ? wanted_.erase(from) : std::next(from);
  }
  waiting_.erase(waiting);
}

}  // namespace dr::delivery
