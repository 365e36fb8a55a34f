#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "dimse/base/result.h"

namespace dr {

/// An application entity title (PS3.5 6.2, VR AE): 1 to 16 characters of the default repertoire
/// without backslash and control characters; leading and trailing spaces carry no meaning and are
/// removed. '/' and '.' are legal in it, so it never becomes part of a file name, SQL text or HTML.
class AeTitle {
 public:
  static constexpr std::size_t kMaxLength = 16;

  AeTitle() = default;
  static Result<AeTitle> parse(std::string_view text);

  std::string_view view() const noexcept { return {text_.data(), length_}; }
  std::string str() const { return std::string(view()); }
  bool empty() const noexcept { return length_ == 0; }
  /// The 16 octets of the A-ASSOCIATE fields (PS3.8 9.3.2), padded with spaces.
  std::array<char, kMaxLength> padded() const noexcept;

  friend bool operator==(const AeTitle& a, const AeTitle& b) noexcept {
    return a.view() == b.view();
  }

 private:
  std::array<char, kMaxLength> text_{};
  std::uint8_t length_ = 0;
};

}  // namespace dr
