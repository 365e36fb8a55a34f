#include "router/delivery/loop_guard.h"

#include <algorithm>
#include <functional>
#include <span>
#include <string>

#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>

namespace dr::delivery {
namespace {

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
  std::string key(destination);
  key += '\0';
  key += sop_instance_uid.view();
  const std::uint64_t hash = std::hash<std::string>()(key);
  // An entry that was never written has none of these.
  return {hash == 0 ? 1 : hash, octets.crc, static_cast<std::uint32_t>(octets.count)};
}

void LoopGuard::sent(std::string_view destination, const Uid& sop_instance_uid, Octets octets) {
  const Entry sent = entry(destination, sop_instance_uid, octets);
  const std::scoped_lock lock(mutex_);
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
