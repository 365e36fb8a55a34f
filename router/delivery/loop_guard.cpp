#include "router/delivery/loop_guard.h"

#include <algorithm>
#include <span>
#include <string>
#include <utility>

#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>

#include "dimse/base/log.h"

namespace dr::delivery {
namespace {

constexpr const char* kFile = "sent";
constexpr std::size_t kSlot =
    24;  // ticket, hash, checksum, count: a file of these and nothing else
constexpr std::size_t kPiece = kSlot * 16384;

/// Whether `host`, an address or a name, is where `address` is.
bool is_at(const std::string& host, const std::string& address) {
  std::error_code error;
  const auto peer = asio::ip::make_address(address, error);
  if (error || peer.is_loopback()) return false;
  const auto literal = asio::ip::make_address(host, error);
  if (!error) return literal == peer;
  asio::io_context context;
  asio::ip::tcp::resolver resolver(context);
  const auto found = resolver.resolve(host, "", error);
  return !error && std::ranges::any_of(found, [&](const auto& entry) {
    return entry.endpoint().address() == peer;
  });
}

}  // namespace

LoopGuard::Entry LoopGuard::entry(std::string_view destination, const Uid& sop_instance_uid,
                                  Octets octets) {
  // FNV-1a: the same in every life.
  std::uint64_t hash = 0xcbf29ce484222325;
  const auto add = [&](unsigned char octet) { hash = (hash ^ octet) * 0x100000001b3; };
  for (const char c : destination) add(static_cast<unsigned char>(c));
  add(0);
  for (const char c : sop_instance_uid.view()) add(static_cast<unsigned char>(c));
  // An entry that was never written has none of these.
  return {hash == 0 ? 1 : hash, octets.crc, static_cast<std::uint32_t>(octets.count)};
}

LoopGuard::LoopGuard(FileSystem* spool, std::size_t objects) : slots_(objects) {
  if (spool != nullptr) load(*spool);
}

void LoopGuard::load(FileSystem& spool) {
  auto file = spool.open(kFile, FileSystem::Mode::kReadWrite);
  if (!file) file = spool.open(kFile, FileSystem::Mode::kCreateNew);
  if (!file) {
    log::event(log::Level::kWarning, "delivery.sent", {{"error", file.error().to_string()}});
    return;
  }
  file_ = std::move(*file);
  std::vector<std::pair<std::uint64_t, Entry>> found;  // by ticket
  Bytes piece(kPiece);
  for (std::uint64_t at = 0; at < slots_ * kSlot; at += piece.size()) {
    const auto n = file_->read_at(at, piece);
    if (!n || *n == 0) break;
    ByteReader in(ByteSpan(piece).first(*n));
    while (in.remaining() >= kSlot) {
      const auto ticket = in.le<std::uint64_t>();
      Entry entry;
      entry.hash = in.le<std::uint64_t>();
      entry.crc = in.le<std::uint32_t>();
      entry.count = in.le<std::uint32_t>();
      if (ticket != 0) found.emplace_back(ticket, entry);
    }
  }
  std::ranges::sort(found, {}, [](const auto& each) { return each.first; });
  for (const auto& [ticket, entry] : found) remember(entry);
  if (!found.empty()) tickets_ = found.back().first;
}

void LoopGuard::write(const Entry& entry) {
  if (file_ == nullptr) return;
  const std::uint64_t ticket = ++tickets_;
  Bytes slot;
  slot.reserve(kSlot);
  ByteWriter out(slot);
  out.le(ticket);
  out.le(entry.hash);
  out.le(entry.crc);
  out.le(entry.count);
  const ByteSpan part(slot);
  if (const auto put = file_->write_at(ticket % slots_ * kSlot, {&part, 1}); !put) {
    log::event(log::Level::kWarning, "delivery.sent", {{"error", put.error().to_string()}});
    file_.reset();  // from here on only in memory
  }
}

void LoopGuard::sent(std::string_view destination, const Uid& sop_instance_uid, Octets octets) {
  const Entry sent = entry(destination, sop_instance_uid, octets);
  const std::scoped_lock lock(mutex_);
  remember(sent);
  write(sent);
}

void LoopGuard::remember(const Entry& sent) {
  if (entries_.empty()) entries_.resize(kBuckets * kWays);
  const auto bucket = std::span(entries_).subspan(sent.hash % kBuckets * kWays, kWays);
  // It becomes the first; what it replaces is its earlier self, or else the oldest.
  auto end = std::ranges::find(bucket, sent);
  if (end == bucket.end()) --end;
  std::move_backward(bucket.begin(), end, end + 1);
  bucket.front() = sent;
}

bool LoopGuard::was_sent(const Entry& sent) const {
  const std::scoped_lock lock(mutex_);
  if (entries_.empty()) return false;
  const auto bucket = std::span(entries_).subspan(sent.hash % kBuckets * kWays, kWays);
  return std::ranges::find(bucket, sent) != bucket.end();
}

bool LoopGuard::returned(const DestinationSettings& destination,
                         const journal::ObjectRecord& record, Octets octets) const {
  if (destination.kind != Kind::kDimse) return false;
  if (!was_sent(entry(destination.name, record.sop_instance_uid, octets))) return false;
  return record.calling_ae_title == destination.ae_title ||
         is_at(destination.host, record.peer_address);
}

}  // namespace dr::delivery
