#include "dimse/base/uid.h"

#include <algorithm>
#include <stdexcept>

namespace dr {

Result<Uid> Uid::parse(std::string_view text) {
  if (text.empty()) return Error{Errc::kMalformed, "UID is empty"};
  if (text.size() > kMaxLength) {
    return Error{Errc::kTooLong, "UID length=" + std::to_string(text.size()) + " limit=64"};
  }
  bool component_empty = true;
  for (const char c : text) {
    if (c == '.') {
      if (component_empty) return Error{Errc::kMalformed, "UID with an empty component"};
      component_empty = true;
    } else if (c >= '0' && c <= '9') {
      component_empty = false;
    } else {
      return Error{Errc::kMalformed, "UID with a character outside [0-9.]"};
    }
  }
  if (component_empty) return Error{Errc::kMalformed, "UID with an empty component"};
  Uid uid;
  std::ranges::copy(text, uid.text_.begin());
  uid.length_ = static_cast<std::uint8_t>(text.size());
  return uid;
}

Uid uid_literal(std::string_view text) {
  auto uid = Uid::parse(text);
  if (!uid) throw std::invalid_argument("not a UID: " + std::string(text));
  return *uid;
}

std::string_view trim_padding(std::string_view text) noexcept {
  while (!text.empty() && (text.back() == '\0' || text.back() == ' ')) text.remove_suffix(1);
  return text;
}

}  // namespace dr
