#include "dimse/base/crc32c.h"

#include <numeric>
#include <random>

#include <gtest/gtest.h>

namespace dr {
namespace {

Bytes filled(std::size_t n, std::byte value) { return Bytes(n, value); }

// RFC 3720 B.4.
TEST(Crc32c, AnswersTheVectorsOfRfc3720) {
  EXPECT_EQ(crc32c(0, filled(32, std::byte{0})), 0x8a9136aaU);
  EXPECT_EQ(crc32c(0, filled(32, std::byte{0xff})), 0x62a8ab43U);
  Bytes ascending(32);
  for (std::size_t i = 0; i < 32; ++i) ascending[i] = static_cast<std::byte>(i);
  EXPECT_EQ(crc32c(0, ascending), 0x46dd794eU);
  EXPECT_EQ(crc32c(0, as_bytes("123456789")), 0xe3069283U);
}

TEST(Crc32c, HardwareAndTableAgreeAtEveryLengthAndSplit) {
  std::mt19937 random(1);
  Bytes data(40'000);
  for (auto& octet : data) octet = static_cast<std::byte>(random());
  for (const std::size_t n : {0, 1, 7, 8, 9, 63, 4095, 12'287, 12'288, 12'289, 39'999, 40'000}) {
    const ByteSpan part = ByteSpan(data).first(n);
    EXPECT_EQ(crc32c(0, part), crc32c_portable(0, part)) << n;
    const std::size_t split = n / 3;
    EXPECT_EQ(crc32c(crc32c(0, part.first(split)), part.subspan(split)), crc32c(0, part)) << n;
  }
}

}  // namespace
}  // namespace dr
