#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "dimse/base/result.h"

namespace dr {

/// An IPv4 or IPv6 address. One of IPv4 that is mapped into IPv6 (::ffff:10.1.2.3) is the IPv4
/// address; an IPv6 scope ("%eth0") is left out.
struct NumericAddress {
  bool v6 = false;
  std::array<std::uint8_t, 16> octets{};

  /// nullopt: a host name, or nonsense.
  static std::optional<NumericAddress> parse(std::string_view text);
};

/// A range of IPv4 or IPv6 addresses: "10.1.0.0/16", "::1", "0.0.0.0/0".
class AddressRange {
 public:
  /// kInvalid with a sentence for people.
  static Result<AddressRange> parse(std::string_view text);
  bool contains(const NumericAddress& address) const;
  bool contains(std::string_view numeric_address) const;
  bool everyone() const noexcept { return bits_ == 0; }
  /// Whether bits behind the prefix are set, as in "10.1.2.3/16": likely a slip.
  bool has_host_bits() const noexcept;

 private:
  bool v6_ = false;
  unsigned bits_ = 0;
  std::array<std::uint8_t, 16> address_{};
};

}  // namespace dr
