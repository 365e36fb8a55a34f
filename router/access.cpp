#include "router/access.h"

#include <algorithm>
#include <charconv>

#include <arpa/inet.h>

namespace dr {
namespace {

struct Numeric {
  bool v6 = false;
  std::array<std::uint8_t, 16> octets{};
};

std::optional<Numeric> parse_address(std::string_view text) {
  const std::string zero_terminated(text.substr(0, text.find('%')));  // without an IPv6 scope
  Numeric address;
  if (inet_pton(AF_INET, zero_terminated.c_str(), address.octets.data()) == 1) return address;
  if (inet_pton(AF_INET6, zero_terminated.c_str(), address.octets.data()) != 1) return std::nullopt;
  static constexpr std::array<std::uint8_t, 12> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  if (std::equal(kMapped.begin(), kMapped.end(), address.octets.begin())) {
    std::copy_n(address.octets.begin() + 12, 4, address.octets.begin());
    std::fill(address.octets.begin() + 4, address.octets.end(), std::uint8_t{0});
    return address;
  }
  address.v6 = true;
  return address;
}

bool any_of_names(const std::vector<std::string>& names, std::string_view name) {
  return std::ranges::any_of(names, [&](const std::string& n) { return n == "*" || n == name; });
}

void forget_one(std::map<std::string, std::uint32_t>& counts, const std::string& key) {
  const auto found = counts.find(key);
  if (--found->second == 0) counts.erase(found);
}

}  // namespace

Result<AddressRange> AddressRange::parse(std::string_view text) {
  const auto slash = text.find('/');
  const auto address = parse_address(text.substr(0, slash));
  if (!address) return Error{Errc::kInvalid, "not an IPv4 or IPv6 address"};
  AddressRange range;
  range.v6_ = address->v6;
  range.address_ = address->octets;
  const unsigned most = address->v6 ? 128 : 32;
  range.bits_ = most;
  if (slash != std::string_view::npos) {
    const std::string_view digits = text.substr(slash + 1);
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), range.bits_);
    if (error != std::errc{} || end != digits.data() + digits.size() || range.bits_ > most) {
      return Error{Errc::kInvalid, "the prefix length must be 0 to " + std::to_string(most)};
    }
  }
  return range;
}

bool AddressRange::contains(std::string_view numeric_address) const {
  const auto address = parse_address(numeric_address);
  if (!address || address->v6 != v6_) return false;
  const unsigned whole = bits_ / 8;
  if (!std::equal(address_.begin(), address_.begin() + whole, address->octets.begin()))
    return false;
  const unsigned rest = bits_ % 8;
  if (rest == 0) return true;
  const auto mask = static_cast<std::uint8_t>(0xff << (8 - rest));
  return ((address_[whole] ^ address->octets[whole]) & mask) == 0;
}

const SourceSettings* Access::find_source(const service::AssociationInfo& peer) const {
  for (const SourceSettings& source : settings_.sources) {
    if (source.ae_title != "*" && source.ae_title != peer.calling_ae_title.view()) continue;
    if (!source.listeners.empty() && !any_of_names(source.listeners, peer.listener)) continue;
    const bool here = source.addresses.empty() ||
                      std::ranges::any_of(source.addresses, [&](const AddressRange& range) {
                        return range.contains(peer.peer_address);
                      });
    if (here) return &source;
  }
  return nullptr;
}

std::optional<Access::Refusal> Access::enter(const service::AssociationInfo& peer) {
  static const auto kLoopback4 = *AddressRange::parse("127.0.0.0/8");
  static const auto kLoopback6 = *AddressRange::parse("::1");

  const auto listener = settings_.called.find(peer.listener);
  if (listener == settings_.called.end() ||
      !any_of_names(listener->second, peer.called_ae_title.view())) {
    return Refusal{{1, 1, 7}, "called-ae-title"};
  }
  const std::string source_name = peer.calling_ae_title.str();
  std::uint32_t source_limit = settings_.associations_per_source;
  if (settings_.sources.empty()) {
    if (!kLoopback4.contains(peer.peer_address) && !kLoopback6.contains(peer.peer_address)) {
      return Refusal{{1, 1, 3}, "calling-ae-title"};
    }
  } else {
    const SourceSettings* source = find_source(peer);
    if (source == nullptr) return Refusal{{1, 1, 3}, "calling-ae-title"};
    if (source->associations != 0) source_limit = source->associations;
  }

  const std::scoped_lock lock(mutex_);
  const auto count = [](const std::map<std::string, std::uint32_t>& counts,
                        const std::string& key) {
    const auto found = counts.find(key);
    return found == counts.end() ? 0U : found->second;
  };
  if (entries_.size() >= settings_.associations ||
      count(per_source_, source_name) >= source_limit ||
      count(per_address_, peer.peer_address) >= settings_.associations_per_address) {
    return Refusal{{2, 3, 2}, "limit"};
  }
  entries_.emplace(peer.number, Entry{source_name, peer.peer_address});
  ++per_source_[source_name];
  ++per_address_[peer.peer_address];
  return std::nullopt;
}

void Access::leave(std::uint64_t number) {
  const std::scoped_lock lock(mutex_);
  const auto found = entries_.find(number);
  if (found == entries_.end()) return;  // was refused
  forget_one(per_source_, found->second.source);
  forget_one(per_address_, found->second.address);
  entries_.erase(found);
}

std::size_t Access::open() const {
  const std::scoped_lock lock(mutex_);
  return entries_.size();
}

}  // namespace dr
