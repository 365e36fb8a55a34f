#include "dimse/base/ae_title.h"

#include <algorithm>

namespace dr {

Result<AeTitle> AeTitle::parse(std::string_view text) {
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  if (text.empty()) return Error{Errc::kMalformed, "AE title is empty"};
  if (text.size() > kMaxLength) {
    return Error{Errc::kTooLong, "AE title length=" + std::to_string(text.size()) + " limit=16"};
  }
  const bool legal =
      std::ranges::all_of(text, [](char c) { return c >= 0x20 && c < 0x7f && c != '\\'; });
  if (!legal) return Error{Errc::kMalformed, "AE title with a control character or backslash"};
  AeTitle title;
  std::ranges::copy(text, title.text_.begin());
  title.length_ = static_cast<std::uint8_t>(text.size());
  return title;
}

std::array<char, AeTitle::kMaxLength> AeTitle::padded() const noexcept {
  std::array<char, kMaxLength> field;
  field.fill(' ');
  std::ranges::copy(view(), field.begin());
  return field;
}

}  // namespace dr
