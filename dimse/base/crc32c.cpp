#include "dimse/base/crc32c.h"

#include <array>

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace dr {
namespace {

constexpr std::uint32_t kPolynomial = 0x82f63b78;  // reflected

// Slicing by eight (Kounavis and Berry, 2005): kTables[k][b] is the CRC of octet b followed by k
// zeros.
constexpr auto make_tables() {
  std::array<std::array<std::uint32_t, 256>, 8> tables{};
  for (std::uint32_t b = 0; b < 256; ++b) {
    std::uint32_t crc = b;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? kPolynomial : 0);
    tables[0][b] = crc;
  }
  for (std::uint32_t b = 0; b < 256; ++b) {
    for (std::size_t k = 1; k < 8; ++k) {
      const std::uint32_t before = tables[k - 1][b];
      tables[k][b] = (before >> 8) ^ tables[0][before & 0xff];
    }
  }
  return tables;
}
constexpr auto kTables = make_tables();

std::uint32_t portable(std::uint32_t crc, const std::byte* p, std::size_t n) noexcept {
  for (; n >= 8; p += 8, n -= 8) {
    const std::uint64_t x = load_le<std::uint64_t>(p) ^ crc;
    crc = 0;
    for (std::size_t k = 0; k < 8; ++k) crc ^= kTables[7 - k][(x >> (8 * k)) & 0xff];
  }
  for (; n > 0; ++p, --n)
    crc = (crc >> 8) ^ kTables[0][(crc ^ std::to_integer<std::uint32_t>(*p)) & 0xff];
  return crc;
}

#if defined(__x86_64__)
// The crc32 instruction has a latency of three cycles and a throughput of one, so three streams of
// kStride octets run side by side. Appending kStride zero octets to a CRC is linear in it, hence a
// table lookup for each of its four octets; XOR joins the streams.
constexpr std::size_t kStride = 4096;

constexpr std::uint32_t shift_zeros_bytewise(std::uint32_t crc, std::size_t zeros) {
  for (std::size_t i = 0; i < zeros; ++i) crc = (crc >> 8) ^ kTables[0][crc & 0xff];
  return crc;
}
auto make_shift_table() {
  std::array<std::array<std::uint32_t, 256>, 4> table{};
  std::array<std::uint32_t, 32> basis{};
  for (std::size_t bit = 0; bit < 32; ++bit) {
    basis[bit] = shift_zeros_bytewise(std::uint32_t{1} << bit, kStride);
  }
  for (std::size_t octet = 0; octet < 4; ++octet) {
    for (std::uint32_t b = 0; b < 256; ++b) {
      std::uint32_t crc = 0;
      for (std::size_t bit = 0; bit < 8; ++bit) {
        if ((b >> bit & 1) != 0) crc ^= basis[octet * 8 + bit];
      }
      table[octet][b] = crc;
    }
  }
  return table;
}

std::uint32_t shift_stride(std::uint32_t crc) noexcept {
  static const auto table = make_shift_table();
  return table[0][crc & 0xff] ^ table[1][(crc >> 8) & 0xff] ^ table[2][(crc >> 16) & 0xff] ^
         table[3][crc >> 24];
}

__attribute__((target("sse4.2"))) std::uint32_t hardware(std::uint32_t crc, const std::byte* p,
                                                         std::size_t n) noexcept {
  std::uint64_t a = crc;
  for (; n >= 3 * kStride; p += 3 * kStride, n -= 3 * kStride) {
    std::uint64_t b = 0;
    std::uint64_t c = 0;
    for (std::size_t i = 0; i < kStride; i += 8) {
      a = _mm_crc32_u64(a, load_le<std::uint64_t>(p + i));
      b = _mm_crc32_u64(b, load_le<std::uint64_t>(p + kStride + i));
      c = _mm_crc32_u64(c, load_le<std::uint64_t>(p + 2 * kStride + i));
    }
    a = shift_stride(static_cast<std::uint32_t>(a)) ^ b;
    a = shift_stride(static_cast<std::uint32_t>(a)) ^ c;
  }
  for (; n >= 8; p += 8, n -= 8) a = _mm_crc32_u64(a, load_le<std::uint64_t>(p));
  auto crc32 = static_cast<std::uint32_t>(a);
  for (; n > 0; ++p, --n) crc32 = _mm_crc32_u8(crc32, std::to_integer<std::uint8_t>(*p));
  return crc32;
}
#endif

}  // namespace

std::uint32_t crc32c_portable(std::uint32_t crc, ByteSpan data) noexcept {
  return ~portable(~crc, data.data(), data.size());
}

std::uint32_t crc32c(std::uint32_t crc, ByteSpan data) noexcept {
#if defined(__x86_64__)
  static const bool has_sse42 = __builtin_cpu_supports("sse4.2") != 0;
  if (has_sse42) return ~hardware(~crc, data.data(), data.size());
#endif
  return crc32c_portable(crc, data);
}

}  // namespace dr
