#pragma once

#include <cstdint>
#include <memory>

#include "dimse/base/bytes.h"
#include "dimse/base/result.h"

namespace dr::encoding {

/// Inflates a deflated data set (PS3.5 A.5: raw deflate, RFC 1951) through a window, as far as its
/// reader asks, under two ceilings against bombs: `most` octets in all and, above kRatioFree of
/// them, kMaxRatio times what came in.
class Inflater {
 public:
  static constexpr std::size_t kWindow = 16 * 1024;
  static constexpr std::uint64_t kMaxInflated = 16 * 1024 * 1024;
  static constexpr std::uint64_t kRatioFree = 1024 * 1024;
  static constexpr std::uint64_t kMaxRatio = 256;

  explicit Inflater(std::uint64_t most = kMaxInflated);
  ~Inflater();
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  /// The next inflated octets, and `in` without what was used for them; empty: all that `in` brings
  /// has been given. Valid until the next call. Octets before a defect are given before its error.
  Result<ByteSpan> next(ByteSpan& in);
  /// The stream has come to its end; octets behind it (padding) are ignored.
  bool ended() const noexcept { return ended_; }

 private:
  struct Stream;

  Result<void> check_ceilings() const;

  const std::uint64_t most_;
  std::unique_ptr<Stream> stream_;
  std::unique_ptr<std::byte[]> window_;
  std::size_t filled_ = 0;  // of the window
  int status_ = 0;          // zlib's
  bool ended_ = false;
};

}  // namespace dr::encoding
