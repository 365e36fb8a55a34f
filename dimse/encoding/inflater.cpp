#include "dimse/encoding/inflater.h"

#include <algorithm>

#include <zlib.h>

namespace dr::encoding {

struct Inflater::Stream {
  z_stream z{};
};

Inflater::Inflater(std::uint64_t most)
    : most_(most),
      stream_(std::make_unique<Stream>()),
      window_(std::make_unique_for_overwrite<std::byte[]>(kWindow)) {
  status_ = inflateInit2(&stream_->z, -MAX_WBITS);
}

Inflater::~Inflater() { inflateEnd(&stream_->z); }

Result<void> Inflater::check_ceilings() const {
  const std::uint64_t in = stream_->z.total_in;
  const std::uint64_t out = stream_->z.total_out;
  if (out >= most_ || (out > kRatioFree && out / kMaxRatio > in)) {
    return Error{Errc::kTooLong, "inflated=" + std::to_string(out) + " from=" + std::to_string(in) +
                                     " limit=" + std::to_string(most_) +
                                     " ratio=" + std::to_string(kMaxRatio)};
  }
  return {};
}

Result<ByteSpan> Inflater::next(ByteSpan& in) {
  if (status_ != Z_OK) {
    return Error{Errc::kMalformed, "deflated stream, zlib status=" + std::to_string(status_)};
  }
  if (ended_) {
    in = {};
    return ByteSpan{};
  }
  // The ceilings are tested at full windows only, so that they hold or not whatever the pieces.
  if (filled_ == kWindow) {
    if (auto fine = check_ceilings(); !fine) return fine.error();
    filled_ = 0;
  }
  z_stream& z = stream_->z;
  const std::size_t offered = std::min<std::size_t>(in.size(), 1U << 30);
  z.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(in.data()));
  z.avail_in = static_cast<uInt>(offered);
  z.next_out = reinterpret_cast<Bytef*>(window_.get() + filled_);
  z.avail_out = static_cast<uInt>(kWindow - filled_);
  const int status = inflate(&z, Z_NO_FLUSH);
  in = in.subspan(offered - z.avail_in);
  const std::size_t until = kWindow - z.avail_out;
  const ByteSpan inflated(window_.get() + filled_, until - filled_);
  filled_ = until;
  if (status == Z_STREAM_END) {
    ended_ = true;
  } else if (status != Z_OK && status != Z_BUF_ERROR) {  // Z_BUF_ERROR: no more input for now
    status_ = status;
    if (inflated.empty()) return next(in);
  }
  return inflated;
}

}  // namespace dr::encoding
