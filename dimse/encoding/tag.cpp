#include "dimse/encoding/tag.h"

#include <cstdio>

namespace dr::encoding {

std::string Tag::to_string() const {
  char text[16];
  const int n = std::snprintf(text, sizeof text, "(%04x,%04x)", static_cast<unsigned>(group),
                              static_cast<unsigned>(element));
  return {text, static_cast<std::size_t>(n)};
}

}  // namespace dr::encoding
