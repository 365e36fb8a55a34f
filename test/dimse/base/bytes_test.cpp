#include "dimse/base/bytes.h"

#include <limits>

#include <gtest/gtest.h>

namespace dr {
namespace {

Bytes octets(std::initializer_list<int> values) {
  Bytes out;
  for (const int value : values) out.push_back(static_cast<std::byte>(value));
  return out;
}

TEST(ByteReader, ReadsBothByteOrders) {
  const Bytes data = octets({1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13});
  ByteReader reader(data);
  EXPECT_EQ(reader.u8(), 1);
  EXPECT_EQ(reader.be<std::uint16_t>(), 0x0203);
  EXPECT_EQ(reader.le<std::uint16_t>(), 0x0504);
  EXPECT_EQ(reader.be<std::uint32_t>(), 0x06070809U);
  EXPECT_EQ(reader.le<std::uint32_t>(), 0x0d0c0b0aU);
  EXPECT_EQ(reader.remaining(), 0U);
  EXPECT_FALSE(reader.failed());
}

TEST(ByteReader, FailsForGoodAndGivesZeroes) {
  const Bytes data = octets({1, 2, 3});
  ByteReader reader(data);
  EXPECT_EQ(reader.be<std::uint32_t>(), 0U);
  EXPECT_TRUE(reader.failed());
  EXPECT_EQ(reader.u8(), 0);  // though three octets remain
  EXPECT_TRUE(reader.take(0).empty());
  EXPECT_TRUE(reader.failed());
}

TEST(ByteReader, ComparesLengthsWithoutWrapping) {
  const Bytes data = octets({1, 2, 3});
  ByteReader reader(data);
  reader.u8();
  EXPECT_TRUE(reader.take(std::numeric_limits<std::size_t>::max()).empty());
  EXPECT_TRUE(reader.failed());
}

TEST(ByteReader, TakesViewsAndText) {
  const Bytes data = octets({'a', 'b', 'c', 'd'});
  ByteReader reader(data);
  EXPECT_EQ(reader.take(2).data(), data.data());
  EXPECT_EQ(reader.text(2), "cd");
  EXPECT_TRUE(reader.take(0).empty());
  EXPECT_FALSE(reader.failed());
}

TEST(ByteReader, ReadsNothingFromNothing) {
  ByteReader reader{ByteSpan{}};
  EXPECT_FALSE(reader.failed());
  reader.skip(1);
  EXPECT_TRUE(reader.failed());
}

TEST(ByteWriter, WritesWhatTheReaderReads) {
  Bytes data;
  ByteWriter writer(data);
  writer.u8(0xfe);
  writer.be(std::uint16_t{0x1234});
  writer.le(std::uint64_t{0x0102030405060708});
  writer.zeros(2);
  writer.text("xy");
  EXPECT_EQ(data, octets({0xfe, 0x12, 0x34, 8, 7, 6, 5, 4, 3, 2, 1, 0, 0, 'x', 'y'}));
  ByteReader reader(data);
  EXPECT_EQ(reader.u8(), 0xfe);
  EXPECT_EQ(reader.be<std::uint16_t>(), 0x1234);
  EXPECT_EQ(reader.le<std::uint64_t>(), 0x0102030405060708U);
}

TEST(ByteWriter, PatchesALengthInPlace) {
  Bytes data;
  ByteWriter writer(data);
  writer.be(std::uint32_t{0});
  writer.text("abc");
  writer.patch_be(0, static_cast<std::uint32_t>(writer.size() - 4));
  EXPECT_EQ(data, octets({0, 0, 0, 3, 'a', 'b', 'c'}));
  writer.patch_le(0, std::uint16_t{0x0102});
  EXPECT_EQ(data, octets({2, 1, 0, 3, 'a', 'b', 'c'}));
}

}  // namespace
}  // namespace dr
