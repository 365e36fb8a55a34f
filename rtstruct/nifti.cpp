#include "rtstruct/nifti.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <stdexcept>

#include <zlib.h>

namespace dr::rtstruct {
namespace {

constexpr int kLevel = 1;      // of rows with voxels
constexpr int kZeroLevel = 9;  // of zeros, compressed once

/// A gzip stream (RFC 1952) of which long runs of zeros are compressed once: behind a full flush
/// (RFC 1951: octets refer to nothing before them) the same compressed octets stand for them
/// anywhere.
class RunGzip {
 public:
  explicit RunGzip(int level = kLevel) {
    if (deflateInit2(&z_, level, Z_DEFLATED, -MAX_WBITS, 9, Z_DEFAULT_STRATEGY) != Z_OK) {
      throw std::bad_alloc();
    }
    const std::array<unsigned char, 10> head{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255};
    out_.insert(out_.end(), reinterpret_cast<const std::byte*>(head.data()),
                reinterpret_cast<const std::byte*>(head.data() + head.size()));
  }
  ~RunGzip() { deflateEnd(&z_); }
  RunGzip(const RunGzip&) = delete;
  RunGzip& operator=(const RunGzip&) = delete;

  void octets(ByteSpan octets) {
    const auto* p = reinterpret_cast<const Bytef*>(octets.data());
    crc_ = crc32_z(crc_, p, octets.size());
    length_ += octets.size();
    feed(p, octets.size(), Z_NO_FLUSH);
  }

  void run(std::byte value, std::uint64_t n) {
    if (value == std::byte{0} && n >= zeros().front().length) {
      feed(nullptr, 0, Z_FULL_FLUSH);
      for (auto chunk = zeros().rbegin(); chunk != zeros().rend(); ++chunk) {
        for (; n >= chunk->length; n -= chunk->length) {
          out_.insert(out_.end(), chunk->compressed.begin(), chunk->compressed.end());
          crc_ = crc32_combine(crc_, chunk->crc, static_cast<z_off_t>(chunk->length));
          length_ += chunk->length;
        }
      }
    }
    std::array<std::byte, 4096> same{};
    same.fill(value);
    for (; n > 0; n -= std::min<std::uint64_t>(n, same.size())) {
      octets(ByteSpan(same).first(std::min<std::uint64_t>(n, same.size())));
    }
  }

  Bytes finish() {
    feed(nullptr, 0, Z_FINISH);
    ByteWriter writer(out_);
    writer.le(static_cast<std::uint32_t>(crc_));
    writer.le(static_cast<std::uint32_t>(length_));
    return std::move(out_);
  }

 private:
  struct Chunk {
    std::uint64_t length;
    uLong crc;
    Bytes compressed;
  };

  /// Ascending by length; made once.
  static const std::array<Chunk, 2>& zeros() {
    static const std::array<Chunk, 2> chunks{make_chunk(1U << 16), make_chunk(1U << 20)};
    return chunks;
  }

  static Chunk make_chunk(std::size_t length) {
    RunGzip maker(kZeroLevel);
    maker.out_.clear();
    const Bytes zeros(length);
    const auto* p = reinterpret_cast<const Bytef*>(zeros.data());
    maker.feed(p, length, Z_FULL_FLUSH);
    return {length, crc32_z(0, p, length), std::move(maker.out_)};
  }

  void feed(const Bytef* p, std::size_t n, int flush) {
    z_.next_in = const_cast<Bytef*>(p);
    z_.avail_in = static_cast<uInt>(n);
    do {
      z_.next_out = buffer_.data();
      z_.avail_out = static_cast<uInt>(buffer_.size());
      deflate(&z_, flush);
      const auto made = buffer_.size() - z_.avail_out;
      const auto* octets = reinterpret_cast<const std::byte*>(buffer_.data());
      out_.insert(out_.end(), octets, octets + made);
    } while (z_.avail_out == 0);
  }

  z_stream z_{};
  std::array<Bytef, 32768> buffer_{};
  uLong crc_ = crc32_z(0, nullptr, 0);
  std::uint64_t length_ = 0;
  Bytes out_;
};

struct Quaternion {
  double b, c, d;
};

/// Of a rotation given by its columns (nifti1.h, method 2), without the division by a small number.
Quaternion quaternion(Vec3 x, Vec3 y, Vec3 z) {
  const double a = std::sqrt(std::max(0.0, 1 + x.x + y.y + z.z)) / 2;
  if (a > 0.25) return {(y.z - z.y) / (4 * a), (z.x - x.z) / (4 * a), (x.y - y.x) / (4 * a)};
  double b = std::sqrt(std::max(0.0, 1 + x.x - y.y - z.z)) / 2;
  double c = std::sqrt(std::max(0.0, 1 - x.x + y.y - z.z)) / 2;
  double d = std::sqrt(std::max(0.0, 1 - x.x - y.y + z.z)) / 2;
  double real = 0;  // four times a times the largest of the others; a shall not be negative
  if (b >= c && b >= d) {
    c = (x.y + y.x) / (4 * b);
    d = (x.z + z.x) / (4 * b);
    real = y.z - z.y;
  } else if (c >= d) {
    b = (x.y + y.x) / (4 * c);
    d = (y.z + z.y) / (4 * c);
    real = z.x - x.z;
  } else {
    b = (x.z + z.x) / (4 * d);
    c = (y.z + z.y) / (4 * d);
    real = x.y - y.x;
  }
  return real < 0 ? Quaternion{-b, -c, -d} : Quaternion{b, c, d};
}

Bytes header(const ImageGrid& grid) {
  Bytes h(352);
  const auto put = [&](std::size_t at, auto value) {
    std::memcpy(h.data() + at, &value, sizeof value);
  };
  const auto f = [&](std::size_t at, double value) { put(at, static_cast<float>(value)); };
  const auto s = [&](std::size_t at, std::uint32_t value) {
    put(at, static_cast<std::int16_t>(value));
  };
  const auto ras = [](Vec3 v) { return Vec3{-v.x, -v.y, v.z}; };
  put(0, std::int32_t{348});
  s(40, 3);
  s(42, grid.columns);
  s(44, grid.rows);
  s(46, grid.slices);
  for (const std::size_t at : {48U, 50U, 52U, 54U}) s(at, 1);
  s(70, 2);  // unsigned char
  s(72, 8);
  f(76, 1);  // qfac: row, column and normal are right-handed, negating two axes keeps that
  f(80, grid.row_step);
  f(84, grid.column_step);
  f(88, grid.slice_step);
  f(108, 352);
  f(112, 1);
  h[123] = std::byte{2};  // mm
  s(252, 1);              // qform and sform: scanner coordinates
  s(254, 1);
  const Vec3 x = ras(grid.row), y = ras(grid.column), z = ras(grid.normal), o = ras(grid.origin);
  const Quaternion q = quaternion(x, y, z);
  const std::array<double, 6> qform{q.b, q.c, q.d, o.x, o.y, o.z};
  for (std::size_t i = 0; i < 6; ++i) f(256 + 4 * i, qform[i]);
  const std::array<std::array<double, 4>, 3> sform{
      {{x.x * grid.row_step, y.x * grid.column_step, z.x * grid.slice_step, o.x},
       {x.y * grid.row_step, y.y * grid.column_step, z.y * grid.slice_step, o.y},
       {x.z * grid.row_step, y.z * grid.column_step, z.z * grid.slice_step, o.z}}};
  for (std::size_t r = 0; r < 3; ++r) {
    for (std::size_t c = 0; c < 4; ++c) f(280 + 16 * r + 4 * c, sform[r][c]);
  }
  std::memcpy(h.data() + 344, "n+1", 4);
  return h;
}

}  // namespace

Result<Bytes> nifti_gz(const Mask& mask, const ImageGrid& grid) {
  constexpr std::uint32_t kMost = 32767;
  if (std::max({grid.columns, grid.rows, grid.slices}) > kMost) {
    return Error{Errc::kTooLong, "voxels along an axis, limit=32767"};
  }
  RunGzip gzip;
  gzip.octets(header(grid));
  std::uint64_t at = 0;
  for (const Run& run : mask.runs) {
    const std::uint64_t row = (std::uint64_t{run.k} * grid.rows + run.j) * grid.columns;
    gzip.run(std::byte{0}, row + run.begin - at);
    gzip.run(std::byte{1}, std::uint64_t{run.end} - run.begin);
    at = row + run.end;
  }
  gzip.run(std::byte{0}, grid.voxels() - at);
  return gzip.finish();
}

}  // namespace dr::rtstruct
