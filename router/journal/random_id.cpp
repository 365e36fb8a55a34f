#include "router/journal/random_id.h"

#include <openssl/rand.h>

namespace dr::journal {

Result<RandomId> random_id() {
  RandomId id{};
  if (RAND_bytes(reinterpret_cast<unsigned char*>(id.data()), static_cast<int>(id.size())) != 1) {
    return Error{Errc::kIo, "no random octets"};
  }
  return id;
}

std::string to_hex(ByteSpan octets) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const std::byte octet : octets) {
    text += kDigits[std::to_integer<std::size_t>(octet >> 4)];
    text += kDigits[std::to_integer<std::size_t>(octet & std::byte{15})];
  }
  return text;
}

std::string to_uuid(RandomId id) {
  id[6] = (id[6] & std::byte{0x0f}) | std::byte{0x40};
  id[8] = (id[8] & std::byte{0x3f}) | std::byte{0x80};
  std::string text = to_hex(id);
  for (const std::size_t at : {20, 16, 12, 8}) text.insert(at, 1, '-');
  return text;
}

}  // namespace dr::journal
