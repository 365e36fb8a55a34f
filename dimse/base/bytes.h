#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace dr {

using ByteSpan = std::span<const std::byte>;
using MutableByteSpan = std::span<std::byte>;
using Bytes = std::vector<std::byte>;

inline ByteSpan as_bytes(std::string_view text) {
  return std::as_bytes(std::span<const char>(text.data(), text.size()));
}
inline std::string_view as_text(ByteSpan bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Lower-case hexadecimal digits.
std::string to_hex(ByteSpan bytes);

/// An unsigned integer from `bytes`, which must hold at least sizeof(T) octets.
template <std::unsigned_integral T>
T load_be(const std::byte* p) noexcept {
  T value = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i) {
    value = static_cast<T>(static_cast<T>(value << 8) | std::to_integer<T>(p[i]));
  }
  return value;
}
template <std::unsigned_integral T>
T load_le(const std::byte* p) noexcept {
  T value;
  std::memcpy(&value, p, sizeof(T));
  static_assert(std::endian::native == std::endian::little);
  return value;
}
template <std::unsigned_integral T>
void store_be(std::byte* p, T value) noexcept {
  for (std::size_t i = sizeof(T); i-- > 0; value = static_cast<T>(value >> 4 >> 4)) {
    p[i] = static_cast<std::byte>(value & 0xff);
  }
}
template <std::unsigned_integral T>
void store_le(std::byte* p, T value) noexcept {
  std::memcpy(p, &value, sizeof(T));
}

/// A cursor over octets that somebody else sent. Every take is checked against what remains; a
/// failed take returns a zero value and leaves the reader `failed` for good, so that a decoder can
/// read a whole structure and test once.
class ByteReader {
 public:
  explicit ByteReader(ByteSpan bytes) noexcept : rest_(bytes) {}

  bool failed() const noexcept { return failed_; }
  std::size_t remaining() const noexcept { return rest_.size(); }
  ByteSpan rest() const noexcept { return rest_; }

  ByteSpan take(std::size_t n) noexcept {
    if (failed_ || n > rest_.size()) {
      failed_ = true;
      return {};
    }
    const ByteSpan taken = rest_.first(n);
    rest_ = rest_.subspan(n);
    return taken;
  }
  void skip(std::size_t n) noexcept { (void)take(n); }
  std::string_view text(std::size_t n) noexcept { return as_text(take(n)); }
  std::uint8_t u8() noexcept { return be<std::uint8_t>(); }
  template <std::unsigned_integral T>
  T be() noexcept {
    const ByteSpan octets = take(sizeof(T));
    return octets.empty() ? T{0} : load_be<T>(octets.data());
  }
  template <std::unsigned_integral T>
  T le() noexcept {
    const ByteSpan octets = take(sizeof(T));
    return octets.empty() ? T{0} : load_le<T>(octets.data());
  }

 private:
  ByteSpan rest_;
  bool failed_ = false;
};

/// Appends fields to a growing vector; the counterpart of ByteReader.
class ByteWriter {
 public:
  explicit ByteWriter(Bytes& out) noexcept : out_(out) {}

  std::size_t size() const noexcept { return out_.size(); }
  void put(ByteSpan bytes) { out_.insert(out_.end(), bytes.begin(), bytes.end()); }
  void text(std::string_view text) { put(as_bytes(text)); }
  void zeros(std::size_t n) { out_.resize(out_.size() + n); }
  void u8(std::uint8_t value) { out_.push_back(static_cast<std::byte>(value)); }
  template <std::unsigned_integral T>
  void be(T value) {
    out_.resize(out_.size() + sizeof(T));
    store_be(out_.data() + out_.size() - sizeof(T), value);
  }
  template <std::unsigned_integral T>
  void le(T value) {
    out_.resize(out_.size() + sizeof(T));
    store_le(out_.data() + out_.size() - sizeof(T), value);
  }
  /// Fills in a length field that was written as zero before its content was known.
  template <std::unsigned_integral T>
  void patch_be(std::size_t at, T value) {
    store_be(out_.data() + at, value);
  }
  template <std::unsigned_integral T>
  void patch_le(std::size_t at, T value) {
    store_le(out_.data() + at, value);
  }

 private:
  Bytes& out_;
};

}  // namespace dr
