#include "dimse/base/address_range.h"

#include <algorithm>
#include <charconv>
#include <cstring>

#include <arpa/inet.h>

namespace dr {

std::optional<NumericAddress> NumericAddress::parse(std::string_view text) {
  text = text.substr(0, text.find('%'));
  std::array<char, INET6_ADDRSTRLEN + 1> zero_terminated{};
  if (text.size() >= zero_terminated.size()) return std::nullopt;
  std::memcpy(zero_terminated.data(), text.data(), text.size());
  NumericAddress address;
  if (inet_pton(AF_INET, zero_terminated.data(), address.octets.data()) == 1) return address;
  if (inet_pton(AF_INET6, zero_terminated.data(), address.octets.data()) != 1) return std::nullopt;
  static constexpr std::array<std::uint8_t, 12> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  if (std::equal(kMapped.begin(), kMapped.end(), address.octets.begin())) {
    std::copy_n(address.octets.begin() + 12, 4, address.octets.begin());
    std::fill(address.octets.begin() + 4, address.octets.end(), std::uint8_t{0});
    return address;
  }
  address.v6 = true;
  return address;
}

Result<AddressRange> AddressRange::parse(std::string_view text) {
  const auto slash = text.find('/');
  const auto address = NumericAddress::parse(text.substr(0, slash));
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

bool AddressRange::contains(const NumericAddress& address) const {
  if (address.v6 != v6_) return false;
  const unsigned whole = bits_ / 8;
  if (!std::equal(address_.begin(), address_.begin() + whole, address.octets.begin())) return false;
  const unsigned rest = bits_ % 8;
  if (rest == 0) return true;
  const auto mask = static_cast<std::uint8_t>(0xff << (8 - rest));
  return ((address_[whole] ^ address.octets[whole]) & mask) == 0;
}

bool AddressRange::contains(std::string_view numeric_address) const {
  const auto address = NumericAddress::parse(numeric_address);
  return address && contains(*address);
}

bool AddressRange::has_host_bits() const noexcept {
  const unsigned whole = bits_ / 8;
  if (whole == address_.size()) return false;
  const auto behind = static_cast<std::uint8_t>(0xff >> (bits_ % 8));
  return (address_[whole] & behind) != 0 ||
         std::any_of(address_.begin() + whole + 1, address_.end(), [](auto o) { return o != 0; });
}

}  // namespace dr
