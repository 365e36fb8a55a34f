#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "dimse/base/result.h"

namespace dr {

/// A DICOM unique identifier (PS3.5 9): 1 to 64 characters of [0-9.], validated once, stored in
/// place. It holds no path separator, but "." and ".." are refused all the same: no empty
/// component. A default-constructed Uid is empty and means "absent".
class Uid {
 public:
  static constexpr std::size_t kMaxLength = 64;

  Uid() = default;

  /// Strict: components of digits, no empty component. Leading zeros in a component are tolerated,
  /// since modalities send them. Trailing NUL or space padding (PS3.5 9.1, and common misuse) must
  /// be trimmed by the caller (trim_padding).
  static Result<Uid> parse(std::string_view text);

  std::string_view view() const noexcept { return {text_.data(), length_}; }
  std::string str() const { return std::string(view()); }
  bool empty() const noexcept { return length_ == 0; }

  friend bool operator==(const Uid& a, const Uid& b) noexcept { return a.view() == b.view(); }
  friend auto operator<=>(const Uid& a, const Uid& b) noexcept { return a.view() <=> b.view(); }
  friend bool operator==(const Uid& a, std::string_view b) noexcept { return a.view() == b; }

 private:
  std::array<char, kMaxLength> text_{};
  std::uint8_t length_ = 0;
};

/// A Uid written in this program's source. Throws std::invalid_argument on a typing error.
Uid uid_literal(std::string_view text);

/// Without trailing NULs and spaces.
std::string_view trim_padding(std::string_view text) noexcept;

}  // namespace dr

template <>
struct std::hash<dr::Uid> {
  std::size_t operator()(const dr::Uid& uid) const noexcept {
    return std::hash<std::string_view>{}(uid.view());
  }
};
